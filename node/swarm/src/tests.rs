//! Nodes over the loopback interface.

use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::{
    bitswap::message::{Message, Want, WantKind},
    block::Block,
    driver::testing::Stranger,
};

const WAIT: Duration = Duration::from_secs(30);

fn config(directory: &Path, identity: Identity, peers: &[Multiaddr]) -> Config {
    let peers = peers.iter().map(|address| match address.iter().last() {
        Some(Protocol::P2p(peer)) => (peer, address.clone()),
        _ => panic!("{address} has no peer id"),
    });
    Config {
        directory: directory.to_owned(),
        identity,
        listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        peers: peers.collect(),
        cleanup: false,
    }
}

async fn client(directory: &TempDir, name: &str, peers: &[Multiaddr]) -> Swarm {
    Swarm::start(config(&directory.path().join(name), Identity::Fresh, peers)).await.unwrap()
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

async fn read(node: &Swarm, root: BlockId, limit: usize) -> Vec<u8> {
    timeout(WAIT, node.read(&root.to_cid(DAG_PB), limit)).await.expect("it comes in time").unwrap()
}

async fn until_connected(node: &Swarm, count: usize) {
    let mut peers = node.peers.clone();
    timeout(WAIT, peers.wait_for(|peers| peers.len() == count)).await.expect("in time").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_from_one_client_over_the_hub_to_another_that_asked_before_it_existed() {
    let directory = tempdir().unwrap();
    let hub = client(&directory, "hub", &[]).await;
    let maker = client(&directory, "maker", hub.addresses()).await;
    let taker = client(&directory, "taker", hub.addresses()).await;
    until_connected(&hub, 2).await;
    for len in [0, 1, 300_000, 12_000_000] {
        let content = content(len);
        let root = root_of(&content);
        let (relayed, got, added) =
            tokio::join!(read(&hub, root, len), read(&taker, root, len), maker.add(content.clone()));
        assert_eq!(added.unwrap(), root);
        assert!(relayed == content && got == content, "{len} bytes");
        hub.pin(root).await.unwrap();
        assert!(hub.is_pinned(root) && !taker.is_pinned(root));
    }
    assert_eq!(hub.totals(), maker.totals());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_was_away_is_dialled_again_by_somebody_new() {
    let directory = tempdir().unwrap();
    let keypair = Keypair::generate_ed25519();
    let mut settings = config(&directory.path().join("hub"), Identity::Kept(keypair.into()), &[]);
    let hub = Swarm::start(settings.clone()).await.unwrap();
    settings.listen = hub.addresses()[0].iter().take(2).collect();
    let maker = client(&directory, "maker", hub.addresses()).await;
    let taker = client(&directory, "taker", hub.addresses()).await;
    until_connected(&hub, 2).await;
    let before = hub.peers();
    // It asks before the hub is away and gets the answer afterwards.
    let content = content(700_000);
    let root = root_of(&content);
    let wanted = read(&taker, root, content.len());
    let restart = async {
        hub.shutdown().await;
        maker.add(content.clone()).await.unwrap();
        let hub = Swarm::start(settings).await.unwrap();
        read(&hub, root, content.len()).await;
        until_connected(&hub, 2).await;
        hub
    };
    let (got, hub) = tokio::join!(wanted, restart);
    assert!(got == content);
    assert!(hub.peers().iter().all(|peer| !before.contains(peer)), "nobody can follow a client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_breaks_the_rules_is_disconnected_and_others_are_served() {
    let directory = tempdir().unwrap();
    let hub = client(&directory, "hub", &[]).await;
    let content = content(600_000);
    let root = hub.add(content.clone()).await.unwrap();
    let too_large = vec![0; 5 << 20];
    let large_block = {
        let block = Block::new(vec![1; (2 << 20) + 1]);
        Message { blocks: vec![(block.id().to_cid(DAG_PB), block)], ..Message::default() }.encode()
    };
    for bytes in [&b"this is not a message"[..], &[0xff; 100], &too_large, &large_block] {
        let mut stranger = Stranger::connect(&hub.addresses()[0]).await;
        if stranger.send(bytes).await {
            assert_eq!(timeout(WAIT, stranger.receive()).await.expect("it is closed"), None);
        }
    }
    let taker = client(&directory, "taker", hub.addresses()).await;
    assert!(read(&taker, root, content.len()).await == content);
    hub.health().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_were_not_asked_for_are_not_stored() {
    let directory = tempdir().unwrap();
    let hub = client(&directory, "hub", &[]).await;
    let mut stranger = Stranger::connect(&hub.addresses()[0]).await;
    let block = Block::new(&b"have this"[..]);
    let cid = block.id().to_cid(DAG_PB);
    // The answer to the want in the same message shows that the block was looked at before.
    let wants = vec![Want::Add { cid, kind: WantKind::Have, send_dont_have: true }];
    assert!(stranger.send(&Message { wants, blocks: vec![(cid, block)], ..Message::default() }.encode()).await);
    let answer = stranger.receive().await.unwrap();
    assert!(!answer.presences[0].has);
    assert_eq!(hub.totals(), Totals::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_wants_a_million_blocks_does_not_keep_others_from_theirs() {
    let directory = tempdir().unwrap();
    let hub = client(&directory, "hub", &[]).await;
    let content = content(2_000_000);
    let root = hub.add(content.clone()).await.unwrap();
    let mut greedy = Stranger::connect(&hub.addresses()[0]).await;
    let flood = async {
        for message in 0..20_u32 {
            let wants = (0..50_000_u32).map(|number| {
                let id = BlockId::of(&[message.to_le_bytes(), number.to_le_bytes()].concat());
                Want::Add { cid: id.to_cid(DAG_PB), kind: WantKind::Block, send_dont_have: true }
            });
            assert!(greedy.send(&Message { wants: wants.collect(), ..Message::default() }.encode()).await);
        }
    };
    let taken = async {
        let taker = client(&directory, "taker", hub.addresses()).await;
        read(&taker, root, content.len()).await
    };
    let ((), got) = tokio::join!(flood, taken);
    assert!(got == content);
    hub.health().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_says_when_it_has_stopped() {
    let directory = tempdir().unwrap();
    let node = client(&directory, "node", &[]).await;
    node.health().unwrap();
    node.commands.send(Command::Shutdown).await.unwrap();
    let error = node.read(&BlockId([1; 32]).to_cid(DAG_PB), 10).await.unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert!(matches!(node.health(), Err(Error::Stopped(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_free_again_after_a_shutdown_and_refused_before() {
    let directory = tempdir().unwrap();
    let settings = config(directory.path(), Identity::Fresh, &[]);
    let node = Swarm::start(settings.clone()).await.unwrap();
    let error = Swarm::start(settings.clone()).await.unwrap_err();
    assert!(matches!(&error, Error::Store(store) if matches!(**store, BlockStoreError::InUse(_))), "{error}");
    node.shutdown().await;
    Swarm::start(settings).await.unwrap();
}
