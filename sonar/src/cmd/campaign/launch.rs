//! `sonar campaign launch`.

use std::path::{Path, PathBuf};

use serde_json::json;
use sonar_contracts::{State, fee};
use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{self, Ask, Failure, Globals, Output, Report},
    files,
};
use sonar_protocol::{
    campaign,
    ids::Digest,
    launch::{LaunchError, Outlook},
    manifest::Manifest,
    statement::PrivacyStatement,
    terms::CampaignTerms,
    units::{TokenUnit, percent},
};
use zeroize::Zeroizing;

use super::Context;
use crate::scientist::{
    account::UnlockedAccount,
    draft::{LaunchDraft, LaunchDrafts},
    hub::HubClient,
    identity,
    launch::{
        CampaignFiles, LaunchInputs, LaunchObserver, LaunchStep, Launcher, PlannedLaunch, SealedLaunch, statement,
    },
    token,
};

/// Start a campaign: seal validation set and starting model to a Capsule, and put bounty and fee into escrow.
///
/// If the command is interrupted, run it again: it resumes with the same campaign. After the launch it shows the state
/// of the campaign and changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign launch digits.toml --dry-run\n  sonar campaign launch digits.toml --yes"
)]
pub struct Launch {
    /// The campaign file
    file: PathBuf,
    /// Show terms, cost and privacy statement, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Launch another campaign from a file that was launched before
    #[arg(long)]
    again: bool,
    /// Part of the Capsule's stake that the campaign locks, in ETH (default: a sixteenth of the free stake, or
    /// what Mines expect by default if that is more: a tenth of a bounty in ETH, 0.1 ETH for one in tokens)
    #[arg(long, value_name = "ETH")]
    stake: Option<String>,
}

/// Files beside the campaign file: paths in it are relative to it.
struct Beside<'a>(&'a Path);

impl Beside<'_> {
    fn path(&self, name: &Path) -> PathBuf {
        self.0.parent().unwrap_or(Path::new("")).join(name)
    }
}

impl CampaignFiles for Beside<'_> {
    fn read(&self, name: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        Ok(Zeroizing::new(files::read_limited(&self.path(name), limit as u64)?))
    }

    fn shown(&self, name: &Path) -> String {
        self.path(name).display().to_string()
    }
}

impl Launch {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let beside = Beside(&self.file);
        let text = files::read_limited(&self.file, campaign::MAX_BYTES)?;
        let given = LaunchInputs::new(text, &self.file.display(), &beside)?;
        let validation = std::path::absolute(beside.path(&given.file.validation.file)).map_err(Failure::internal)?;
        let name = context.account()?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let account = UnlockedAccount::unlock(&context.home, &name, &passphrase)?;
        let client = context.reader().await?.with_signer(account.signer().clone());
        let key = given.key(&client, account.address());
        let drafts = LaunchDrafts::new(&context.home);
        let workspace = context.workspace();
        let hub = HubClient::connect(&workspace, output).await?;
        let launcher =
            Launcher { workspace: &workspace, client: &client, hub: &hub, account: &account, progress: output };
        let plan = async || {
            let identity = identity::open(&context.home, &name, &passphrase)?;
            launcher.plan(&given, self.stake.as_deref(), &identity).await
        };
        // A dry run starts nothing and resumes nothing.
        if self.dry_run {
            return preview(&client, &plan().await?, output).await;
        }
        let is_new = self.again || drafts.load(&key)?.is_none();
        let planned = if is_new { Some(plan().await?) } else { None };
        // Nothing is stored for a launch that was refused.
        let _claim = drafts.claim(&key)?;
        if let (true, Some(known)) = (self.again, drafts.load(&key)?) {
            drafts.retire(&key, known.draft.id)?;
        }
        let saved = match (drafts.load(&key)?, planned) {
            (Some(known), _) => {
                output.progress(format_args!("Resuming campaign {}…", known.draft.id));
                known
            }
            (None, planned) => {
                let planned = match planned {
                    Some(planned) => planned,
                    None => plan().await?,
                };
                let made = launcher.seal(planned, &validation).await?;
                drafts.save(&key, &made)?;
                made
            }
        };
        let draft = saved.draft;
        draft.outlook.warnings.iter().for_each(|warning| output.warn(warning));
        let statement = statement(&Manifest::decode(&saved.manifest).map_err(LaunchError::from)?)?;
        let token = token(&client, draft.terms.token).await?;
        let backbone = given.published_backbone().map(<[u8]>::to_vec);
        let artefacts = [saved.bundle, saved.manifest].into_iter().chain(backbone).collect();
        let observer = Shown {
            globals: &context.globals,
            output,
            summary: summary(&draft.name, &draft.terms, &token, &draft.outlook),
            statement: statement.to_string(),
            consequence: consequence(&draft.terms, &token, &client),
        };
        let launch = SealedLaunch { client: &client, hub: &hub, draft: &draft, observer: &observer };
        let opened = launch.carry_out(artefacts).await?;
        hub.close().await;
        report(&client, &draft, &token, opened, &statement).await
    }
}

