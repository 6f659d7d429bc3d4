//! What miners who cheat, and anybody who watches, learn from a Capsule or gain by it.

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use sonar_contracts::{CloseReason, Outcome, Terms};
use sonar_protocol::{
    envelope::{EnvelopeHeader, ProtocolReject, open_update, seal_update},
    handover::{AuditSecret, keys_root},
    ids::{Digest, Version},
    manifest::Manifest,
    refusal::Refusal,
};
use syft::{Matrix, Targets};

use super::stage::{CAMPAIGN, CHAIN_ID, SONAR, Stage};
use crate::campaign::CapsuleAction;

/// Where the words of an update begin.
const WORDS: usize = 72;

/// Whether a word is one of a mask: two rows of two outputs are packed together, after 2048 words of mask.
const fn is_mask(at: usize) -> bool {
    at % (2048 + 4) < 2048
}

/// Changes the words of an update: their upper three bytes are what is sent.
fn changed(update: &[u8], change: impl Fn(usize, u32) -> u32) -> Vec<u8> {
    let (header, words) = update.split_at(WORDS);
    let words = words.chunks_exact(3).enumerate().flat_map(|(at, word)| {
        let word = change(at, u32::from_le_bytes([word[0], word[1], word[2], 0]));
        word.to_le_bytes()[..3].to_vec()
    });
    header.iter().copied().chain(words).collect()
}

/// An update times a factor plus another, in the ciphertext.
fn combined(one: &[u8], factor: i32, other: &[u8]) -> Vec<u8> {
    let word = |at: usize| {
        let word = &other[WORDS + 3 * at..][..3];
        u32::from_le_bytes([word[0], word[1], word[2], 0])
    };
    changed(one, |at, of_one| word(at).wrapping_add(of_one.wrapping_mul(factor.cast_unsigned())))
}

/// Whatever an update opens to that does not improve the model: nothing that is said, sent, written or done differs by a byte. (There
/// is no NaN among whole numbers; for networks see `malformed_updates_are_rejected_by_protocol_and_cost_nothing_else`.)
#[tokio::test]
async fn content_reject_uniform() {
    let mut stage = Stage::open().await;
    // Of a model that knows nothing, noise may make a better one.
    stage.improve().await;
    let (worse, again) = (stage.update(false), stage.update(false));
    // Bytes of the right form that decrypt to anything: most of all to what is out of every range.
    let scrambled = changed(&worse, |at, word| word ^ (at as u32).wrapping_mul(0x9E_3779));
    // An update minus itself: a fresh encryption of nothing, after which the model is as good as before.
    let zero = combined(&worse, -1, &again);
    let body = |change: u32| changed(&zero, move |at, word| if is_mask(at) { word } else { word.wrapping_add(change) });
    let (huge, overflow, least) = (body(0x3f_0000), body(0x7f_0000), body(0x80_0000));
    let largest = |update: &[u8]| stage.opened(update).iter().map(|raw| raw.unsigned_abs().ilog2()).max().unwrap();
    assert!(largest(&zero) < 55, "noise alone");
    assert!(largest(&huge) == 61 && largest(&overflow) == 62 && largest(&least) >= 62);

    let said = stage.transcript(&worse).await;
    assert_eq!(said.outcomes, [Outcome::NotImproved]);
    let cases = [
        ("worse again", again),
        ("nothing", zero),
        ("scrambled", scrambled),
        ("huge", huge),
        ("overflow", overflow),
        ("the least number", least),
    ];
    for (name, update) in cases {
        assert_eq!(stage.transcript(&update).await, said, "{name}");
    }
}

