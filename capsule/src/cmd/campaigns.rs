//! `capsule campaigns`

use serde_json::{Value, json};
use sonar_node::{
    cli::{Failure, Report},
    discovery,
};
use sonar_protocol::{
    units::{Amount, TokenUnit, percent},
    view::CampaignView,
};

use super::Context;

/// List the campaigns of this Capsule: state, locked stake, and what it earned.
pub async fn run(context: &Context) -> Result<Report, Failure> {
    let operator = context.home.operator()?;
    let client = discovery::client(&context.config, None).await?;
    let world = discovery::world(&context.config, &client, context.home.path()).await?;
    let (mut rows, mut lines) = (Vec::<Value>::new(), Vec::new());
    for campaign in world.in_order().filter(|campaign| campaign.terms.capsule == operator) {
        let token = client.token(campaign.terms.token).await?;
        lines.push(line(campaign, &token));
        rows.push(json!({
            "id": campaign.id,
            "state": campaign.state,
            "closing": campaign.is_closing(),
            "version": campaign.version(),
            "best_ppm": campaign.best_ppm,
            "deadline": campaign.terms.deadline(),
            "stake": campaign.terms.stake.to_string(),
            "fee": Amount(campaign.earned_fee()),
            "gas_credit": campaign.gas_credit,
        }));
    }
    let human = if lines.is_empty() { "no campaigns yet".into() } else { lines.join("\n") };
    Report::new(&json!({ "operator": operator, "campaigns": rows }), human)
}

fn line(campaign: &CampaignView, token: &TokenUnit) -> String {
    let eth = TokenUnit::eth();
    format!(
        "{}  {}  version {}  best {}  stake {}  fee {}  gas {}",
        campaign.id.short(),
        campaign.state,
        campaign.version(),
        percent(campaign.best_ppm),
        eth.format(campaign.terms.stake.into()),
        token.format(Amount(campaign.earned_fee())),
        eth.format(campaign.gas_credit),
    )
}
