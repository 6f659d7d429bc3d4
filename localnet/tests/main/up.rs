//! `localnet up` and `localnet fund`, as people use them.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
};

use alloy::primitives::Address;
use localnet::{
    faucet::whole,
    programs::{CommandError, Program},
};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::{coarse, directory, network, runtime};

#[test]
fn a_running_network_funds_accounts_and_is_not_cleared_by_another() {
    runtime().block_on(async {
        let network = network(&coarse(0, 1), "fund").await;
        let out = network.directory().display().to_string();
        let localnet = Program::find("localnet").unwrap();
        let second = localnet.call::<Value>(&["up", "--mines", "0", "--out", &out]).await.unwrap_err();
        assert_eq!(second.name(), Some("ALREADY_RUNNING"), "{second}");
        assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");

        let newcomer = Address::repeat_byte(0xAB);
        let (client, text) = (network.client(), newcomer.to_checksum(None));
        let fund = ["fund", &text, "--eth", "0.5", "--out", &out];
        let _: Value = localnet.call(&fund).await.unwrap();
        let _: Value = localnet.call(&fund).await.unwrap();
        let datacoin = client.deployment().datacoin;
        assert_eq!(client.balance(newcomer).await.unwrap(), whole(1));
        assert_eq!(client.token_balance(datacoin, newcomer).await.unwrap(), whole(2_000));

        let mistyped = text.replacen(|c: char| c.is_ascii_uppercase(), "a", 1);
        let refused = localnet.call::<Value>(&["fund", &mistyped, "--out", &out]).await.unwrap_err();
        assert!(matches!(refused, CommandError::Failed { code: 2, .. }), "{refused}");
        network.stop().await;
    });
}

#[test]
fn a_terminated_network_leaves_nothing_running() {
    let out = directory("terminated");
    let mut up = Command::new(Program::find("localnet").unwrap().path)
        .args(["up", "--mines", "0", "--rpc-port", "0", "--json", "--quiet", "--out"])
        .arg(&out)
        .args(["--http-port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(up.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses = serde_json::from_str::<Value>(&line).unwrap()["data"].take();
    let parts = ["rpc", "sonar"]
        .map(|part| -> SocketAddr { addresses[part].as_str().unwrap().trim_start_matches("http://").parse().unwrap() });
    assert!(parts.iter().all(|part| TcpStream::connect(part).is_ok()), "{line}");

    signal::kill(Pid::from_raw(up.id() as i32), Signal::SIGTERM).unwrap();
    assert!(up.wait().unwrap().success());
    assert!(parts.iter().all(|part| TcpStream::connect(part).is_err()), "{line}");
}
