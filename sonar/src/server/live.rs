//! Queries of the world that only the server needs. Pure.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use alloy::primitives::{Address, U256};
use sonar_contracts::{CloseReason, State};

use super::{
    dto::{CampaignPage, Page},
    pins::Kind,
    search::Launched,
};
use sonar_protocol::{
    ids::{CampaignId, Digest},
    manifest::Manifest,
    projection::{CampaignSummary, CapsuleSummary, Label, Miner, MinerCampaign},
    units::Timestamp,
    view::{CampaignView, World},
};

/// Artefacts that a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestArtefacts {
    /// The bundle that is sealed to the Capsule.
    pub bundle: Digest,
    /// The weights of the backbone, if there is one.
    pub backbone: Option<Digest>,
}

impl From<&Manifest> for ManifestArtefacts {
    fn from(manifest: &Manifest) -> Self {
        Self { bundle: manifest.bundle, backbone: manifest.method.backbone().map(|backbone| backbone.weights) }
    }
}

/// Artefacts that a party still needs at this time. `named` returns what a manifest names, if the hub has the manifest.
pub fn artefacts(
    world: &World,
    now: Timestamp,
    named: impl Fn(Digest) -> Option<ManifestArtefacts>,
) -> BTreeMap<Digest, Kind> {
    let mut live = BTreeMap::new();
    // A stranger may submit another campaign's manifest as an update: the first use decides the kind, and updates come
    // last.
    let certificates = world.capsules.values().filter_map(|capsule| capsule.certificate);
    live.extend(certificates.map(|digest| (digest, Kind::Certificate)));
    let campaigns = || world.in_order().filter(|campaign| needs_artefacts(campaign, now));
    for campaign in campaigns() {
        let manifest = Digest(campaign.terms.manifest.0);
        live.entry(manifest).or_insert(Kind::Manifest);
        // Old versions too, until the data scientist has had time to audit them: a dishonest Capsule would rather lose
        // them.
        let audited = campaign.stake_fate.is_some();
        // The last one for as long as the result: with its seed it is the delivered model once more.
        let kept = if audited { campaign.versions.len().saturating_sub(1) } else { 0 };
        let materials = campaign.versions.iter().skip(kept).map(|version| version.published.material);
        materials.for_each(|material| _ = live.entry(material).or_insert(Kind::Material));
        let named = named(manifest);
        // Also needed to measure the delivered model.
        if let Some(backbone) = named.and_then(|named| named.backbone) {
            live.entry(backbone).or_insert(Kind::Backbone);
        }
        if let Some(result) = campaign.result {
            live.entry(result).or_insert(Kind::Result);
            continue;
        }
        if let Some(ManifestArtefacts { bundle, .. }) = named {
            live.entry(bundle).or_insert(Kind::Bundle);
        }
    }
    for campaign in campaigns().filter(|campaign| campaign.state == State::Open) {
        if let Some(certificate) = campaign.certificate {
            live.entry(certificate).or_insert(Kind::Certificate);
        }
        for submission in &campaign.window.submissions {
            live.entry(Digest(submission.content.0)).or_insert(Kind::Update);
        }
    }
    live
}

/// Whether a campaign still runs or may be activated, or has a model that its owner may fetch.
fn needs_artefacts(campaign: &CampaignView, now: Timestamp) -> bool {
    match campaign.state {
        // Whoever may call `refund` need not do it soon.
        State::Proposed => campaign.declined.is_none() && now < campaign.terms.deadline(),
        State::Open | State::Finalized | State::Released | State::Convicted => true,
        State::Closed => campaign.reason != CloseReason::CapsuleTimeout,
        State::None | State::Refunded => false,
    }
}

/// Whether a window no longer needs a settlement; false for a campaign that is not indexed (yet, or after a rollback).
pub fn is_settled(world: &World, id: CampaignId, window: u32) -> bool {
    world.campaign(id).is_some_and(|campaign| match campaign.state {
        State::None | State::Proposed => false,
        State::Open => campaign.window.index.0 > window,
        State::Closed | State::Finalized | State::Released | State::Convicted | State::Refunded => true,
    })
}

