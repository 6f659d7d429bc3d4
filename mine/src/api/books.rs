//! What the pages show and the events do not have: balance, tokens' symbols, and the fees of transactions. A task of its
//! own reads them from the chain, so that neither the run loop nor a request waits for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use alloy::primitives::{Address, B256};
use sonar_node::chain::{Charge, Client, Error};
use sonar_protocol::{
    units::{Amount, TokenUnit},
    view::World,
};
use tokio::{sync::watch, time::timeout};

use super::dto::Token;
use crate::{earnings, run::LoopSnapshot};

/// The balance is read again after this time, even without events.
const REFRESH: Duration = Duration::from_secs(15);
/// Maximum number of receipts that are read at once, the newest first: a chain node limits requests. A longer history is
/// completed later.
const RECEIPTS: usize = 200;

/// Facts of the chain that no event has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    /// Balance of the account in wei; `None` while it is unknown.
    pub balance: Option<Amount>,
    /// What the account can claim of the shares of the stakes of Capsules that missed a deadline, in wei.
    pub claimable: Amount,
    /// Tokens of campaigns; `None` for contracts that do not return symbol and decimals.
    pub tokens: BTreeMap<Address, Option<TokenUnit>>,
    /// Fees of the account's transactions.
    pub charges: BTreeMap<B256, Charge>,
}

impl Books {
    /// A token for the API.
    pub fn token(&self, address: Address) -> Token {
        match self.tokens.get(&address) {
            Some(Some(unit)) => unit.clone().into(),
            _ if address.is_zero() => TokenUnit::eth().into(),
            _ => Token { address, symbol: None, decimals: None },
        }
    }

    /// All tokens for a statement: ETH, and the others in which campaigns pay. A token without symbol is shown in its
    /// smallest unit.
    pub fn units(&self) -> BTreeMap<Address, TokenUnit> {
        let unit = |(address, unit): (&Address, &Option<TokenUnit>)| {
            let unknown = || TokenUnit { symbol: String::new(), decimals: 0, address: *address };
            (*address, unit.clone().unwrap_or_else(unknown))
        };
        self.tokens.iter().map(unit).chain([(Address::ZERO, TokenUnit::eth())]).collect()
    }
}

/// Keeps the books up to date until the Mine stops.
pub async fn keep(
    client: Client,
    me: Address,
    mut feed: watch::Receiver<LoopSnapshot>,
    books: watch::Sender<Arc<Books>>,
) {
    loop {
        let world = feed.borrow_and_update().world.clone();
        if let Err(error) = refresh(&client, me, &world, &books).await {
            tracing::debug!("cannot read balance and fees: {error}");
        }
        let changed = async {
            let is_other = |snapshot: &LoopSnapshot| !Arc::ptr_eq(&snapshot.world, &world);
            feed.wait_for(is_other).await.is_ok()
        };
        // An error means that the loop is gone.
        if timeout(REFRESH, changed).await == Ok(false) {
            return;
        }
    }
}

async fn refresh(client: &Client, me: Address, world: &World, books: &watch::Sender<Arc<Books>>) -> Result<(), Error> {
    let mut next = Books::clone(&books.borrow());
    (next.balance, next.claimable) = (Some(client.balance(me).await?), client.claimable(me).await?);
    let tokens: BTreeSet<_> = world.in_order().map(|campaign| campaign.terms.token).collect();
    for address in tokens.into_iter().filter(|address| !books.borrow().tokens.contains_key(address)) {
        let unit = match client.token(address).await {
            Ok(unit) => Some(unit),
            Err(error @ Error::Unreachable { .. }) => return Err(error),
            // A contract without symbol and decimals stays one.
            Err(_) => None,
        };
        next.tokens.insert(address, unit);
    }
    publish(&next, books);
    let transactions = earnings::transactions(world, me);
    let is_missing = |hash: &B256| !next.charges.contains_key(hash);
    let missing = transactions.iter().rev().map(|transaction| transaction.at.transaction).filter(is_missing);
    for hash in missing.take(RECEIPTS).collect::<Vec<_>>() {
        if let Some(charge) = client.charge(hash).await? {
            next.charges.insert(hash, charge);
        }
    }
    publish(&next, books);
    Ok(())
}

fn publish(next: &Books, books: &watch::Sender<Arc<Books>>) {
    books.send_if_modified(|last| {
        let changed = **last != *next;
        if changed {
            *last = Arc::new(next.clone());
        }
        changed
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_token_is_shown_without_symbol_and_counted() {
        let (known, odd, new) = (Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3));
        let unit = TokenUnit { address: known, symbol: "DATA".into(), decimals: 6 };
        let books = Books { tokens: [(known, Some(unit)), (odd, None)].into(), ..Books::default() };
        let symbols = [known, odd, new, Address::ZERO].map(|address| books.token(address).symbol);
        assert_eq!(symbols, [Some("DATA".into()), None, None, Some("ETH".into())]);
        assert_eq!(books.units().into_keys().collect::<Vec<_>>(), [Address::ZERO, known, odd]);
    }
}
