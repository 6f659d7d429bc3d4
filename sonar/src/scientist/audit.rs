//! Audit of a delivered campaign, and what follows from it: the Capsule's stake is freed or taken.

use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{Code, Failure},
};
use sonar_protocol::{
    audit::{Auditor, Conviction, VersionAudit},
    families::Trial,
    handover::AuditSecret,
    ids::Version,
    manifest::{Manifest, commitment},
    units::{Amount, Timestamp, percent},
    view::CampaignView,
};
use syft::Examples;

use super::{
    Progress,
    account::UnlockedAccount,
    draft::FoundDraft,
    hub::HubClient,
    result::{self, NamedFile},
};

/// Input of an audit.
pub struct AuditInputs<'a> {
    pub client: &'a Client,
    pub hub: &'a HubClient,
    /// The owner's account, to which the seeds are sealed.
    pub account: &'a UnlockedAccount,
    pub draft: Option<&'a FoundDraft>,
    /// The validation set, if it is not to be read from its path at the launch.
    pub validation: Option<Result<NamedFile, Failure>>,
    /// The starting model, if the campaign had one.
    pub initial: Option<Result<NamedFile, Failure>>,
    pub progress: &'a dyn Progress,
}

/// Checks that the account launched the campaign.
pub fn check_owner(view: &CampaignView, account: &UnlockedAccount) -> Result<(), Failure> {
    if account.address() == view.terms.owner {
        return Ok(());
    }
    let message = format!("only {} can audit this campaign: the seeds are sealed to its account", view.terms.owner);
    Err(Failure::new(Code::NotOwner, message).help("choose that account with --account"))
}

impl AuditInputs<'_> {
    /// Recomputes every version of a delivered campaign.
    pub async fn audit(self, view: &CampaignView) -> Result<Vec<VersionAudit>, Failure> {
        check_owner(view, self.account)?;
        let secret = AuditSecret::of(self.account.signer(), view.terms.salt);
        self.progress.note(&"Fetching what the Capsule published…");
        let manifest = result::manifest_of(self.hub, view).await?;
        let validation = result::validation_set(self.validation, self.draft, &manifest)?;
        let embedding = result::embedding_of(self.hub, &manifest).await?;
        let examples = result::examples(&manifest, &embedding, &validation)?;
        let start = start(self.initial, self.draft, &manifest, &examples)?;
        if start.is_none() {
            self.progress.warn(&"version 1 was not compared with the starting model: pass it with --initial FILE");
        }
        let deployment = self.client.deployment();
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
            let material = self.hub.fetch(version.published.material, limit).await.map_err(|failure| failure.message);
            self.progress.note(&format_args!("Recomputing version {}…", version.version));
            audited.push(auditor.version(version, handover, material));
        }
        Ok(audited)
    }
}

/// The model that the campaign was launched with, if available. A campaign without one starts with the model of its
/// manifest.
fn start(
    initial: Option<Result<NamedFile, Failure>>,
    draft: Option<&FoundDraft>,
    manifest: &Manifest,
    examples: &Examples,
) -> Result<Option<Box<dyn Trial>>, Failure> {
    let file = match (manifest.commitments.initial, initial, draft) {
        (None, ..) => None,
        (Some(committed), Some(file), Some(found)) => {
            let file = file?;
            if commitment(found.draft.salt.as_bytes(), &file.bytes) != committed {
                let message = "this is not the starting model that the campaign was launched with";
                return Err(Failure::new(Code::OtherModel, message).at(file.name));
            }
            Some(file.bytes)
        }
        _ => return Ok(None),
    };
    let refused = |error: &dyn std::error::Error| Failure::new(Code::Model, error);
    manifest.trial(examples, file.as_ref().map(|file| file.as_slice())).map(Some).map_err(|error| refused(&error))
}

/// Whether nothing differs from what an honest Capsule publishes.
pub fn is_honest(audited: &[VersionAudit]) -> bool {
    audited.iter().all(|one| one.findings.is_empty())
}

/// The first version for which the contract takes the Capsule's stake, with the proof.
pub fn conviction(audited: &[VersionAudit]) -> Option<(Version, Conviction)> {
    audited.iter().find_map(|one| Some((one.version, one.conviction.clone()?)))
}

/// From when on the Capsule's stake can be freed.
pub fn free_from(view: &CampaignView) -> Timestamp {
    view.changed_at.plus(view.terms.audit.period)
}

/// Takes the Capsule's stake.
pub async fn convict(
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
pub async fn claim(client: &Client, view: &CampaignView) -> Result<(Amount, TxOutcome), Failure> {
    let amount = client.claimable(view.terms.owner).await?;
    Ok((amount, client.claim(view.terms.owner).await?))
}

/// What was found about a version, in a line.
pub fn words(audited: &VersionAudit) -> String {
    let accuracy = audited.measured_ppm.map_or_else(|| "not measured".into(), percent);
    if audited.findings.is_empty() {
        return format!("version {}  honest, accuracy {accuracy} as attested", audited.version);
    }
    let provable = if audited.conviction.is_some() { "can be proven on chain" } else { "cannot be proven on chain" };
    format!("version {}  {} ({provable})", audited.version, findings(audited))
}

/// The findings about a version, in a sentence; empty if it is honest.
pub fn findings(audited: &VersionAudit) -> String {
    let findings: Vec<String> = audited.findings.iter().map(ToString::to_string).collect();
    findings.join("; ")
}