/// Number of campaigns.
pub fn count(world: &World) -> usize {
    world.order.len()
}

/// Whether this campaign is indexed.
pub fn exists(world: &World, id: CampaignId) -> bool {
    world.campaign(id).is_some()
}

/// Number of campaigns by state.
pub fn by_state(world: &World) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, _> = State::ALL.into_iter().map(|state| (state.name(), 0)).collect();
    for campaign in world.in_order() {
        *counts.entry(campaign.state.name()).or_default() += 1;
    }
    counts
}

/// Whether the ledger of every campaign adds up: deposited = paid + owed + refunded + fee + escrowed, and for stakes
/// deposited = held + free + charged + withdrawn.
pub fn ledgers_add_up(world: &World) -> bool {
    world.in_order().all(|campaign| {
        let l = campaign.ledger();
        let parts = [l.paid, l.owed, l.refunded, l.fee, l.escrowed];
        let stakes = campaign.all_stakes();
        let there = stakes.held.saturating_add(stakes.free);
        parts.into_iter().try_fold(U256::ZERO, |sum, part| sum.checked_add(part)) == Some(l.deposited)
            && there.saturating_add(stakes.charged).saturating_add(stakes.withdrawn) == stakes.deposited
    })
}

/// What the contract must hold per token: everything deposited and not withdrawn. Stakes count as ETH; of what
/// submissions paid from them, the contract has the Capsule's part, and the rest was burned.
pub fn held(world: &World) -> BTreeMap<Address, U256> {
    let mut held = BTreeMap::new();
    let mut hold = |token, amount| {
        let total = held.entry(token).or_insert(U256::ZERO);
        *total = total.saturating_add(amount);
    };
    for campaign in world.in_order() {
        let withdrawn = campaign.withdrawals.iter().fold(U256::ZERO, |sum, w| sum.saturating_add(w.amount.0));
        let left = campaign.ledger().deposited.saturating_sub(withdrawn);
        hold(campaign.terms.token, left);
        let stakes = campaign.all_stakes();
        hold(Address::ZERO, stakes.held.saturating_add(stakes.free).saturating_add(campaign.gas_credit).0);
    }
    held
}

/// Filter of campaigns; a field that is `None` does not restrict.
#[derive(Clone, Copy, Debug, Default)]
pub struct CampaignFilter {
    /// In this state.
    pub state: Option<State>,
    /// Of this data scientist.
    pub owner: Option<Address>,
    /// Of this Capsule.
    pub capsule: Option<Address>,
    /// With this token.
    pub token: Option<Address>,
}

impl CampaignFilter {
    /// Whether a campaign fits.
    pub fn matches(&self, campaign: &CampaignView) -> bool {
        let terms = &campaign.terms;
        self.state.is_none_or(|state| state == campaign.state)
            && self.owner.is_none_or(|owner| owner == terms.owner)
            && self.capsule.is_none_or(|capsule| capsule == terms.capsule)
            && self.token.is_none_or(|token| token == terms.token)
    }
}

type Manifests<'a> = &'a dyn Fn(Digest) -> Option<Arc<Manifest>>;

fn manifest(view: &CampaignView, manifests: Manifests<'_>) -> Option<Arc<Manifest>> {
    manifests(Digest(view.terms.manifest.0))
}

/// At most `limit` campaigns, newest first, that are older than `after`. Shares the campaigns, so that the caller can
/// summarise them after the world is unlocked.
///
/// # Errors
/// Returns `after` if there is no such campaign.
pub fn campaigns(
    world: &World,
    filter: &CampaignFilter,
    after: Option<CampaignId>,
    limit: usize,
) -> Result<Page<Arc<CampaignView>>, CampaignId> {
    let older = newest_first(world, after)?;
    let mut items: Vec<_> = older.filter(|view| filter.matches(view)).take(limit + 1).cloned().collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|view| view.id.to_string());
    let total = world.campaigns.values().filter(|view| filter.matches(view)).count() as u64;
    Ok(Page { items, next, total: Some(total) })
}

