//! Decides when a transaction is sent again, replaced with higher fees, or given up. No I/O.
//!
//! ```text
//!            not mined for `stuck`
//!   sent ──────────────────────────────▶ repriced ──▶ replaced: same nonce, both fees at least 12.5 % higher
//!   │  ▲ ▲                                │   ▲          │   │
//!   │  │ └─── cap reached, or no money ───┘   └ too low ─┘   │
//!   │  └─────────────────────────────────────────────────────┘
//!   ├─ the node has dropped it ──▶ sent again unchanged
//!   ├─ another transaction used its nonce ──▶ given up: displaced
//!   └─ `give_up` has passed ──▶ given up: slow, fee cap, or funds
//! ```

use std::{collections::BTreeSet, time::Duration};

/// Fees rise by at least this part. Nodes require a tenth more, for both fees.
const RAISE: u128 = 8;
/// Fees rise to at most this multiple of the initial fees.
const CAP: u128 = 4;
/// How long a nonce must be used before its transaction counts as displaced. Behind one URL there may be several nodes,
/// of which one has the new nonce and another not yet the receipt.
const DISPLACED_AFTER: Duration = Duration::from_secs(10);

/// Why a transaction was not mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnminedReason {
    /// No block has included it.
    Slow,
    /// Its fees have reached the limit.
    FeeCap,
    /// The account cannot pay higher fees.
    Funds,
    /// Another transaction of the account used its nonce.
    Displaced,
}

impl std::fmt::Display for UnminedReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slow => f.write_str("it may be mined later; run the same command again to send it with current fees"),
            Self::FeeCap => write!(
                f,
                "its fees were raised to the limit, {CAP} times the initial fees; it may be mined when fees fall, or \
                 run the same command again to send it with current fees"
            ),
            Self::Funds => f.write_str(
                "the account cannot pay higher fees; it may be mined when fees fall, or send ETH to the account and try again",
            ),
            Self::Displaced => {
                f.write_str("another transaction of the account used its nonce, so it can never be mined; try again")
            }
        }
    }
}

/// Fees per unit of gas, in wei (EIP-1559).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fees {
    pub max: u128,
    pub priority: u128,
}

impl Fees {
    /// The limit for replacements of a transaction with these fees.
    pub(super) fn cap(self) -> u128 {
        self.max.saturating_mul(CAP)
    }

    /// Fees for a replacement: at least the market's fees, and enough more for nodes to accept it. `None` if that is
    /// above the limit.
    pub(super) fn raised(self, market: Self, cap: u128) -> Option<Self> {
        let raise = |fee: u128| fee.saturating_add(fee.div_ceil(RAISE).max(1));
        let least = raise(self.max);
        if least > cap {
            return None;
        }
        let max = least.max(market.max).min(cap);
        Some(Self { max, priority: raise(self.priority).max(market.priority).min(max) })
    }
}

/// An observation about a transaction that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It has no receipt.
    Unmined,
    /// It has no receipt, and the node reported whether it has the transaction and whether its nonce is used.
    Examined { is_known: bool, is_nonce_used: bool },
    /// The node refused it because of its fees.
    TooCheap,
    /// The market's fees.
    Market(Fees),
    /// The account cannot pay the new fees.
    Unaffordable,
}

/// The next action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Query again later.
    Wait,
    /// Send the same transaction again.
    Resend,
    /// Query the market's fees.
    Reprice,
    /// Send it with these fees.
    Replace(Fees),
    /// Stop waiting.
    GiveUp(UnminedReason),
}

/// A transaction that was sent and is not mined. Times count from when it was first sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    stuck: Duration,
    give_up: Duration,
    fees: Fees,
    cap: u128,
    /// When the current fees were sent.
    priced: Duration,
    /// When its nonce was first seen as used.
    displaced: Option<Duration>,
    /// Why its fees do not rise further.
    halted: Option<UnminedReason>,
}

impl Pending {
    pub(super) fn new(fees: Fees, cap: u128, stuck: Duration, give_up: Duration) -> Self {
        Self { stuck, give_up, fees, cap, priced: Duration::ZERO, displaced: None, halted: None }
    }

