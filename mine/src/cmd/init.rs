//! `mine init`

use std::{path::PathBuf, time::SystemTime};

use serde_json::json;
use sonar_node::{
    account,
    cli::{self, Ask, Failure, Output, Report},
};

use super::{
    Context,
    survey::{Survey, survey},
};
use crate::{
    home,
    policy::{EXACT, Policy, Preset},
};

/// Create account and vault, and write the configuration. A second run completes what is missing and changes nothing
/// else.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  mine init --rpc http://127.0.0.1:8545 --sonar http://127.0.0.1:8080 --policy balanced"
)]
pub struct Init {
    /// Use the key in this file (keystore file under the same passphrase, or hexadecimal) instead of a new key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The policy to start from: which campaigns are served. Change its rules with `mine policy set` [default: the
    /// answer on a terminal, otherwise balanced]
    #[arg(long, value_name = "NAME")]
    policy: Option<Preset>,
}

/// The policy that was chosen.
struct Choice {
    preset: Preset,
    survey: Option<Survey>,
}

impl Init {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let home = &context.home;
        let fresh = !home.is_complete()?;
        let ask = if fresh { Ask::New } else { Ask::Existing };
        let passphrase = context.passphrase(ask)?;
        let key = self.key_file.as_ref().map(|path| account::read_key(path, &passphrase)).transpose()?;
        let choice = self.policy(context, output).await?;
        let opened = home.complete(key.as_ref(), &passphrase)?;
        let address = opened.signer.address();
        if key.is_some_and(|key| key.address() != address) {
            output.warn(format!("this Mine already has the account {address}; the key in the file is not used"));
        }
        context.config.save(home.path())?;
        let policy = match &choice {
            Some(Choice { preset, .. }) => {
                let policy = preset.policy();
                home::write_policy(&home.policy(), &policy)?;
                policy
            }
            None => home::read_policy(&home.policy())?,
        };
        let human = format!(
            "{} {address} in {}\n{}The account needs some ETH for gas. Next, add data: mine data add NAME FILE.csv",
            if fresh { "created Mine" } else { "Mine" },
            home.path().display(),
            choice.as_ref().map(|choice| explain(choice, &policy)).unwrap_or_default(),
        );
        let data = json!({
            "address": address,
            "created": fresh,
            "home": home.path(),
            "keystore": home.key_file()?,
            "policy": choice.as_ref().map(|choice| choice.preset.describe().0),
            "campaigns": choice.as_ref().and_then(|choice| choice.survey),
        });
        Report::new(&data, human)
    }

    /// The policy of a Mine that has none yet.
    async fn policy(&self, context: &Context, output: &Output) -> Result<Option<Choice>, Failure> {
        if context.home.policy().exists() {
            if self.policy.is_some() {
                output.warn("this Mine already has a policy, which is kept; change it with `mine policy set`");
            }
            return Ok(None);
        }
        let survey = match &context.config.sonar {
            Some(sonar) => survey(sonar, SystemTime::now().into()).await,
            None => None,
        };
        let preset = match self.policy {
            Some(preset) => preset,
            None => choose(context, survey.as_ref())?,
        };
        Ok(Some(Choice { preset, survey }))
    }
}

/// Asks on a terminal.
fn choose(context: &Context, survey: Option<&Survey>) -> Result<Preset, Failure> {
    let choices: Vec<_> = Preset::ALL.into_iter().map(|preset| describe(preset, survey)).collect();
    let usual = Preset::ALL.iter().position(|preset| *preset == Preset::default()).unwrap_or_default();
    let chosen = cli::choose(&context.globals, "Which campaigns may this Mine serve?", &choices, usual)?;
    Ok(Preset::ALL.get(chosen).copied().unwrap_or_default())
}

/// A preset with what it means, and the number of campaigns that it would serve.
fn describe(preset: Preset, survey: Option<&Survey>) -> (String, String) {
    let (name, meaning) = preset.describe();
    let served = survey.zip(Preset::ALL.iter().position(|other| *other == preset)).map(|(survey, place)| {
        format!(" (serves {} of {} open campaigns now, if data fits)", survey.served[place], survey.open)
    });
    (name, meaning + &served.unwrap_or_default())
}

/// What the owner should know about the policy. The risk of exact updates is shown here, once.
fn explain(choice: &Choice, policy: &Policy) -> String {
    let (name, meaning) = describe(choice.preset, choice.survey.as_ref());
    let exact = if policy.privacy.is_none() {
        format!("{EXACT} `mine policy set --epsilon 3` sets a budget.\n")
    } else {
        String::new()
    };
    format!(
        "policy {name}: {meaning}\n{exact}Bounties in tokens need `mine policy set --token DATA` (or an address).\n"
    )
}
