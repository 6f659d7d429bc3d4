//! Deployment of the contracts.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256},
    rpc::types::TransactionRequest,
    sol_types::SolConstructor,
};
use sonar_contracts::{Assessor, Bounds, Campaigns, CapsuleRegistry, DataCoin, Deployment, TermsChecker};

use super::{Error, Sender};

/// Deploys the contracts from an account, which receives `datacoin_supply` in the smallest unit. `bounds` limit the times
/// in terms for good.
///
/// # Errors
/// Names the contract that could not be deployed.
pub async fn deploy(sender: &Sender, datacoin_supply: U256, bounds: Bounds) -> Result<Deployment, Error> {
    let chain_id = sender.node().chain_id().await?;
    let (registry, block) = create(sender, "deploy CapsuleRegistry", &CapsuleRegistry::BYTECODE, None).await?;
    let (assessor, _) = create(sender, "deploy Assessor", &Assessor::BYTECODE, None).await?;
    let arguments = TermsChecker::constructorCall { registry, bounds_: bounds }.abi_encode();
    let (checker, _) = create(sender, "deploy TermsChecker", &TermsChecker::BYTECODE, Some(arguments)).await?;
    let arguments = Campaigns::constructorCall { registry, assessor, termsChecker: checker }.abi_encode();
    let (campaigns, _) = create(sender, "deploy Campaigns", &Campaigns::BYTECODE, Some(arguments)).await?;
    let arguments = DataCoin::constructorCall { supply: datacoin_supply }.abi_encode();
    let (datacoin, _) = create(sender, "deploy DataCoin", &DataCoin::BYTECODE, Some(arguments)).await?;
    Ok(Deployment { chain_id, campaigns, registry, datacoin, block })
}

async fn create(
    sender: &Sender,
    what: &'static str,
    bytecode: &Bytes,
    arguments: Option<Vec<u8>>,
) -> Result<(Address, u64), Error> {
    let code = [bytecode.as_ref(), arguments.as_deref().unwrap_or_default()].concat();
    let receipt = sender.send(what, TransactionRequest::default().with_deploy_code(code)).await?;
    match (receipt.contract_address, receipt.block_number) {
        (Some(address), Some(block)) => Ok((address, block)),
        _ => Err(Error::Nonsense { what, reason: "the receipt has no contract address".into() }),
    }
}