    pub(super) fn next(self, event: Event, now: Duration) -> (Self, Action) {
        match event {
            Event::Unmined => self.wait(true, now),
            Event::Examined { is_known, is_nonce_used } => {
                let displaced = is_nonce_used.then(|| self.displaced.unwrap_or(now));
                Self { displaced, ..self }.wait(is_known, now)
            }
            Event::TooCheap if self.halted.is_some() => (self, Action::Wait),
            Event::TooCheap => (self, Action::Reprice),
            Event::Market(market) => match self.fees.raised(market, self.cap) {
                Some(fees) => (Self { fees, priced: now, ..self }, Action::Replace(fees)),
                None => (Self { halted: Some(UnminedReason::FeeCap), ..self }, Action::Wait),
            },
            Event::Unaffordable => (Self { halted: Some(UnminedReason::Funds), ..self }, Action::Wait),
        }
    }

    fn wait(self, is_known: bool, now: Duration) -> (Self, Action) {
        let action = match self.displaced {
            Some(since) if now.saturating_sub(since) >= DISPLACED_AFTER => Action::GiveUp(UnminedReason::Displaced),
            _ if now >= self.give_up => Action::GiveUp(self.halted.unwrap_or(UnminedReason::Slow)),
            Some(_) => Action::Wait,
            None if self.halted.is_none() && now.saturating_sub(self.priced) >= self.stuck => Action::Reprice,
            None if !is_known => Action::Resend,
            None => Action::Wait,
        };
        (self, action)
    }
}

/// The nonce for an account's next transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A nonce without a transaction.
    Free(u64),
    /// The nonce of a transaction that this program does not wait for, and that blocks all later ones.
    TakeOver(u64),
    /// Wait: such a transaction may still be mined.
    Wait,
}

