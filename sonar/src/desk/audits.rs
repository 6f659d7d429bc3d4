//! Audit of a delivered campaign.

use std::sync::Arc;

use sonar_node::{cli::Failure, files};
use sonar_protocol::{audit::VersionAudit, ids::CampaignId, limits, view::CampaignView};
use zeroize::Zeroizing;

use super::{
    Desk, Warnings,
    accounts::AccountKeys,
    dto::{AuditVerdict, AuditView, AuditedVersion, OwnerRequest},
    launches::INITIAL,
};
use crate::scientist::{
    audit::{self, AuditInputs},
    draft::{FoundDraft, LaunchDrafts},
    hub::HubClient,
    result::{NamedFile, delivered},
};

/// Recomputes every version of a campaign.
pub async fn audit(
    desk: &Desk,
    keys: &Arc<AccountKeys>,
    id: CampaignId,
    request: OwnerRequest,
) -> Result<AuditView, Failure> {
    let client = desk.reader().await?;
    let world = desk.workspace.world(&client).await?;
    let view = desk.campaign(&world, id)?;
    let warnings = Warnings::default();
    let audited = versions(desk, keys, view, request, &warnings).await?;
    Ok(report(view, &audited, warnings))
}

/// The audit of every version, with the proofs.
pub async fn versions(
    desk: &Desk,
    keys: &Arc<AccountKeys>,
    view: &CampaignView,
    request: OwnerRequest,
    warnings: &Warnings,
) -> Result<Vec<VersionAudit>, Failure> {
    delivered(view)?;
    audit::check_owner(view, &keys.account)?;
    let client = desk.reader().await?;
    let draft = LaunchDrafts::new(&desk.workspace.home).find(view.id);
    let hub = HubClient::connect(&desk.workspace, warnings).await?;
    let named = |name: &str, bytes| Ok(NamedFile { name: name.into(), bytes });
    let inputs = AuditInputs {
        client: &client,
        hub: &hub,
        account: &keys.account,
        draft: draft.as_ref(),
        validation: request.validation.map(|file| named("validation set", file.0)),
        initial: request.initial.map(|file| named("starting model", file.0)).or_else(|| initial(draft.as_ref())),
        progress: warnings,
    };
    let audited = inputs.audit(view).await?;
    hub.close().await;
    Ok(audited)
}

/// The starting model, if the campaign was launched with one from the desk.
fn initial(draft: Option<&FoundDraft>) -> Option<Result<NamedFile, Failure>> {
    let path = draft?.directory.join(INITIAL);
    let read = || {
        let bytes = Zeroizing::new(files::read_limited(&path, limits::BUNDLE as u64)?);
        Ok(NamedFile { name: "starting model".into(), bytes })
    };
    path.exists().then(read)
}

fn report(view: &CampaignView, audited: &[VersionAudit], warnings: Warnings) -> AuditView {
    AuditView {
        honest: audit::is_honest(audited),
        convicts: audit::conviction(audited).is_some(),
        stake: view.terms.stake.into(),
        locked: view.stake_fate.is_none(),
        free_from: audit::free_from(view),
        versions: audited.iter().map(AuditedVersion::from).collect(),
        warnings: warnings.into_list(),
    }
}

impl From<&VersionAudit> for AuditedVersion {
    fn from(audited: &VersionAudit) -> Self {
        let verdict = match (audited.findings.is_empty(), audited.conviction.is_some()) {
            (true, _) => AuditVerdict::Honest,
            (false, true) => AuditVerdict::Provable,
            (false, false) => AuditVerdict::Differs,
        };
        Self {
            version: audited.version,
            verdict,
            detail: audit::findings(audited),
            attested_ppm: audited.attested_ppm,
            measured_ppm: audited.measured_ppm,
        }
    }
}