/// 2^63 on every mask moves what an update opens to by 2^63 times the parity of the key's bits. As long as nothing is accepted,
/// nothing that anybody sees tells one from the other.
#[tokio::test]
async fn parity_oracle() {
    let shifted = |update: &[u8]| changed(update, |at, word| if is_mask(at) { word ^ 0x80_0000 } else { word });
    let (mut odd, mut even) = (None, None);
    while odd.is_none() || even.is_none() {
        let stage = Stage::open().await;
        let update = stage.update(false);
        let moved = stage.opened(&update)[0].abs_diff(stage.opened(&shifted(&update))[0]);
        assert!(moved == 0 || moved == 1 << 63, "{moved}");
        assert_eq!(update.len(), WORDS + 3 * (2 * 2048 + 6), "a pack of two rows, and one of one");
        *(if moved == 0 { &mut even } else { &mut odd }) = Some((stage, update));
    }
    for (stage, useless) in [odd.as_ref().unwrap(), even.as_ref().unwrap()] {
        let said = stage.transcript(useless).await;
        assert_eq!(said.outcomes, [Outcome::NotImproved]);
        assert_eq!(stage.transcript(&shifted(useless)).await, said);
    }
    // The shift is a real one: where the update is accepted it shows, which is what the leak meter counts accepts for.
    let useful = |stage: &Stage| shifted(&stage.update(true));
    let (odd, even) = (odd.unwrap().0, even.unwrap().0);
    assert_eq!(odd.transcript(&useful(&odd)).await.outcomes, [Outcome::NotImproved]);
    assert_ne!(even.transcript(&useful(&even)).await.outcomes, [Outcome::NotImproved]);
}

/// What an accepted update carries of the key that dies with it could be said in later versions. So the leak meter does not begin
/// anew with a new key, not even on a chain that forgets what was asked.
#[tokio::test]
async fn smuggle() {
    let mut stage = Stage::open().await;
    stage.improve().await;
    let before = stage.world.clone();
    for spent in 2..=12 {
        let meter = stage.worker.record().meter.clone().unwrap();
        assert_eq!((meter.submissions(), meter.accepts()), (spent - 1, 1));
        let content = stage.sealed(&stage.header(), &stage.update(false));
        stage.submit(content);
        let (action, done) = stage.step().await;
        assert!(matches!(action, CapsuleAction::Evaluate(_)) && done.is_ok(), "{action:?}");
        let close = if spent == 12 { CloseReason::LeakBudget } else { CloseReason::None };
        assert_eq!(stage.worker.record().settlements.last().unwrap().close, close, "after {spent}");
        stage.world = before.clone();
    }
}

/// Ciphertexts can be added up by anybody who has them. It pays nobody: whole envelopes of others, versions or campaigns are refused
/// by protocol, envelopes cannot be changed, and who had what is in them would be too late.
#[tokio::test]
async fn malleability() {
    const THIEF: Address = Address::repeat_byte(7);
    let file = CAMPAIGN.replace("window = 1", "window = 5");
    let mut stage = Stage::open_as(&file).await;
    let header = stage.header();
    let own = |stage: &Stage| EnvelopeHeader::new(CHAIN_ID, SONAR, stage.id, stage.view().version(), THIEF);
    let update = stage.update_from(&stage.half_right());
    let sealed = stage.sealed(&header, &update);
    let nothing = combined(&stage.update(false), -1, &stage.update(false));
    let anew = combined(&update, 1, &nothing);
    assert!(anew != update && stage.opened(&anew) != stage.opened(&update));
    let sum = combined(&update, 1, &anew);

    // The Mine's; the thief sends the same envelope, and what she could only have from the Capsule or the Mine.
    stage.submit(sealed);
    stage.submit_as(THIEF, sealed);
    for stolen in [&update, &anew, &sum] {
        let content = stage.sealed(&own(&stage), stolen);
        stage.submit_as(THIEF, content);
    }
    stage.work().await.unwrap();
    let outcomes =
        |stage: &Stage| -> Vec<Outcome> { stage.worker.record().settlements.last().unwrap().outcomes.clone() };
    let rejected = |reason: ProtocolReject| Outcome::Rejected(reason.code());
    let late = Outcome::NotImproved;
    assert_eq!(outcomes(&stage), [Outcome::Accepted(3), rejected(ProtocolReject::WrongMiner), late, late, late]);

    // The version is dead now. Neither the envelope nor what is in it is of use, to the Mine or to the thief.
    assert_eq!(stage.view().version(), Version(2));
    stage.submit(sealed);
    let content = stage.sealed(&stage.header(), &update);
    stage.submit(content);
    let content = stage.sealed(&own(&stage), &anew);
    stage.submit_as(THIEF, content);
    // Another campaign of the same Capsule, and what was made for it.
    let other = Stage::open_as(&file).await;
    let elsewhere = other.update(true);
    let content = stage.sealed(&EnvelopeHeader { miner: THIEF, ..other.header() }, &elsewhere);
    stage.submit_as(THIEF, content);
    let content = stage.sealed(&own(&stage), &elsewhere);
    stage.submit_as(THIEF, content);
    stage.work().await.unwrap();
    let (version, campaign) = (ProtocolReject::WrongVersion, ProtocolReject::WrongCampaign);
    let conformance = ProtocolReject::Conformance;
    assert_eq!(outcomes(&stage), [version, conformance, conformance, campaign, conformance].map(rejected));

    // No bit of an envelope can be changed, be it by who knows where the sender's name is.
    let envelope = stage.shelf.take(sealed).unwrap();
    let key = stage.key();
    let open = |bytes: &[u8]| open_update(bytes, &key, &header, update.len()).map(|opened| opened.to_vec());
    assert_eq!(open(&envelope), Ok(update.clone()));
    for at in (0..envelope.len()).step_by(97) {
        let mut changed = envelope.clone();
        changed[at] ^= 1;
        assert!(open(&changed).is_err(), "byte {at}");
    }
}