/// The campaigns that fit, and the one that a page starts after. Shares the campaigns, so that the caller can search and
/// sort them after the world is unlocked.
///
/// # Errors
/// Returns `after` if there is no such campaign.
pub fn launched(
    world: &World,
    filter: &CampaignFilter,
    after: Option<CampaignId>,
) -> Result<(Vec<Launched>, Option<Launched>), CampaignId> {
    let launched = |(launch, id): (usize, &CampaignId)| Some((launch, Arc::clone(world.campaigns.get(id)?)));
    let after = match after {
        None => None,
        Some(id) => {
            let launch = world.order.iter().rposition(|known| *known == id).ok_or(id)?;
            launched((launch, &id))
        }
    };
    let all = world.order.iter().enumerate().filter_map(launched);
    Ok((all.filter(|(_, view)| filter.matches(view)).collect(), after))
}

/// All campaigns, or those older than `after`.
pub fn newest_first(
    world: &World,
    after: Option<CampaignId>,
) -> Result<impl Iterator<Item = &Arc<CampaignView>>, CampaignId> {
    let end = match after {
        None => world.order.len(),
        Some(id) => world.order.iter().rposition(|known| *known == id).ok_or(id)?,
    };
    Ok(world.order[..end].iter().rev().filter_map(|id| world.campaigns.get(id)))
}

/// The summary of a campaign in a list.
pub fn summary(view: &CampaignView, manifests: Manifests<'_>) -> CampaignSummary {
    CampaignSummary::new(view, manifest(view, manifests).as_deref().map(Label::from))
}

/// The details of a campaign.
///
/// # Errors
/// The manifest cannot be expressed in JSON.
pub fn detail(view: &CampaignView, manifests: Manifests<'_>) -> Result<CampaignPage, serde_json::Error> {
    CampaignPage::new(view, manifest(view, manifests).as_deref())
}

/// Registered Capsules after `after`, in the order of their operators' addresses. Lazy: only the Capsules that are
/// taken are summarised.
pub fn capsules(world: &World, after: Option<Address>) -> impl Iterator<Item = CapsuleSummary> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let rest = world.capsules.range((start, Bound::Unbounded));
    rest.map(|(&operator, view)| CapsuleSummary::new(operator, view))
}

