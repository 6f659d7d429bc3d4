//! `capsule status`

use std::collections::BTreeMap;

use serde_json::json;
use sonar_node::{
    cli::{Failure, Report},
    discovery,
};
use sonar_protocol::units::{TokenUnit, percent};

use super::Context;

/// Show registration, stake and the number of campaigns from the chain.
pub async fn run(context: &Context) -> Result<Report, Failure> {
    let operator = context.home.operator()?;
    let client = discovery::client(&context.config, None).await?;
    let world = discovery::world(&context.config, &client, context.home.path()).await?;
    let balance = client.balance(operator).await?;
    let capsule = world.capsules.get(&operator);
    let eth = TokenUnit::eth();
    let mut human = format!("operator  {operator}\nbalance   {}\n", eth.format(balance));
    if let Some(capsule) = capsule {
        human += &format!(
            "stake     {} ({} locked)\nfee       {}\n",
            eth.format(capsule.stake),
            eth.format(capsule.locked),
            percent(capsule.fee_ppm)
        );
    } else {
        human += "not registered; run `capsule init`\n";
    }
    let mut campaigns = BTreeMap::<String, usize>::new();
    for campaign in world.in_order().filter(|campaign| campaign.terms.capsule == operator) {
        *campaigns.entry(campaign.state.to_string()).or_default() += 1;
    }
    let counts: Vec<_> = campaigns.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counts = if counts.is_empty() { "none yet".into() } else { counts.join(", ") };
    human += &format!("campaigns {counts}; `capsule campaigns` lists them");
    let data = json!({
        "operator": operator,
        "balance": balance,
        "registered": capsule.is_some(),
        "stake": capsule.map(|capsule| capsule.stake),
        "locked": capsule.map(|capsule| capsule.locked),
        "fee_ppm": capsule.map(|capsule| capsule.fee_ppm),
        "campaigns": campaigns,
    });
    Report::new(&data, human)
}