/// `mined` and `pending` are the account's next nonces without and with pending transactions; `ours` are the nonces of
/// the transactions that this program waits for.
pub(super) fn slot(mined: u64, pending: u64, ours: &BTreeSet<u64>, waited: Duration, stuck: Duration) -> Slot {
    match (mined..pending).find(|nonce| !ours.contains(nonce)) {
        // Our transactions may be missing from `pending`: some nodes count only mined ones.
        None => (pending.max(mined)..).find(|nonce| !ours.contains(nonce)).map_or(Slot::Wait, Slot::Free),
        Some(nonce) if waited >= stuck => Slot::TakeOver(nonce),
        Some(_) => Slot::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Fees = Fees { max: 1_000, priority: 10 };
    const CHEAP: Fees = Fees { max: 1, priority: 1 };
    const STUCK: Duration = Duration::from_secs(30);
    const GIVE_UP: Duration = Duration::from_secs(120);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn pending() -> Pending {
        Pending::new(FIRST, FIRST.cap(), STUCK, GIVE_UP)
    }

    #[test]
    fn a_replacement_raises_both_fees_as_nodes_ask() {
        for fees in [FIRST, Fees { max: 1, priority: 0 }, Fees { max: 7, priority: 7 }, Fees { max: 33, priority: 32 }]
        {
            let raised = fees.raised(CHEAP, u128::MAX).unwrap();
            for (old, new) in [(fees.max, raised.max), (fees.priority, raised.priority)] {
                assert!(new > old && new * 10 >= old * 11 && new * 8 >= old * 9, "{fees:?} → {raised:?}");
            }
            assert!(raised.priority <= raised.max);
        }
    }

    #[test]
    fn a_replacement_follows_the_market_up_to_the_cap() {
        let dear = Fees { max: 3_000, priority: 500 };
        assert_eq!(FIRST.raised(dear, FIRST.cap()), Some(dear));
        let dearer = Fees { max: 9_000, priority: 8_000 };
        assert_eq!(FIRST.raised(dearer, FIRST.cap()), Some(Fees { max: 4_000, priority: 4_000 }));
        assert_eq!(Fees { max: 3_999, priority: 1 }.raised(CHEAP, FIRST.cap()), None);
    }

    #[test]
    fn a_stuck_transaction_is_replaced_again_and_again() {
        let mut state = pending();
        let mut replaced = Vec::new();
        for second in 0..GIVE_UP.as_secs() {
            let (next, action) = state.next(Event::Unmined, at(second));
            state = next;
            if action == Action::Reprice {
                let (next, action) = state.next(Event::Market(CHEAP), at(second));
                state = next;
                let Action::Replace(fees) = action else { panic!("{action:?}") };
                replaced.push((second, fees.max, fees.priority));
            }
        }
        assert_eq!(replaced, [(30, 1_125, 12), (60, 1_266, 14), (90, 1_425, 16)]);
        assert_eq!(state.next(Event::Unmined, GIVE_UP).1, Action::GiveUp(UnminedReason::Slow));
    }

    #[test]
    fn a_node_that_asks_for_more_gets_more_until_the_cap() {
        let (mut state, mut last, mut steps) = (pending(), FIRST, 0);
        loop {
            let (next, action) = state.next(Event::TooCheap, at(1));
            assert_eq!(action, Action::Reprice);
            let (next, action) = next.next(Event::Market(CHEAP), at(1));
            state = next;
            match action {
                Action::Replace(fees) => {
                    assert!(fees.max > last.max && fees.max <= FIRST.cap());
                    (last, steps) = (fees, steps + 1);
                }
                other => {
                    assert_eq!(other, Action::Wait);
                    break;
                }
            }
        }
        assert_eq!(steps, 11);
        assert_eq!(state.next(Event::TooCheap, at(2)).1, Action::Wait);
        assert_eq!(state.next(Event::Unmined, at(60)).1, Action::Wait, "its fees rise no more");
        assert_eq!(state.next(Event::Unmined, GIVE_UP).1, Action::GiveUp(UnminedReason::FeeCap));
    }

    #[test]
    fn a_poor_account_waits_at_its_fees() {
        let (state, action) = pending().next(Event::Unaffordable, at(31));
        assert_eq!(action, Action::Wait);
        assert_eq!(state.next(Event::Unmined, at(90)).1, Action::Wait);
        assert_eq!(state.next(Event::Unmined, GIVE_UP).1, Action::GiveUp(UnminedReason::Funds));
    }

    #[test]
    fn what_the_node_forgot_is_sent_again_and_what_lost_its_nonce_is_not() {
        let forgotten = Event::Examined { is_known: false, is_nonce_used: false };
        assert_eq!(pending().next(forgotten, at(5)).1, Action::Resend);
        let used = Event::Examined { is_known: false, is_nonce_used: true };
        let (state, action) = pending().next(used, at(5));
        assert_eq!(action, Action::Wait, "its receipt may come");
        assert_eq!(state.next(Event::Unmined, at(14)).1, Action::Wait);
        assert_eq!(state.next(used, at(15)).1, Action::GiveUp(UnminedReason::Displaced));
        // Not where only one of several nodes was ahead.
        let (state, _) = state.next(forgotten, at(14));
        assert_eq!(state.next(Event::Unmined, at(16)).1, Action::Wait);
    }

    #[test]
    fn an_unknown_transaction_is_waited_for_and_then_taken_over() {
        let ours = BTreeSet::from([4, 5]);
        assert_eq!(slot(4, 6, &ours, at(0), STUCK), Slot::Free(6), "ours are waited for elsewhere");
        assert_eq!(slot(4, 7, &ours, at(0), STUCK), Slot::Wait);
        assert_eq!(slot(4, 7, &ours, STUCK, STUCK), Slot::TakeOver(6));
        assert_eq!(slot(3, 7, &ours, STUCK, STUCK), Slot::TakeOver(3));
        assert_eq!(slot(7, 7, &BTreeSet::new(), at(0), STUCK), Slot::Free(7));
        assert_eq!(slot(8, 7, &BTreeSet::new(), at(0), STUCK), Slot::Free(8), "two nodes behind one URL");
        assert_eq!(slot(4, 4, &ours, at(0), STUCK), Slot::Free(6), "a node that hides what is pending");
    }
}
