//! Actions of an account on a campaign: what moves money back, and what follows from an audit.

use std::sync::Arc;

use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{Code, Failure},
};
use sonar_protocol::{
    ids::CampaignId,
    view::{CampaignView, World},
};

use super::{
    Desk, Warnings,
    accounts::AccountKeys,
    audits,
    dto::{Action, ActionView, OwnerRequest, SentTransaction},
};
use crate::scientist::{
    audit,
    credits::Credits,
    ending::{self, Ending},
};

/// Performs an action and waits until it is mined.
pub async fn perform(
    desk: &Desk,
    keys: &Arc<AccountKeys>,
    id: CampaignId,
    action: Action,
    request: OwnerRequest,
) -> Result<ActionView, Failure> {
    let client = keys.client(&desk.reader().await?);
    let world = desk.workspace.world(&client).await?;
    let view = desk.campaign(&world, id)?;
    let sent = match action {
        Action::Close => end(&client, &world, view, &[Ending::Close, Ending::Announce]).await?,
        Action::Refund => end(&client, &world, view, &[Ending::Refund]).await?,
        Action::Abandon => end(&client, &world, view, &[Ending::Abandon]).await?,
        Action::Expire => end(&client, &world, view, &[Ending::Expire]).await?,
        Action::Withdraw => withdraw(&client, view, keys).await?,
        Action::WithdrawStake => {
            vec![("withdraw the stake", client.withdraw_stake(&view.terms, keys.account.address()).await?)]
        }
        Action::Release => release(&client, &world, view).await?,
        Action::Convict => convict(desk, &client, view, keys, request).await?,
    };
    report(sent)
}

type Sent = Vec<(&'static str, TxOutcome)>;

/// Ends the campaign in one of these ways, if it is the one that applies now.
async fn end(client: &Client, world: &World, view: &CampaignView, ways: &[Ending]) -> Result<Sent, Failure> {
    let way = ending::way(view, world.head.now)?;
    if !ways.contains(&way) {
        let message = format!("this does not apply now; to end the campaign, use `{}`", way.name());
        return Err(Failure::new(Code::TooEarly, message));
    }
    Ok(vec![(way.name(), way.send(client, view).await?)])
}

async fn withdraw(client: &Client, view: &CampaignView, keys: &AccountKeys) -> Result<Sent, Failure> {
    let account = keys.account.address();
    let owed = Credits::read(client, view.id, account).await?;
    let sent = ending::withdraw(client, view, owed, account).await?;
    let all = [
        ("withdraw the stake", sent.stake),
        ("claim compensation from Capsules' stakes", sent.capsule_stake),
        ("withdraw the credit", sent.amount),
    ];
    Ok(all.into_iter().filter_map(|(what, transaction)| Some((what, transaction?))).collect())
}

async fn release(client: &Client, world: &World, view: &CampaignView) -> Result<Sent, Failure> {
    let free_from = audit::free_from(view);
    if view.stake_fate.is_none() && view.result.is_some() && world.head.now < free_from {
        let message = format!("the Capsule's stake is locked until the audit period ends, at {free_from}");
        return Err(Failure::new(Code::TooEarly, message));
    }
    Ok(vec![("release the Capsule's stake", client.release(&view.terms).await?)])
}

async fn convict(
    desk: &Desk,
    client: &Client,
    view: &CampaignView,
    keys: &Arc<AccountKeys>,
    request: OwnerRequest,
) -> Result<Sent, Failure> {
    if view.stake_fate.is_some() {
        return Err(Failure::new(Code::Ended, "the Capsule's stake is no longer locked"));
    }
    let audited = audits::versions(desk, keys, view, request, &Warnings::default()).await?;
    let (version, conviction) = audit::conviction(&audited).ok_or_else(|| {
        Failure::new(Code::AuditFailed, "the audit found nothing that can be proven on chain; nothing was sent")
    })?;
    let convicted = audit::convict(client, view, version, conviction).await?;
    let (_, claimed) = audit::claim(client, view).await?;
    Ok(vec![("convict the Capsule", convicted), ("claim the compensation", claimed)])
}

fn report(sent: Sent) -> Result<ActionView, Failure> {
    let last =
        sent.last().map(|(_, last)| *last).ok_or_else(|| Failure::internal("an action without a transaction"))?;
    let transactions = sent.iter().map(|(what, transaction)| SentTransaction {
        what: (*what).into(),
        transaction: transaction.hash,
        block: transaction.block,
        gas: transaction.gas_used,
    });
    Ok(ActionView {
        transaction: last.hash,
        block: last.block,
        gas: sent.iter().map(|(_, transaction)| transaction.gas_used).sum(),
        transactions: transactions.collect(),
    })
}
