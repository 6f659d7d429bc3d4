//! The registry of Capsules: registrations, stakes, and the transactions of operators.

use alloy::primitives::{Address, B256, U256};
use sonar_contracts::{Capsule, CapsuleRegistry};
use sonar_protocol::{ids::Digest, units::Amount};
use syft::Ppm;

use super::{Client, Error, TxOutcome};

impl Client {
    /// The registration of an operator's Capsule; `None` if there is none.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn capsule(&self, operator: Address) -> Result<Option<Capsule>, Error> {
        let call = CapsuleRegistry::capsuleCall { operator };
        let registry = self.deployment().registry;
        let capsule = self.read("read the registry", registry, &call).await?;
        Ok((!capsule.attester.is_zero()).then_some(capsule))
    }

    /// Whether an operator lets this Campaigns contract lock their stake.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn is_authorized(&self, operator: Address) -> Result<bool, Error> {
        let call = CapsuleRegistry::authorizedCall { operator, campaigns: self.deployment().campaigns };
        let registry = self.deployment().registry;
        self.read("read the registry", registry, &call).await
    }

    /// Registers the account's Capsule with `stake` wei.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn register(
        &self,
        attester: Address,
        fingerprint: B256,
        certificate: Digest,
        endpoint: &str,
        fee: Ppm,
        stake: Amount,
    ) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::registerCall {
            attester,
            fingerprint,
            certificate: certificate.into(),
            endpoint: endpoint.to_owned(),
            feePpm: fee.get(),
        };
        let registry = self.deployment().registry;
        self.send_to("register the Capsule", registry, &call, stake.0).await
    }

    /// Changes the registration of the account's Capsule.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn update_capsule(
        &self,
        attester: Address,
        fingerprint: B256,
        certificate: Digest,
        endpoint: &str,
        fee: Ppm,
    ) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::updateCall {
            attester,
            fingerprint,
            certificate: certificate.into(),
            endpoint: endpoint.to_owned(),
            feePpm: fee.get(),
        };
        let registry = self.deployment().registry;
        self.send_to("update the Capsule's registration", registry, &call, U256::ZERO).await
    }

    /// Lets this Campaigns contract lock the account's stake, or revokes that.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn authorize(&self, allowed: bool) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::authorizeCall { campaigns: self.deployment().campaigns, allowed };
        let registry = self.deployment().registry;
        self.send_to("authorise Sonar", registry, &call, U256::ZERO).await
    }

    /// Adds to the account's stake.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn deposit_stake(&self, stake: Amount) -> Result<TxOutcome, Error> {
        let registry = self.deployment().registry;
        self.send_to("deposit stake", registry, &CapsuleRegistry::depositCall {}, stake.0).await
    }

    /// Amount that an account can claim from stakes of Capsules that missed a deadline, in wei.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn claimable(&self, account: Address) -> Result<Amount, Error> {
        let call = CapsuleRegistry::claimableCall { account };
        let registry = self.deployment().registry;
        self.read("read the registry", registry, &call).await.map(Amount)
    }

    /// Sends the claimable amount of the account to `to`.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn claim(&self, to: Address) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::claimCall { to };
        let registry = self.deployment().registry;
        self.send_to("claim a share of stake", registry, &call, U256::ZERO).await
    }

    /// Estimated cost of `claim` at current gas prices, in wei.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn claim_cost(&self, to: Address) -> Result<Amount, Error> {
        let call = CapsuleRegistry::claimCall { to };
        self.cost("estimate the cost of a claim", self.deployment().registry, &call).await
    }
}
