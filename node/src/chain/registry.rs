//! The registry of Capsules: registrations, stakes, and the transactions of operators.

use alloy::primitives::{Address, B256, U256};
use sonar_contracts::{Bounds, Campaigns, Capsule, CapsuleRegistry, TermsChecker};
use sonar_protocol::{event::CapsuleLimits, ids::Digest, units::Amount};
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

    /// Changes the registration of the account's Capsule to this one, except its stake.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn update_capsule(&self, registration: Capsule) -> Result<TxOutcome, Error> {
        let Capsule { attester, fingerprint, certificate, endpoint, feePpm, .. } = registration;
        let call = CapsuleRegistry::updateCall { attester, fingerprint, certificate, endpoint, feePpm };
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

    /// What a campaign may demand of an operator's Capsule at most; all zero if nothing was published.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn limits(&self, operator: Address) -> Result<CapsuleLimits, Error> {
        let call = CapsuleRegistry::limitsCall { operator };
        Ok(self.read("read the limits", self.deployment().registry, &call).await?.into())
    }

    /// Publishes what a campaign may demand of the account's Capsule at most.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn set_limits(&self, limits: CapsuleLimits) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::setLimitsCall { limits_: limits.into() };
        self.send_to("publish the limits", self.deployment().registry, &call, U256::ZERO).await
    }

    /// Publishes the least fee for which the account's Capsule works in a token (zero: ETH); `None` if it does not.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn set_token(&self, token: Address, least_fee: Option<u128>) -> Result<TxOutcome, Error> {
        let (accepted, least_fee) = (least_fee.is_some(), least_fee.unwrap_or_default());
        let call = CapsuleRegistry::setTokenCall { token, accepted, leastFee: least_fee };
        self.send_to("publish the token", self.deployment().registry, &call, U256::ZERO).await
    }

    /// Withdraws free stake of the account's Capsule to the account.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn unstake(&self, amount: Amount) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::unstakeCall { amount: amount.0 };
        self.send_to("withdraw stake", self.deployment().registry, &call, U256::ZERO).await
    }

    /// Bounds on the times in terms.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn bounds(&self) -> Result<Bounds, Error> {
        let what = "read the bounds on times";
        let checker = self.read(what, self.deployment().campaigns, &Campaigns::TERMS_CHECKERCall {}).await?;
        self.read(what, checker, &TermsChecker::boundsCall {}).await
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
