//! Puts the contracts on a chain.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256},
    providers::{PendingTransactionError, Provider},
    rpc::types::TransactionRequest,
    sol_types::SolConstructor,
    transports::TransportError,
};
use sonar_contracts::{Assessor, Campaigns, CapsuleRegistry, DataCoin, Deployment};

/// Why contracts could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The node did not take the transaction.
    #[error("cannot deploy {contract}: {source}")]
    Send {
        /// The contract.
        contract: &'static str,
        /// What went wrong.
        source: TransportError,
    },
    /// The transaction was not mined.
    #[error("the deployment of {contract} was sent but not mined: {source}")]
    Wait {
        /// The contract.
        contract: &'static str,
        /// What went wrong.
        source: PendingTransactionError,
    },
    /// The transaction was mined and created nothing.
    #[error("the deployment of {contract} failed on chain; does the account have enough ETH for the gas?")]
    Reverted {
        /// The contract.
        contract: &'static str,
    },
    /// The chain did not answer.
    #[error("cannot read the chain's id: {0}")]
    ChainId(#[source] TransportError),
}

/// Deploys registry, Assessor, Campaigns and DataCoin from the provider's default account, which receives `datacoin_supply`.
///
/// # Errors
/// Names the contract that could not be deployed.
pub async fn deploy<P: Provider>(provider: P, datacoin_supply: U256) -> Result<Deployment, DeployError> {
    let chain_id = provider.get_chain_id().await.map_err(DeployError::ChainId)?;
    let (registry, block) = create(&provider, "CapsuleRegistry", &CapsuleRegistry::BYTECODE, None).await?;
    let (assessor, _) = create(&provider, "Assessor", &Assessor::BYTECODE, None).await?;
    let arguments = Campaigns::constructorCall { registry, assessor }.abi_encode();
    let (campaigns, _) = create(&provider, "Campaigns", &Campaigns::BYTECODE, Some(arguments)).await?;
    let arguments = DataCoin::constructorCall { supply: datacoin_supply }.abi_encode();
    let (datacoin, _) = create(&provider, "DataCoin", &DataCoin::BYTECODE, Some(arguments)).await?;
    Ok(Deployment { chain_id, campaigns, registry, datacoin, block })
}

async fn create<P: Provider>(
    provider: &P,
    contract: &'static str,
    bytecode: &Bytes,
    arguments: Option<Vec<u8>>,
) -> Result<(Address, u64), DeployError> {
    let code = [bytecode.as_ref(), arguments.as_deref().unwrap_or_default()].concat();
    let request = TransactionRequest::default().with_deploy_code(code);
    let pending = provider.send_transaction(request).await.map_err(|source| DeployError::Send { contract, source })?;
    let receipt = pending.get_receipt().await.map_err(|source| DeployError::Wait { contract, source })?;
    match (receipt.status(), receipt.contract_address, receipt.block_number) {
        (true, Some(address), Some(block)) => Ok((address, block)),
        _ => Err(DeployError::Reverted { contract }),
    }
}
