//! Putting the contracts on a chain, and remembering where.

use alloy::{
    contract,
    primitives::{Address, U256},
    providers::{PendingTransactionError, Provider},
};
use serde::{Deserialize, Serialize};

use crate::{Assessor, CapsuleRegistry, DataCoin, Sonar};

/// Where the contracts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain they are on.
    pub chain_id: u64,
    /// Sonar.
    pub sonar: Address,
    /// The registry that Sonar asks about Capsules.
    pub registry: Address,
    /// DataCoin.
    pub datacoin: Address,
    /// The block of the first of them: no event of theirs is older.
    pub block: u64,
}

/// Why contracts could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A contract call failed.
    #[error("cannot deploy {contract}: {source}")]
    Send {
        /// The contract.
        contract: &'static str,
        /// What went wrong.
        source: contract::Error,
    },
    /// The transaction did not arrive.
    #[error("the deployment of {contract} was sent but did not arrive: {source}")]
    Wait {
        /// The contract.
        contract: &'static str,
        /// What went wrong.
        source: PendingTransactionError,
    },
    /// The transaction arrived and made nothing.
    #[error("the deployment of {contract} failed on chain; does the account have enough to pay for it?")]
    Reverted {
        /// The contract.
        contract: &'static str,
    },
    /// The chain did not answer.
    #[error("the chain did not say its id: {0}")]
    ChainId(#[source] alloy::transports::TransportError),
}

/// Deploys registry, Assessor, Sonar and DataCoin from the provider's default account, which receives `datacoin_supply`.
///
/// # Errors
/// Names the contract that could not be deployed.
pub async fn deploy<P: Provider + Clone>(provider: P, datacoin_supply: U256) -> Result<Deployment, DeployError> {
    let chain_id = provider.get_chain_id().await.map_err(DeployError::ChainId)?;
    let (registry, block) = create("CapsuleRegistry", CapsuleRegistry::deploy_builder(provider.clone())).await?;
    let (assessor, _) = create("Assessor", Assessor::deploy_builder(provider.clone())).await?;
    let (sonar, _) = create("Sonar", Sonar::deploy_builder(provider.clone(), registry, assessor)).await?;
    let (datacoin, _) = create("DataCoin", DataCoin::deploy_builder(provider, datacoin_supply)).await?;
    Ok(Deployment { chain_id, sonar, registry, datacoin, block })
}

async fn create<P: Provider, D: contract::CallDecoder>(
    contract: &'static str,
    call: contract::CallBuilder<P, D>,
) -> Result<(Address, u64), DeployError> {
    let pending = call.send().await.map_err(|source| DeployError::Send { contract, source })?;
    let receipt = pending.get_receipt().await.map_err(|source| DeployError::Wait { contract, source })?;
    match (receipt.status(), receipt.contract_address, receipt.block_number) {
        (true, Some(address), Some(block)) => Ok((address, block)),
        _ => Err(DeployError::Reverted { contract }),
    }
}
