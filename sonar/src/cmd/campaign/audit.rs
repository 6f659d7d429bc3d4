//! `sonar campaign audit`.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use sonar_node::{
    chain::Client,
    cli::{self, Ask, Code, Failure, Output, Report},
};
use sonar_protocol::{
    audit::{Conviction, Finding, VersionAudit},
    ids::Version,
    units::TokenUnit,
    view::CampaignView,
};
use syft::Ppm;

use super::{Context, result::account};
use crate::scientist::{
    account::UnlockedAccount,
    audit::{self, AuditInputs, words},
    draft::LaunchDrafts,
    find,
    hub::HubClient,
    result::{NamedFile, delivered},
};

/// Audit a delivered campaign: recompute everything that the Capsule published, version by version.
///
/// The Capsule has handed over the seed of every version. From the seed, the command recomputes everything that the
/// Capsule published for the version, compares the two, and measures the model of each version on your validation set.
/// If anything differs, the command fails with exit code 9. If the contract can judge the misconduct, `--convict` takes
/// the Capsule's stake.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign audit 0x3fa4\n  sonar campaign audit 0x3fa4 --release\n  sonar campaign audit 0x3fa4 --convict"
)]
pub struct Audit {
    /// Campaign id, or its first digits
    id: String,
    /// Take the Capsule's stake if its misconduct can be proven on chain: you get the fee and a tenth of the stake, the
    /// rest is burned. The proof publishes the seed of one version,
    /// and with it that version of the model
    #[arg(long)]
    convict: bool,
    /// Free the Capsule's stake if the audit finds nothing wrong and the audit period is over
    #[arg(long, conflicts_with = "convict")]
    release: bool,
    /// Validation set, if it has moved since the launch
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,
    /// Starting model, to compare with version 1, if the campaign had one
    #[arg(long, value_name = "FILE")]
    initial: Option<PathBuf>,
}

/// One version in the JSON output.
#[derive(Serialize)]
struct Line<'a> {
    version: Version,
    attested_ppm: Option<Ppm>,
    measured_ppm: Option<Ppm>,
    findings: &'a [Finding],
    convicts: bool,
}

impl Audit {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let reader = context.reader().await?;
        let world = context.world(&reader).await?;
        let view = find(&world, &self.id)?;
        delivered(view)?;
        let draft = LaunchDrafts::new(&context.home).find(view.id);
        let name = account(context, draft.as_ref())?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let account = UnlockedAccount::unlock(&context.home, &name, &passphrase)?;
        audit::check_owner(view, &account)?;

        let hub = HubClient::connect(&context.workspace(), output).await?;
        let inputs = AuditInputs {
            client: &reader,
            hub: &hub,
            account: &account,
            draft: draft.as_ref(),
            validation: self.validation.as_deref().map(NamedFile::read),
            initial: self.initial.as_deref().map(NamedFile::read),
            progress: output,
        };
        let audited = inputs.audit(view).await?;
        hub.close().await;
        let client = reader.with_signer(account.signer().clone());
        self.conclude(context, output, &client, view, audited).await
    }

    /// Acts on the result of the audit: frees the stake, takes it, or changes nothing.
    async fn conclude(
        &self,
        context: &Context,
        output: &Output,
        client: &Client,
        view: &CampaignView,
        audited: Vec<VersionAudit>,
    ) -> Result<Report, Failure> {
        let stake = TokenUnit::eth().format(view.terms.stake.into());
        let locked = view.stake_fate.is_none();
        let free_from = audit::free_from(view);
        let honest = audit::is_honest(&audited);
        let lines: Vec<Line> = audited.iter().map(Line::from).collect();
        let convicting = audit::conviction(&audited);
        let mut human: Vec<String> = audited.iter().map(words).collect();
        let mut data = json!({ "id": view.id, "honest": honest, "versions": lines });
        match convicting {
            None if honest => {
                if self.release && locked && client.now().await? < free_from {
                    data["free_from"] = json!(free_from);
                    human.push(format!(
                        "the Capsule's stake of {stake} can be freed from {free_from}; until then it is locked"
                    ));
                } else if self.release && locked {
                    data["released"] = json!(client.release(&view.terms).await?);
                    human.push(format!("the Capsule's stake of {stake} is free"));
                }
            }
            Some((version, conviction)) if self.convict && locked => {
                human.iter().for_each(|line| output.progress(line));
                cli::confirm(&context.globals, &consequence(&conviction, version, &stake))?;
                data["convicted"] = json!(audit::convict(client, view, version, conviction).await?);
                let (amount, transaction) = audit::claim(client, view).await?;
                (data["claimed"], data["claim"]) = (json!(amount), json!(transaction));
                let amount = TokenUnit::eth().format(amount);
                human.push(format!("the Capsule was convicted for version {version}; you received {amount}"));
            }
            other => return Err(dishonest(&audited, other.is_some(), locked, &stake)),
        }
        Report::new(&data, human.join("\n"))
    }
}

fn consequence(conviction: &Conviction, version: Version, stake: &str) -> String {
    let told = match conviction {
        Conviction::Handover(_) => format!("your audit key of version {version} becomes public"),
        Conviction::Material(_) => {
            format!("the seed of version {version} becomes public, and with it that version of your model")
        }
    };
    format!("This takes the Capsule's stake of {stake}; {told}.")
}

fn dishonest(audited: &[VersionAudit], provable: bool, locked: bool, stake: &str) -> Failure {
    let bad: Vec<String> = audited.iter().filter(|one| !one.findings.is_empty()).map(words).collect();
    let message = format!(
        "{} of {} versions differ from what an honest Capsule publishes:\n{}",
        bad.len(),
        audited.len(),
        bad.join("\n")
    );
    let failure = Failure::new(Code::AuditFailed, message);
    match (provable, locked) {
        (true, true) => {
            failure.help(format!("`--convict` proves this on chain and takes the Capsule's stake of {stake}"))
        }
        (true, false) => failure.help("this could be proven on chain, but the Capsule's stake is no longer locked"),
        (false, _) => failure.help("this cannot be proven on chain; choose another Capsule for the next campaign"),
    }
}

impl<'a> From<&'a VersionAudit> for Line<'a> {
    fn from(audited: &'a VersionAudit) -> Self {
        Self {
            version: audited.version,
            attested_ppm: audited.attested_ppm,
            measured_ppm: audited.measured_ppm,
            findings: &audited.findings,
            convicts: audited.conviction.is_some(),
        }
    }
}
