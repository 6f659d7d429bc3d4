//! The local chain after `kill -9`.

use std::time::Duration;

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{U256, keccak256},
    providers::Provider,
    rpc::types::Filter,
};
use sonar_anvil::{Anvil, AnvilConfig};
use sonar_contracts::Status;
use tempfile::TempDir;

use crate::support::{DEPLOYER, FIRST_MINER, OWNER, World};

fn kept_in(directory: &TempDir, port: u16) -> AnvilConfig {
    AnvilConfig { accounts: 20, port, state_dir: Some(directory.path().to_path_buf()), ..AnvilConfig::default() }
}

impl World {
    /// Kills the chain without warning and starts it again where it was.
    async fn crash(mut self, directory: &TempDir) -> Self {
        let port = self.anvil.port();
        self.anvil.kill9().unwrap();
        assert!(self.anvil.try_wait().is_some(), "whoever looks at once sees that it has ended");
        drop(self.anvil);
        let anvil = Anvil::spawn(kept_in(directory, port)).await.expect("anvil starts again");
        Self { anvil, deployment: self.deployment }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_chain_comes_back_with_all_that_anybody_saw() {
    let directory = TempDir::new().unwrap();
    let mut world = World::on(kept_in(&directory, 0)).await;
    let id = world.opened(&world.terms()).await;

    for round in 1..=5u8 {
        let receipt = world.submit(FIRST_MINER, id, 1, keccak256([round])).await;
        // Killed at once after the receipt, which is the worst moment.
        let before: Status = world.campaigns(OWNER).status(id).call().await.unwrap();
        let nonce = world.provider(OWNER).get_transaction_count(world.address(FIRST_MINER)).await.unwrap();
        let balance = world.balance(world.address(FIRST_MINER)).await;
        world = world.crash(&directory).await;

        let provider = world.anvil.provider();
        assert_eq!(world.campaigns(OWNER).status(id).call().await.unwrap(), before, "round {round}");
        assert_eq!(before.submissions, u32::from(round));
        assert_eq!(provider.get_transaction_count(world.address(FIRST_MINER)).await.unwrap(), nonce);
        assert_eq!(world.balance(world.address(FIRST_MINER)).await, balance);
        let again = provider.get_transaction_receipt(receipt.transaction_hash).await.unwrap();
        assert_eq!(again.expect("the receipt is there").block_number, receipt.block_number);
    }

    let provider = world.anvil.provider();
    let supply = world.datacoin(DEPLOYER).totalSupply().call().await.unwrap();
    let whole = world.datacoin(DEPLOYER).balanceOf(world.address(DEPLOYER)).call().await.unwrap();
    assert_eq!(supply, whole);
    let logs = Filter::new().address(world.deployment.campaigns).from_block(world.deployment.block);
    let logs = provider.get_logs(&logs).await.unwrap();
    assert_eq!(logs.len(), 2 + 5, "opened, activated and five submissions");
    assert!(logs.windows(2).all(|pair| pair[0].block_number <= pair[1].block_number));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_killed_while_it_mines_loses_no_receipt() {
    let directory = TempDir::new().unwrap();
    let mut anvil = Anvil::spawn(kept_in(&directory, 0)).await.unwrap();
    let port = anvil.port();
    let (from, to) = (anvil.signers()[0].clone(), anvil.signers()[1].address());
    let mut seen = 0;
    for delay in [0, 3, 7, 15, 30, 60] {
        let provider = anvil.provider_as(from.clone());
        let transfers = tokio::spawn(async move {
            let mut arrived = 0u64;
            loop {
                let payment = alloy::rpc::types::TransactionRequest::default().to(to).value(U256::from(1));
                let Ok(pending) = provider.send_transaction(payment).await else {
                    break arrived;
                };
                loop {
                    match provider.get_transaction_receipt(*pending.tx_hash()).await {
                        Ok(Some(_)) => break,
                        Ok(None) => tokio::task::yield_now().await,
                        Err(_) => return arrived,
                    }
                }
                arrived += 1;
            }
        });
        tokio::time::sleep(Duration::from_millis(150 + delay)).await;
        anvil.kill9().unwrap();
        seen += transfers.await.unwrap();
        drop(anvil);
        anvil = Anvil::spawn(kept_in(&directory, port)).await.expect("anvil starts again");
        let nonce = anvil.provider().get_transaction_count(from.address()).await.unwrap();
        assert!(nonce >= seen, "{seen} receipts were seen, {nonce} transactions are left");
        // One that was mined and not seen in time is no loss.
        assert!(nonce <= seen + 1);
        seen = nonce;
    }
    assert!(seen > 6, "the test mined too little to show anything: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_with_a_block_time_mines_without_transactions() {
    let directory = TempDir::new().unwrap();
    let kept = AnvilConfig { block_time: Some(Duration::from_millis(100)), ..kept_in(&directory, 0) };
    for config in [AnvilConfig { state_dir: None, ..kept.clone() }, kept] {
        let anvil = Anvil::spawn(config).await.unwrap();
        let provider = anvil.provider();
        let third = async {
            while provider.get_block_number().await.unwrap() < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), third).await.expect("three blocks");
        let block = provider.get_block_by_number(BlockNumberOrTag::Number(2)).await.unwrap().unwrap();
        assert!(block.transactions.is_empty());
    }
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let config = AnvilConfig { binary: Some("/nowhere/anvil".into()), ..AnvilConfig::default() };
    let error = Anvil::spawn(config).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/anvil") && error.contains("npm ci"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_reported() {
    let first = Anvil::spawn(AnvilConfig::default()).await.unwrap();
    let second = AnvilConfig { port: first.port(), chain_id: 4_242, ..AnvilConfig::default() };
    let error = Anvil::spawn(second).await.unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
}
