//! Delivered models of the own account: decrypted, with the Capsule's signature checked.

use sonar_node::cli::{Code, Failure};
use sonar_protocol::{
    delivery,
    ids::CampaignId,
    limits,
    lineage::Parent,
    manifest::Manifest,
    pgp::{self, Identity},
    view::{CampaignView, World},
};
use zeroize::Zeroizing;

use super::{
    Progress,
    hub::HubClient,
    result::{delivered, manifest_of, signer_of},
};

/// Fetches and decrypts the model that the Capsule delivered: exactly the bytes that it signed for this campaign.
pub async fn open(
    hub: &HubClient,
    world: &World,
    view: &CampaignView,
    manifest: &Manifest,
    identity: &Identity,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let digest = delivered(view)?;
    let signer = signer_of(hub, world, view, manifest).await?;
    let message = hub.fetch(digest, limits::RESULT).await?;
    let model = pgp::open_verified(&message, identity, &signer, limits::RESULT)?;
    delivery::check_campaign(&model, view.id).map_err(|error| Failure::new(Code::Model, error))?;
    Ok(model)
}

/// The result of an earlier campaign as starting model: `initial = "campaign:0x…"`.
pub async fn starting_model(
    hub: &HubClient,
    world: &World,
    id: CampaignId,
    identity: &Identity,
    progress: &dyn Progress,
) -> Result<(Parent, Zeroizing<Vec<u8>>), Failure> {
    progress.note(&format_args!("Fetching the result of campaign {}…", id.short()));
    let view = world.campaign(id).ok_or_else(|| {
        Failure::new(Code::UnknownCampaign, format!("there is no campaign {id} on this contract")).at("model.initial")
    })?;
    let manifest = manifest_of(hub, view).await.map_err(at_initial)?;
    // The key decides who can start from a result; the account decides whether others can verify it.
    let model = open(hub, world, view, &manifest, identity).await.map_err(|failure| {
        let help = format!(
            "only the account that launched {} can start from its result; if the delivery is damaged, name the file that \
             `sonar campaign result {}` writes",
            id.short(),
            id.short()
        );
        at_initial(failure).help(help)
    })?;
    Ok((Parent { id, manifest }, model))
}

fn at_initial(failure: Failure) -> Failure {
    failure.at("model.initial")
}
