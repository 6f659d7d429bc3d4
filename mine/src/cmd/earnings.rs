//! `mine earnings`

use std::collections::BTreeMap;

use crate::earnings::{self, StakeRow, StakeStatement, Statement, TokenStatement};
use alloy::primitives::{Address, I256};
use sonar_node::{
    chain::Client,
    cli::{self, Failure, Report},
};
use sonar_protocol::{
    units::{Amount, TokenUnit},
    view::World,
};

use super::Context;

pub async fn run(context: &Context) -> Result<Report, Failure> {
    let account = context.home.account_address()?;
    let client = context.client(None).await?;
    let world = context.world(&client).await?;
    let statement = statement(&client, &world, account).await?;
    Report::new(&statement, human(&statement))
}

async fn statement(client: &Client, world: &World, account: Address) -> Result<Statement, Failure> {
    let mut tokens: BTreeMap<_, _> = [(Address::ZERO, TokenUnit::eth())].into();
    for campaign in world.in_order().filter(|campaign| campaign.accounts.contains_key(&account)) {
        let address = campaign.terms.token;
        tokens.insert(address, client.token(address).await?);
    }
    let mut charges = BTreeMap::new();
    for transaction in earnings::transactions(world, account) {
        let hash = transaction.at.transaction;
        if let Some(charge) = client.charge(hash).await? {
            charges.insert(hash, charge);
        }
    }
    let stake = client.claimable(account).await?;
    Ok(earnings::statement(world, account, &tokens, &charges, stake))
}

fn human(statement: &Statement) -> String {
    let mut totals = cli::table(["TOKEN", "CLAIMABLE", "WITHDRAWN", "PENDING, AT MOST", "GAS", "NET"]);
    for part in &statement.tokens {
        totals.add_row([
            part.token.symbol.clone(),
            part.token.format(part.claimable),
            part.token.format(part.withdrawn),
            part.token.format(part.pending_at_most),
            part.token.format(part.gas),
            signed(&part.token, part.net),
        ]);
    }
    let awards: String = statement.tokens.iter().map(awards).collect();
    let pending: String = statement
        .pending
        .iter()
        .map(|row| {
            format!("\n{} window {} place {}: waits for settlement", row.campaign.short(), row.window, row.index)
        })
        .collect();
    let gas: String = statement
        .gas
        .rows
        .iter()
        .map(|row| {
            let cost = TokenUnit::eth().format(row.cost);
            format!("\n{} {:?}: {} gas, {cost}", row.campaign.short(), row.what, row.gas_used)
        })
        .collect();
    let stake = match statement.stake_claimable {
        Amount::ZERO => String::new(),
        amount => {
            format!("\nshare of the stakes of Capsules that missed a deadline: {}", TokenUnit::eth().format(amount))
        }
    };
    format!("{totals}\n{awards}{pending}{}{stake}{gas}", stakes(&statement.stakes))
}

fn stakes(statement: &StakeStatement) -> String {
    let row = |row: &StakeRow| {
        let [held, free, charged, withdrawn] =
            [row.stakes.held, row.stakes.free, row.stakes.charged, row.stakes.withdrawn]
                .map(|amount| TokenUnit::eth().format(amount));
        format!(
            "\n{} stakes: {held} held, {free} returned, {withdrawn} withdrawn, {charged} paid by submissions that were \
             not accepted",
            row.campaign.short()
        )
    };
    statement.rows.iter().map(row).collect()
}

fn awards(part: &TokenStatement) -> String {
    let rows = part.awards.iter().map(|row| {
        format!(
            "\n{} window {} place {}: floor({} × {} / {}) = {}{}",
            row.campaign.short(),
            row.window,
            row.index,
            row.bounty,
            row.delta_ppm.get(),
            row.target_ppm.get(),
            part.token.format(row.amount),
            if row.withdrawn { ", withdrawn" } else { "" },
        )
    });
    let credits = part
        .credits
        .iter()
        .map(|row| format!("\n{} other credit: {}", row.campaign.short(), part.token.format(row.amount)));
    let withdrawals = part
        .withdrawals
        .iter()
        .map(|row| format!("\n{} withdrew {}", row.campaign.short(), part.token.format(row.amount)));
    rows.chain(credits).chain(withdrawals).collect()
}

fn signed(token: &TokenUnit, amount: I256) -> String {
    let sign = if amount.is_negative() { "-" } else { "" };
    format!("{sign}{}", token.format(Amount(amount.unsigned_abs())))
}