/// A thief names another's bundle in a campaign of their own: with their keys, to which the seeds are handed over; with
/// their account, to have the leak budget once more; with their constants, to choose what is measured. It is declined at
/// once, with the reason that every bundle gets that cannot be opened.
#[tokio::test]
async fn bundle_replay() {
    type Steal = fn(&mut Manifest, &mut Terms);
    let whole: Steal = |manifest, terms| {
        let thief = AuditSecret::of(&PrivateKeySigner::random(), terms.salt);
        manifest.audit = thief.keys(terms.maxAccepts + 1);
        terms.audit.keys = keys_root(&manifest.audit);
        (terms.owner, terms.salt, terms.bounty) = (Address::repeat_byte(7), B256::repeat_byte(7), 1);
        // A validation set without this column would be refused for another reason.
        manifest.data.inputs[0].name.push('x');
    };
    let steals: [Steal; 5] = [
        whole,
        |_, terms| terms.owner = Address::repeat_byte(7),
        |_, terms| terms.salt = B256::repeat_byte(7),
        |manifest, terms| {
            manifest.audit = AuditSecret::of(&PrivateKeySigner::random(), terms.salt).keys(terms.maxAccepts + 1);
            terms.audit.keys = keys_root(&manifest.audit);
        },
        |manifest, _| manifest.description.push('.'),
    ];
    for steal in steals {
        let mut stage = Stage::proposed(|_, manifest, terms| steal(manifest, terms));
        stage.step().await.1.unwrap();
        assert_eq!(stage.step().await.0, CapsuleAction::Decline(Refusal::Bundle), "{:?}", stage.manifest);
        assert_eq!(stage.disk.names("seed").len(), 0, "no keys are made for it");
    }
    // The Capsule does not look for anything else that the campaign names.
    let network = super::examine::network();
    let mut stage = Stage::launched(
        &CAMPAIGN,
        |inputs| inputs.backbone = Some((network, Digest([7; 32]))),
        |_, _, terms| terms.owner = Address::repeat_byte(7),
    );
    stage.step().await.1.unwrap();
    assert_eq!(stage.step().await.0, CapsuleAction::Decline(Refusal::Bundle));
}

/// Updates from very different data: as many bytes, the same envelope, the same header.
#[tokio::test]
async fn no_data_dependent_public() {
    let stage = Stage::open().await;
    let one = Matrix::new(1, 2, vec![0.0, 0.0]).unwrap();
    let (little, much) = (stage.update_from(&(one, Targets::Classes(vec![0]))), stage.update(true));
    assert_eq!(little.len(), much.len());
    assert_eq!(little[..WORDS], much[..WORDS]);
    let header = stage.header();
    let certificate = stage.certificate();
    let sealed = |update: &[u8]| seal_update(&header, update, &[&certificate]).unwrap();
    assert_eq!(sealed(&little).len(), sealed(&much).len());
}