/// Shows a launch on the terminal, and asks before it pays.
struct Shown<'a> {
    globals: &'a Globals,
    output: &'a Output,
    summary: String,
    statement: String,
    consequence: String,
}

impl LaunchObserver for Shown<'_> {
    fn begin(&self, step: LaunchStep) -> Result<(), Failure> {
        match step {
            LaunchStep::Open => self.output.progress("Putting the bounty into escrow…"),
            LaunchStep::Offer => self.output.progress("Waiting until Sonar has manifest and bundle…"),
            LaunchStep::Seal | LaunchStep::Upload | LaunchStep::Approve => {}
        }
        Ok(())
    }

    fn done(&self, step: LaunchStep, detail: &str) -> Result<(), Failure> {
        if step == LaunchStep::Open {
            self.output.progress(format_args!("In escrow: {detail}"));
        }
        Ok(())
    }

    fn consent(&self) -> Result<(), Failure> {
        self.output.progress(&self.summary);
        self.output.progress(&self.statement);
        cli::confirm(self.globals, &self.consequence)
    }
}

async fn preview(client: &Client, planned: &PlannedLaunch, output: &Output) -> Result<Report, Failure> {
    let plan = &planned.plan;
    plan.outlook.warnings.iter().for_each(|warning| output.warn(warning));
    let terms = plan.terms(Digest([0; 32]));
    let token = &planned.token;
    let manifest = plan.manifest(Digest([0; 32]));
    let statement = statement(&manifest)?;
    let name = manifest.name;
    let data = json!({
        "name": name,
        "terms": terms,
        "start_ppm": plan.outlook.start_ppm,
        "leak_bits": plan.outlook.leak_bits,
        "regime": plan.outlook.regime,
        "model": plan.outlook.model,
        "privacy": statement,
    });
    let human = format!(
        "{}\n{statement}{}",
        summary(&name, &terms, token, &plan.outlook),
        consequence(&terms, token, client).replacen("This puts", "A launch puts", 1),
    );
    Report::new(&data, human)
}

fn consequence(terms: &CampaignTerms, token: &TokenUnit, client: &Client) -> String {
    let fee = fee(terms.bounty, terms.feePpm);
    format!(
        "This puts {} as bounty and {} as the Capsule's fee into escrow on chain {}. The Capsule's verdicts are believed: it \
         could award the bounty to a miner of its own, refuse every update, or deliver nothing (docs/security.md).",
        token.format(terms.bounty.into()),
        token.format(fee.into()),
        client.deployment().chain_id
    )
}

async fn report(
    client: &Client,
    draft: &LaunchDraft,
    token: &TokenUnit,
    transaction: Option<TxOutcome>,
    statement: &PrivacyStatement,
) -> Result<Report, Failure> {
    let status = client.status(draft.id).await?;
    let state = State::try_from(status.state).map_err(Failure::internal)?;
    let data = json!({
        "id": draft.id,
        "name": draft.name,
        "state": state,
        "terms": draft.terms,
        "start_ppm": draft.outlook.start_ppm,
        "leak_bits": draft.outlook.leak_bits,
        "regime": draft.outlook.regime,
        "model": draft.outlook.model,
        "privacy": statement,
        "transaction": transaction,
    });
    let human = format!(
        "campaign  {}\n{}\nfollow it with `sonar campaign watch {}`",
        draft.id,
        summary(&draft.name, &draft.terms, token, &draft.outlook),
        draft.id.short()
    );
    Report::new(&data, human)
}

/// Terms and cost, shown before and after the bounty is paid.
fn summary(name: &str, terms: &CampaignTerms, token: &TokenUnit, outlook: &Outlook) -> String {
    format!(
        "name      {name}\nbounty    {} (fee {})\naccuracy  {} as measured (the campaign claims {}) → {} on a grid of {}\nregime    {}\nmodel     {}\nlimits    {} submissions, {} accepts, windows of {} or {} s\nstake     {} a submission: returned if it is accepted; an eighth is lost if it is not, all of it if it is rejected for its form\naudit     {} of the Capsule's stake stay locked for {} after its delivery\nleak      public verdicts disclose at most {:.0} bits about {}\nopen to   {}",
        token.format(terms.bounty.into()),
        token.format(fee(terms.bounty, terms.feePpm).into()),
        percent(outlook.start_ppm),
        percent(terms.start()),
        percent(terms.target()),
        percent(terms.grid()),
        outlook.regime,
        outlook.model,
        terms.maxSubmissions,
        terms.maxAccepts,
        terms.windowSize,
        terms.windowSeconds,
        TokenUnit::eth().format(terms.submissionStake.into()),
        TokenUnit::eth().format(terms.stake.into()),
        super::document::span(terms.audit.period),
        outlook.leak_bits,
        if outlook.regime.is_public() { "your validation set" } else { "the model" },
        terms.deadline(),
    )
}
