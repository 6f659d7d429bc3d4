//! `sonar campaign audit`.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use sonar_node::{
    account::Keystore,
    chain::{Client, TxOutcome},
    cli::{self, Ask, Code, Failure, Output, Report},
    files,
};
use sonar_protocol::{
    audit::{Auditor, Conviction, Finding, VersionAudit},
    families::Trial,
    handover::AuditSecret,
    ids::Version,
    limits,
    manifest::{Manifest, commitment},
    units::{Amount, TokenUnit, percent},
    view::CampaignView,
};
use syft::{Examples, Ppm};

use super::{
    Context,
    draft::{LaunchDraft, LaunchDrafts},
    find,
    hub::HubClient,
    result,
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
        result::delivered(view)?;
        let draft = LaunchDrafts::new(&context.home).find(view.id);
        let name = result::account(context, draft.as_ref())?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let account = Keystore::new(&context.home).unlock(&name, &passphrase)?;
        if account.address() != view.terms.owner {
            let message =
                format!("only {} can audit this campaign: the seeds are sealed to its account", view.terms.owner);
            return Err(Failure::new(Code::NotOwner, message).help("choose that account with --account"));
        }
        let secret = AuditSecret::of(&account, view.terms.salt);

        let hub = HubClient::connect(context, output).await?;
        output.progress("Fetching what the Capsule published…");
        let manifest = result::manifest_of(&hub, view).await?;
        let validation = result::validation_set(self.validation.as_deref(), draft.as_ref(), &manifest)?;
        let embedding = result::embedding_of(&hub, &manifest).await?;
        let examples = result::examples(&manifest, &embedding, &validation)?;
        let start = self.start(draft.as_ref(), &manifest, &examples)?;
        if start.is_none() {
            output.warn("version 1 was not compared with the starting model: pass it with --initial FILE");
        }
        let deployment = reader.deployment();
        let auditor = Auditor {
            campaign: view,
            manifest: &manifest,
            secret: &secret,
            examples: &examples,
            start: start.as_deref(),
            chain_id: deployment.chain_id,
            contract: deployment.campaigns.into(),
        };
        let mut audited = Vec::new();
        for (version, handover) in view.versions.iter().zip(&view.handovers) {
            let limit = manifest.method.material_limit();
            let material = hub.fetch(version.published.material, limit).await.map_err(|failure| failure.message);
            output.progress(format_args!("Recomputing version {}…", version.version));
            audited.push(auditor.version(version, handover, material));
        }
        hub.close().await;
        let client = reader.with_signer(account);
        self.conclude(context, output, &client, view, audited).await
    }

    /// The model that the campaign was launched with, if available. A campaign without one starts with the model of its
    /// manifest.
    fn start(
        &self,
        draft: Option<&LaunchDraft>,
        manifest: &Manifest,
        examples: &Examples,
    ) -> Result<Option<Box<dyn Trial>>, Failure> {
        let file = match (manifest.commitments.initial, self.initial.as_deref(), draft) {
            (None, ..) => None,
            (Some(committed), Some(path), Some(draft)) => {
                let bytes = files::read_limited(path, limits::BUNDLE as u64)?;
                if commitment(draft.salt.as_bytes(), &bytes) != committed {
                    let message = "this is not the starting model that the campaign was launched with";
                    return Err(Failure::new(Code::OtherModel, message).at(path.display()));
                }
                Some(bytes)
            }
            _ => return Ok(None),
        };
        let refused = |error: &dyn std::error::Error| Failure::new(Code::Model, error);
        manifest.trial(examples, file.as_deref()).map(Some).map_err(|error| refused(&error))
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
        let free_from = view.changed_at.plus(view.terms.audit.period);
        let honest = audited.iter().all(|one| one.findings.is_empty());
        let lines: Vec<Line> = audited.iter().map(Line::from).collect();
        let convicting = audited.iter().find_map(|one| Some((one.version, one.conviction.clone()?)));
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
                data["convicted"] = json!(convict(client, view, version, conviction).await?);
                let (amount, transaction) = claim(client, view).await?;
                (data["claimed"], data["claim"]) = (json!(amount), json!(transaction));
                let amount = TokenUnit::eth().format(amount);
                human.push(format!("the Capsule was convicted for version {version}; you received {amount}"));
            }
            other => return Err(dishonest(&audited, other.is_some(), locked, &stake)),
        }
        Report::new(&data, human.join("\n"))
    }
}

async fn convict(
    client: &Client,
    view: &CampaignView,
    version: Version,
    conviction: Conviction,
) -> Result<TxOutcome, Failure> {
    let handover = view.handovers.get((version.0 as usize).saturating_sub(1));
    let handover = handover.ok_or_else(|| Failure::internal("a version without a hand-over"))?;
    Ok(match conviction {
        Conviction::Handover(proof) => client.convict_handover(&view.terms, version, handover, proof).await?,
        Conviction::Material(proof) => client.convict_material(&view.terms, version, handover, proof).await?,
    })
}

/// Withdraws what the registry owes the owner.
async fn claim(client: &Client, view: &CampaignView) -> Result<(Amount, TxOutcome), Failure> {
    let amount = client.claimable(view.terms.owner).await?;
    Ok((amount, client.claim(view.terms.owner).await?))
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

fn words(audited: &VersionAudit) -> String {
    let accuracy = audited.measured_ppm.map_or_else(|| "not measured".into(), percent);
    if audited.findings.is_empty() {
        return format!("version {}  honest, accuracy {accuracy} as attested", audited.version);
    }
    let findings: Vec<String> = audited.findings.iter().map(ToString::to_string).collect();
    let provable = if audited.conviction.is_some() { "can be proven on chain" } else { "cannot be proven on chain" };
    format!("version {}  {} ({provable})", audited.version, findings.join("; "))
}
