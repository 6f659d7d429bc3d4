//! The faucet: sends money to accounts of a local network. It comes from the first account of the chain, which deployed
//! the contracts and whose key is public.

use std::path::Path;

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, U256},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use sonar_contracts::DataCoin;
use sonar_node::{
    account::{AccountError, read_key},
    chain::{self, Options, RpcNode, Sender},
    discovery::{self, DiscoveryError},
};
use sonar_protocol::units::Amount;

/// Path of the first account's key in the directory of a network.
pub const KEY: &str = "faucet.key";
/// Path of the deployment file in the directory of a network.
pub const DEPLOYMENT: &str = "deployment.json";
/// Path of the file with the chain's URL in the directory of a network.
pub const RPC: &str = "rpc";

/// Why no money was sent.
#[derive(Debug, thiserror::Error)]
pub enum FaucetError {
    /// There is no network in the directory.
    #[error("no local network was started in {0}: start one with `localnet up`, or pass its directory with --out")]
    NoNetwork(String),
    /// Its files are damaged.
    #[error(transparent)]
    Deployment(#[from] DiscoveryError),
    /// Its files are damaged.
    #[error(transparent)]
    Key(#[from] AccountError),
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] chain::Error),
}

/// The first account of a local chain.
#[derive(Debug)]
pub struct Faucet {
    sender: Sender,
}

impl Faucet {
    /// Creates a faucet of the chain at `rpc`, whose first account has this key.
    ///
    /// # Errors
    /// Not a URL.
    pub fn new(rpc: &str, signer: PrivateKeySigner) -> Result<Self, FaucetError> {
        let options = Options::default();
        Ok(Self { sender: Sender::new(RpcNode::new(rpc, options.patience)?, signer, options) })
    }

    /// Finds the faucet of the network that runs in a directory, and the address of its DataCoin.
    ///
    /// # Errors
    /// When no network runs there.
    pub async fn of(directory: &Path) -> Result<(Self, Address), FaucetError> {
        let Ok(rpc) = std::fs::read_to_string(directory.join(RPC)) else {
            return Err(FaucetError::NoNetwork(directory.display().to_string()));
        };
        let deployment = discovery::deployment(&directory.join(DEPLOYMENT))?;
        let node = RpcNode::new(rpc.trim(), Options::default().patience)?;
        let found = node.chain_id().await?;
        if found != deployment.chain_id || !node.has_code(deployment.datacoin).await? {
            // Another chain may have taken the port since.
            return Err(FaucetError::NoNetwork(directory.display().to_string()));
        }
        let signer = read_key(&directory.join(KEY), "")?;
        Ok((Self::new(rpc.trim(), signer)?, deployment.datacoin))
    }

    /// Sends an amount of ETH.
    ///
    /// # Errors
    /// When the chain refuses the transfer.
    pub async fn give_eth(&self, account: Address, amount: Amount) -> Result<(), FaucetError> {
        let request = TransactionRequest::default().with_to(account).with_value(amount.0);
        self.sender.send("send ETH on the local chain", request).await?;
        Ok(())
    }

    /// Sends an amount of a token.
    ///
    /// # Errors
    /// When the chain refuses the transfer.
    pub async fn give_token(&self, token: Address, account: Address, amount: Amount) -> Result<(), FaucetError> {
        let transfer = DataCoin::transferCall { to: account, value: amount.0 };
        let request = TransactionRequest::default().with_to(token).with_input(transfer.abi_encode());
        self.sender.send("send tokens on the local chain", request).await?;
        Ok(())
    }
}

/// Converts whole tokens to the smallest unit (18 decimals, as ETH and DATA have).
#[must_use]
pub fn whole(tokens: u64) -> Amount {
    Amount(U256::from(tokens) * U256::from(10).pow(U256::from(18)))
}

/// Parses an address. Capital letters are a checksum (EIP-55), which must be right: money that is sent to a mistyped
/// address is lost.
///
/// # Errors
/// Not an address, or its checksum is wrong.
pub fn address(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|_| "write `0x` and 40 hexadecimal digits".to_owned())?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_mixed = digits.bytes().any(|c| c.is_ascii_lowercase()) && digits.bytes().any(|c| c.is_ascii_uppercase());
    if is_mixed && address.to_checksum(None)[2..] != *digits {
        return Err("its capital letters are not the right checksum (EIP-55): check it for typing errors".into());
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_address_gets_no_money() {
        let right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        for text in [right, &right.to_lowercase(), &format!("0x{}", right[2..].to_uppercase()), &right[2..]] {
            assert_eq!(address(text).unwrap().to_checksum(None), right);
        }
        // One letter in the wrong case, two digits that were swapped.
        for text in ["0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6503F3E94C9b9A09f33669435E7Ef1BeAed"] {
            assert!(address(text).unwrap_err().contains("checksum"), "{text}");
        }
        assert!(address("0x5aAeb6").unwrap_err().contains("40"));
    }

    #[tokio::test]
    async fn without_a_network_there_is_no_faucet() {
        let directory = tempfile::tempdir().unwrap();
        let error = Faucet::of(directory.path()).await.unwrap_err();
        assert!(matches!(error, FaucetError::NoNetwork(_)));
        assert!(error.to_string().contains("localnet up"), "{error}");
    }
}