/// Submissions and earnings of a miner in at most `limit` campaigns that are older than `after`. `None` if there are
/// none.
///
/// # Errors
/// Returns `after` if there is no such campaign.
pub fn miner(
    world: &World,
    address: Address,
    after: Option<CampaignId>,
    limit: usize,
) -> Result<Option<Miner>, CampaignId> {
    let found = newest_first(world, after)?.filter_map(|view| MinerCampaign::new(view, address));
    let mut campaigns: Vec<_> = found.take(limit + 1).collect();
    let more = campaigns.len() > limit;
    campaigns.truncate(limit);
    let next = campaigns.last().filter(|_| more).map(|last| last.campaign);
    Ok((!campaigns.is_empty()).then_some(Miner { address, campaigns, next }))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use sonar_contracts::{Outcome, Terms};

    use super::*;
    use sonar_protocol::{
        event::{CapsuleChange, Event, LogPosition, Record},
        handover::Published,
        ids::{Version, WindowIndex},
        units::Amount,
    };
    use syft::Ppm;

    const ID: CampaignId = CampaignId(B256::repeat_byte(1));
    const MANIFEST: Digest = Digest([9; 32]);
    const BUNDLE: Digest = Digest([8; 32]);
    const BACKBONE: Digest = Digest([6; 32]);
    const NAMED: ManifestArtefacts = ManifestArtefacts { bundle: BUNDLE, backbone: Some(BACKBONE) };
    const RESULT: Digest = Digest([7; 32]);
    const CERTIFICATE: Digest = Digest([31; 32]);
    const MATERIALS: [Digest; 3] = [Digest([21; 32]), Digest([22; 32]), Digest([23; 32])];

    fn published(material: Digest) -> Published {
        Published { material, root: B256::ZERO, handover: B256::ZERO }
    }

    fn say(world: &mut World, event: Event) {
        let timestamp = Timestamp::from_unix(1);
        let at = LogPosition { block: 1, block_hash: B256::ZERO, timestamp, transaction: B256::ZERO, index: 0 };
        world.apply(&Record { at, event }).unwrap();
    }

    fn activated(id: CampaignId) -> Event {
        Event::Activated { id, start_ppm: Ppm::ZERO, first: published(MATERIALS[0]), certificate: CERTIFICATE }
    }

    /// A proposed campaign.
    fn proposed() -> World {
        let mut world = World::default();
        let terms = Terms { manifest: MANIFEST.into(), windowSize: 1, deadline: 10, stake: 1, ..Terms::default() };
        say(&mut world, Event::Opened { id: ID, terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO });
        world
    }

    /// Two windows change the model, so that it has three versions; then it takes nothing more.
    fn closed(stake: u128) -> World {
        let mut world = World::default();
        let terms = Terms { manifest: MANIFEST.into(), windowSize: 1, deadline: 10, stake, ..Terms::default() };
        say(&mut world, Event::Opened { id: ID, terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO });
        say(&mut world, activated(ID));
        for (index, material) in (0..).zip(&MATERIALS[1..]) {
            let (window, version, miner) = (WindowIndex(index), Version(index + 1), Address::ZERO);
            let content = Digest([3; 32]);
            say(&mut world, Event::Submitted { id: ID, miner, version, window, index: 0, content });
            let (outcomes, next) = (vec![Outcome::Accepted(1)], Some(published(*material)));
            let (best_ppm, window_start) = (Ppm::ONE, B256::ZERO);
            say(&mut world, Event::Settled { id: ID, window, version, outcomes, best_ppm, next, window_start });
        }
        say(&mut world, Event::Closed { id: ID, reason: CloseReason::Owner, refunded: Amount::ZERO });
        world
    }

    fn delivered(stake: u128) -> World {
        let mut world = closed(stake);
        say(&mut world, Event::Finalized { id: ID, result: RESULT, handovers: Vec::new() });
        world
    }

    fn kept(world: &World) -> Vec<(Digest, Kind)> {
        kept_at(world, 1)
    }

    fn kept_at(world: &World, now: u64) -> Vec<(Digest, Kind)> {
        let named = |manifest| (manifest == MANIFEST).then_some(NAMED);
        artefacts(world, Timestamp::from_unix(now), named).into_iter().collect()
    }

    /// The backbone too, because it is needed to measure the delivered model.
    const DELIVERED: [(Digest, Kind); 3] =
        [(BACKBONE, Kind::Backbone), (RESULT, Kind::Result), (MANIFEST, Kind::Manifest)];

    fn materials() -> impl Iterator<Item = (Digest, Kind)> {
        MATERIALS.into_iter().map(|digest| (digest, Kind::Material))
    }

    #[test]
    fn every_version_can_be_fetched_until_the_stake_is_released_or_taken() {
        let mut world = delivered(1);
        assert_eq!(kept(&world), DELIVERED.into_iter().chain(materials()).collect::<Vec<_>>());
        let mut convicted = world.clone();
        say(&mut world, Event::Released { id: ID, fee: Amount::ZERO, refunded: Amount::ZERO });
        let audited: Vec<_> = DELIVERED.into_iter().chain(materials().last()).collect();
        assert_eq!(kept(&world), audited);
        let (version, refunded, compensation) = (Version(2), Amount::ZERO, Amount::ZERO);
        say(&mut convicted, Event::Convicted { id: ID, version, refunded, compensation });
        assert_eq!(kept(&convicted), audited);
    }

    #[test]
    fn every_version_can_be_fetched_while_a_campaign_runs() {
        let running = [(BACKBONE, Kind::Backbone), (BUNDLE, Kind::Bundle), (MANIFEST, Kind::Manifest)];
        assert_eq!(kept(&closed(0)), running.into_iter().chain(materials()).collect::<Vec<_>>());
    }

    #[test]
    fn the_certificate_of_a_campaign_is_kept_while_updates_are_sealed_to_it() {
        let mut world = World::default();
        let terms = Terms { manifest: MANIFEST.into(), ..Terms::default() };
        say(&mut world, Event::Opened { id: ID, terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO });
        say(&mut world, activated(ID));
        assert!(kept(&world).contains(&(CERTIFICATE, Kind::Certificate)));
        say(&mut world, Event::Closed { id: ID, reason: CloseReason::Owner, refunded: Amount::ZERO });
        assert!(!kept(&world).contains(&(CERTIFICATE, Kind::Certificate)));
    }

    #[test]
    fn nothing_is_kept_of_a_capsule_that_stopped_answering() {
        let mut world = closed(1);
        say(&mut world, Event::Expired { id: ID, refunded: Amount::ZERO, compensation: Amount::ZERO });
        assert_eq!(kept(&world), []);

        let mut abandoned = proposed();
        say(&mut abandoned, activated(ID));
        assert_eq!(kept(&abandoned).len(), 5);
        say(&mut abandoned, Event::Closed { id: ID, reason: CloseReason::CapsuleTimeout, refunded: Amount::ZERO });
        assert_eq!(kept(&abandoned), []);
    }

    /// A bundle holds the data scientist's validation set, sealed: it is offered only as long as the Capsule may need it.
    #[test]
    fn the_bundle_of_a_campaign_that_does_not_run_leaves_the_pins() {
        let needed = [(BACKBONE, Kind::Backbone), (BUNDLE, Kind::Bundle), (MANIFEST, Kind::Manifest)];
        assert_eq!(kept(&proposed()), needed);
        let mut declined = proposed();
        say(&mut declined, Event::Declined { id: ID, reason: 5.into() });
        assert_eq!(kept(&declined), [], "also before the refund");
        say(&mut declined, Event::Refunded { id: ID, amount: Amount::ZERO });
        assert_eq!(kept(&declined), []);
        let mut refunded = proposed();
        say(&mut refunded, Event::Refunded { id: ID, amount: Amount::ZERO });
        assert_eq!(kept(&refunded), []);
        assert_eq!(kept_at(&proposed(), 9), needed);
        assert_eq!(kept_at(&proposed(), 10), [], "no Capsule activates it after its deadline");
    }

    #[test]
    fn a_page_shares_its_campaigns_and_summarises_no_others() {
        let mut world = World::default();
        let id = |number| CampaignId(B256::repeat_byte(number));
        for number in 1..=5 {
            let owner = Address::repeat_byte(number % 2);
            let terms = Terms { owner, ..Terms::default() };
            say(
                &mut world,
                Event::Opened { id: id(number), terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO },
            );
        }
        let all = CampaignFilter::default();
        let page = campaigns(&world, &all, Some(id(5)), 2).unwrap();
        assert!(page.items.iter().all(|view| Arc::ptr_eq(view, &world.campaigns[&view.id])));
        assert_eq!((page.next.clone(), page.total), (Some(id(3).to_string()), Some(5)));
        let mut summarised = Vec::new();
        let _ = page.map(|view| summarised.push(view.id));
        assert_eq!(summarised, [id(4), id(3)]);

        let filter = CampaignFilter { owner: Some(Address::repeat_byte(1)), ..all };
        let ids = |page: Page<Arc<CampaignView>>| page.items.iter().map(|view| view.id).collect::<Vec<_>>();
        // A campaign that no longer matches is still a valid cursor.
        assert_eq!(ids(campaigns(&world, &filter, Some(id(4)), 9).unwrap()), [id(3), id(1)]);
        assert_eq!(campaigns(&world, &all, Some(id(9)), 9).unwrap_err(), id(9));
    }

    #[test]
    fn capsules_come_in_parts_by_operator_and_an_operator_who_left_is_still_a_place() {
        let mut world = World::default();
        let operator = Address::repeat_byte;
        for number in [4, 1, 3] {
            let change = CapsuleChange::Deposited(Amount::from(1_u128));
            say(&mut world, Event::Capsule { operator: operator(number), change });
        }
        let after = |after: Option<u8>| {
            capsules(&world, after.map(operator)).map(|capsule| capsule.operator).collect::<Vec<_>>()
        };
        assert_eq!(after(None), [operator(1), operator(3), operator(4)]);
        assert_eq!(after(Some(1)), [operator(3), operator(4)]);
        assert_eq!(after(Some(2)), [operator(3), operator(4)]);
        assert!(after(Some(4)).is_empty());

        let page = |start| Page::first(capsules(&world, start), Some(2), 3, |capsule| capsule.operator.to_string());
        let first = page(None).unwrap();
        let next: Address = first.next.unwrap().parse().unwrap();
        let last = page(Some(next)).unwrap();
        assert_eq!((last.items[0].operator, last.next), (operator(4), None));
    }

    #[test]
    fn a_miners_campaigns_come_in_parts() {
        let mut world = World::default();
        let id = |number| CampaignId(B256::repeat_byte(number));
        let account = Address::repeat_byte(7);
        for number in 1..=4 {
            let terms = Terms { windowSize: 2, deadline: 10, ..Terms::default() };
            say(
                &mut world,
                Event::Opened { id: id(number), terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO },
            );
            say(&mut world, activated(id(number)));
            // In campaign 2 it was another account.
            let miner = if number == 2 { Address::ZERO } else { account };
            let (version, window, content) = (Version(1), WindowIndex(0), Digest([number; 32]));
            say(&mut world, Event::Submitted { id: id(number), miner, version, window, index: 0, content });
        }
        let part = |after, limit| {
            let miner = miner(&world, account, after, limit).unwrap().unwrap();
            (miner.campaigns.iter().map(|campaign| campaign.campaign).collect::<Vec<_>>(), miner.next)
        };
        assert_eq!(part(None, 2), (vec![id(4), id(3)], Some(id(3))));
        assert_eq!(part(Some(id(3)), 2), (vec![id(1)], None));
        assert!(miner(&world, account, Some(id(1)), 2).unwrap().is_none());
        assert_eq!(miner(&world, account, Some(id(9)), 2).unwrap_err(), id(9));
    }

    /// A refused submission pays from its stake: a part to the Capsule, and the rest is burned.
    #[test]
    fn what_submissions_paid_is_neither_missing_nor_held() {
        let mut world = World::default();
        let stake = 8 * sonar_contracts::STAKE_UNIT;
        let terms = Terms { windowSize: 2, deadline: 10, submissionStake: stake, ..Terms::default() };
        say(&mut world, Event::Opened { id: ID, terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO });
        say(&mut world, activated(ID));
        let (version, window) = (Version(1), WindowIndex(0));
        for index in 0..2 {
            let (miner, content) = (Address::repeat_byte(index as u8 + 1), Digest([3; 32]));
            say(&mut world, Event::Submitted { id: ID, miner, version, window, index, content });
        }
        assert!(ledgers_add_up(&world));
        assert_eq!(held(&world)[&Address::ZERO], U256::from(2 * stake));
        let (to_capsule, burned) = (Amount::from(5_u128), Amount::from(stake / 8 + stake - 5));
        say(&mut world, Event::Charged { id: ID, window, to_capsule, burned });
        let (outcomes, best_ppm) = (vec![Outcome::NotImproved, Outcome::Rejected(3)], Ppm::ZERO);
        say(
            &mut world,
            Event::Settled { id: ID, window, version, outcomes, best_ppm, next: None, window_start: B256::ZERO },
        );
        assert!(ledgers_add_up(&world));
        assert_eq!(held(&world)[&Address::ZERO], U256::from(stake - stake / 8 + 5));
    }
}
