//! Transactions on campaigns by data scientists, miners and Capsules.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, U256, keccak256},
    rpc::types::TransactionRequest,
    signers::Signer,
    sol_types::{SolCall, SolValue},
};
use sonar_contracts::{
    Campaigns, CloseReason, DataCoin, KeyProof, Outcome, Publication, Submission, Terms, WordProof, fee,
};
use sonar_protocol::{
    handover::{Handover, Published},
    ids::{CampaignId, Digest, Version},
    refusal::Refusal,
    units::Amount,
};
use syft::Ppm;

use super::{Client, Error, TxOutcome};

/// Validity of a permit for the bounty. Short, because the transaction is sent at once.
const PERMIT_SECONDS: u32 = 3_600;

impl Client {
    /// Opens a campaign: bounty and fee go into escrow. The allowance of a token is a signed permit (EIP-2612) if the
    /// token supports it; otherwise the exact amount is approved first.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn open(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let what = "open the campaign";
        let amount = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
        let open = Campaigns::openCall { t: terms.clone() };
        if terms.token.is_zero() {
            return self.send(what, &open, amount).await;
        }
        if let Some(call) = self.permitted(terms, amount).await? {
            return self.send(what, &call, U256::ZERO).await;
        }
        let approve = DataCoin::approveCall { spender: self.deployment().campaigns, value: amount };
        self.send_to("approve the bounty", terms.token, &approve, U256::ZERO).await?;
        self.send(what, &open, U256::ZERO).await
    }

    /// `open` with a signed permit, if the token supports permits.
    async fn permitted(&self, terms: &Terms, amount: U256) -> Result<Option<Campaigns::openWithPermitCall>, Error> {
        let what = "read the token's permits";
        let owner = self.sender(what)?.address();
        let nonce = self.read(what, terms.token, &DataCoin::noncesCall { owner }).await;
        let separator = self.read(what, terms.token, &DataCoin::DOMAIN_SEPARATORCall {}).await;
        let (nonce, separator) = match (nonce, separator) {
            (Ok(nonce), Ok(separator)) => (nonce, separator),
            (Err(error @ Error::Unreachable { .. }), _) | (_, Err(error @ Error::Unreachable { .. })) => {
                return Err(error);
            }
            _ => return Ok(None),
        };
        let deadline = U256::from(self.now().await?.plus(PERMIT_SECONDS).unix());
        let kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        let spender = self.deployment().campaigns;
        let permit = keccak256((kind, owner, spender, amount, nonce, deadline).abi_encode_params());
        let digest = keccak256([&[0x19, 0x01], separator.as_slice(), permit.as_slice()].concat());
        let signature =
            self.sender(what)?.signer().sign_hash(&digest).await.map_err(|error| Error::Sign(error.to_string()))?;
        Ok(Some(Campaigns::openWithPermitCall {
            t: terms.clone(),
            permitDeadline: deadline,
            v: 27 + u8::from(signature.v()),
            r: signature.r().into(),
            s: signature.s().into(),
        }))
    }

    /// Closes an open campaign without unsettled submissions.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn close(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let call = Campaigns::closeCall { t: terms.clone() };
        self.send("close the campaign", &call, U256::ZERO).await
    }

    /// Refunds a campaign that was not activated in time.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn refund(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let call = Campaigns::refundCall { t: terms.clone() };
        self.send("refund the campaign", &call, U256::ZERO).await
    }

    /// Closes a campaign whose Capsule did not settle a window in time.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn abandon(&self, terms: &Terms, pending: &[Submission]) -> Result<TxOutcome, Error> {
        let call = Campaigns::abandonCall { t: terms.clone(), pending: pending.to_vec() };
        self.send("abandon the campaign", &call, U256::ZERO).await
    }

    /// Expires a campaign whose Capsule did not deliver in time; its fee and stake go to the owner.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn expire(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let call = Campaigns::expireCall { t: terms.clone() };
        self.send("expire the campaign", &call, U256::ZERO).await
    }

    /// Sends the account's whole credit in a campaign to `to`.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw(&self, terms: &Terms, to: Address) -> Result<TxOutcome, Error> {
        self.send("withdraw", &withdraw_call(terms, to), U256::ZERO).await
    }

    /// Estimated cost of `withdraw` at current gas prices, in wei.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_cost(&self, terms: &Terms, to: Address) -> Result<Amount, Error> {
        let call = withdraw_call(terms, to);
        self.cost("estimate the cost of a withdrawal", self.deployment().campaigns, &call).await
    }

    /// Sends the account's free stakes in a campaign to `to`.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_stake(&self, id: CampaignId, to: Address) -> Result<TxOutcome, Error> {
        self.send("withdraw the stake", &Campaigns::withdrawStakeCall { id: id.0, to }, U256::ZERO).await
    }

    /// Estimated cost of `withdraw_stake` at current gas prices, in wei.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_stake_cost(&self, id: CampaignId, to: Address) -> Result<Amount, Error> {
        let call = Campaigns::withdrawStakeCall { id: id.0, to };
        self.cost("estimate the cost of a withdrawal", self.deployment().campaigns, &call).await
    }

    /// Submits a sealed update, with the required stake.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn submit(&self, id: CampaignId, version: Version, content: Digest) -> Result<TxOutcome, Error> {
        let what = "submit the update with its stake";
        let due = self.stakes(id, self.sender(what)?.address()).await?.due;
        let call = Campaigns::submitCall { id: id.0, version: version.0, content: content.into() };
        self.send(what, &call, due).await
    }

    /// Sends the Capsule's activation.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn activate(
        &self,
        terms: &Terms,
        start: Ppm,
        first: Published,
        _certificate: Digest,
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::activateCall {
            t: terms.clone(),
            startPpm: start.get(),
            first: first.into(),
            sig: signature.to_vec().into(),
        };
        self.send("activate the campaign", &call, U256::ZERO).await
    }

    /// Sends the Capsule's refusal.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn decline(&self, terms: &Terms, reason: Refusal, signature: &[u8]) -> Result<TxOutcome, Error> {
        let call = Campaigns::declineCall { t: terms.clone(), reason: reason.code(), sig: signature.to_vec().into() };
        self.send("decline the campaign", &call, U256::ZERO).await
    }

    /// Sends the Capsule's settlement of a window.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn settle(
        &self,
        terms: &Terms,
        submissions: &[Submission],
        outcomes: &[Outcome],
        next: Option<Published>,
        close: CloseReason,
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = settle_call(terms, submissions, outcomes, next, close, signature)?;
        self.send("settle the window", &call, U256::ZERO).await
    }

    /// Simulates a settlement. Sends nothing and needs no account.
    ///
    /// # Errors
    /// When the contract would refuse, or the chain does not answer.
    pub async fn check_settle(
        &self,
        terms: &Terms,
        submissions: &[Submission],
        outcomes: &[Outcome],
        next: Option<Published>,
        close: CloseReason,
        signature: &[u8],
    ) -> Result<(), Error> {
        let call = settle_call(terms, submissions, outcomes, next, close, signature)?;
        let request = TransactionRequest::default().with_to(self.deployment().campaigns).with_input(call.abi_encode());
        self.shared.node.simulate("settle the window", &request).await
    }

    /// Sends the Capsule's delivery, with the hand-overs of all versions in order.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn finalize(
        &self,
        terms: &Terms,
        result: Digest,
        handovers: &[Handover],
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::finalizeCall {
            t: terms.clone(),
            result: result.into(),
            handovers: handovers.iter().map(Into::into).collect(),
            sig: signature.to_vec().into(),
        };
        self.send("finalize the campaign", &call, U256::ZERO).await
    }

    /// Frees the stake of a Capsule that has delivered.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn release(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        self.send("release the Capsule's stake", &Campaigns::releaseCall { t: terms.clone() }, U256::ZERO).await
    }

    /// Takes the stake of a Capsule whose hand-over does not decrypt. Publishes the audit key of the version.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn convict_handover(
        &self,
        terms: &Terms,
        version: Version,
        handover: &Handover,
        proof: KeyProof,
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::convictHandoverCall { t: terms.clone(), version: version.0, h: handover.into(), proof };
        self.send("convict the Capsule", &call, U256::ZERO).await
    }

    /// Takes the stake of a Capsule that published a dishonest word. Publishes the seed of the version.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn convict_material(
        &self,
        terms: &Terms,
        version: Version,
        handover: &Handover,
        proof: WordProof,
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::convictMaterialCall { t: terms.clone(), version: version.0, h: handover.into(), proof };
        self.send("convict the Capsule", &call, U256::ZERO).await
    }
}

fn settle_call(
    terms: &Terms,
    submissions: &[Submission],
    outcomes: &[Outcome],
    next: Option<Published>,
    close: CloseReason,
    signature: &[u8],
) -> Result<Campaigns::settleCall, Error> {
    Ok(Campaigns::settleCall {
        t: terms.clone(),
        subs: submissions.to_vec(),
        outcomes: outcomes.iter().map(|outcome| outcome.encode()).collect::<Result<_, _>>()?,
        next: next.map(Publication::from).unwrap_or_default(),
        close_: close as u8,
        sig: signature.to_vec().into(),
    })
}

fn withdraw_call(terms: &Terms, to: Address) -> Campaigns::withdrawCall {
    Campaigns::withdrawCall { t: terms.clone(), to }
}
