//! Transactions on campaigns by data scientists, miners and Capsules.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, U256, keccak256},
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

/// How the contract takes bounty and fee of a campaign.
#[derive(Clone, Debug)]
pub enum Funding {
    /// With the transaction, in ETH.
    Value,
    /// By a permit that the account has signed.
    Permit(Box<Campaigns::openWithPermitCall>),
    /// By an allowance on chain.
    Allowance,
}

/// Bounty and fee.
fn deposit(terms: &Terms) -> U256 {
    U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm)
}

impl Client {
    /// Opens a campaign: bounty and fee go into escrow. The allowance of a token is a signed permit (EIP-2612) if the
    /// token supports it; otherwise the exact amount is approved first.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn open(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let (funding, _) = self.approve(terms).await?;
        self.open_with(terms, funding).await
    }

    /// Lets the contract take bounty and fee of a campaign. Sends a transaction only for a token without permits whose
    /// allowance is too small.
    ///
    /// # Errors
    /// When the token refuses, or the chain does not answer.
    pub async fn approve(&self, terms: &Terms) -> Result<(Funding, Option<TxOutcome>), Error> {
        if terms.token.is_zero() {
            return Ok((Funding::Value, None));
        }
        let amount = deposit(terms);
        if let Some(call) = self.permitted(terms, amount).await? {
            return Ok((Funding::Permit(Box::new(call)), None));
        }
        let spender = self.deployment().campaigns;
        let owner = self.sender("read the allowance")?.address();
        let allowance = DataCoin::allowanceCall { owner, spender };
        if self.read("read the allowance", terms.token, &allowance).await? >= amount {
            return Ok((Funding::Allowance, None));
        }
        let approve = DataCoin::approveCall { spender, value: amount };
        let approved = self.send_to("approve the bounty", terms.token, &approve, U256::ZERO).await?;
        Ok((Funding::Allowance, Some(approved)))
    }

    /// Opens a campaign with what [`Self::approve`] returned.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn open_with(&self, terms: &Terms, funding: Funding) -> Result<TxOutcome, Error> {
        let what = "open the campaign";
        let open = || Campaigns::openCall { t: terms.clone() };
        match funding {
            Funding::Value => self.send(what, &open(), deposit(terms)).await,
            Funding::Permit(call) => self.send(what, &*call, U256::ZERO).await,
            Funding::Allowance => self.send(what, &open(), U256::ZERO).await,
        }
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

    /// Closes an open campaign, or announces its end: it then closes when its window is settled.
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

    /// Closes a campaign whose Capsule did not settle a window in time. `start` is the window's hash while it was empty.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn abandon(&self, terms: &Terms, start: B256, pending: &[Submission]) -> Result<TxOutcome, Error> {
        let call = Campaigns::abandonCall { t: terms.clone(), windowStart: start, pending: pending.to_vec() };
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
    pub async fn withdraw_stake(&self, terms: &Terms, to: Address) -> Result<TxOutcome, Error> {
        self.send("withdraw the stake", &Campaigns::withdrawStakeCall { t: terms.clone(), to }, U256::ZERO).await
    }

    /// Estimated cost of `withdraw_stake` at current gas prices, in wei.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_stake_cost(&self, terms: &Terms, to: Address) -> Result<Amount, Error> {
        let call = Campaigns::withdrawStakeCall { t: terms.clone(), to };
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
        certificate: Digest,
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::activateCall {
            t: terms.clone(),
            startPpm: start.get(),
            first: first.into(),
            certificate: certificate.into(),
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
    pub async fn settle(&self, settlement: SignedSettlement<'_>) -> Result<TxOutcome, Error> {
        self.send("settle the window", &settlement.call()?, U256::ZERO).await
    }

    /// Simulates a settlement. Sends nothing and needs no account.
    ///
    /// # Errors
    /// When the contract would refuse, or the chain does not answer.
    pub async fn check_settle(&self, settlement: SignedSettlement<'_>) -> Result<(), Error> {
        let call = settlement.call()?.abi_encode();
        let request = TransactionRequest::default().with_to(self.deployment().campaigns).with_input(call);
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

    /// Frees the stake of a Capsule that has delivered, and pays its fee, after the audit period.
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

/// A Capsule's signed settlement of a window.
#[derive(Clone, Copy, Debug)]
pub struct SignedSettlement<'a> {
    /// The campaign's terms.
    pub terms: &'a Terms,
    /// The window's hash while it was empty.
    pub window_start: B256,
    /// The window's submissions, in order.
    pub submissions: &'a [Submission],
    /// Their outcomes.
    pub outcomes: &'a [Outcome],
    /// What the Capsule published for the next version.
    pub next: Option<Published>,
    /// Why the campaign closes, if the Capsule decides that.
    pub close: CloseReason,
    /// The attester's signature.
    pub signature: &'a [u8],
}

impl SignedSettlement<'_> {
    fn call(&self) -> Result<Campaigns::settleCall, Error> {
        Ok(Campaigns::settleCall {
            t: self.terms.clone(),
            windowStart: self.window_start,
            subs: self.submissions.to_vec(),
            outcomes: self.outcomes.iter().map(|outcome| outcome.encode()).collect::<Result<_, _>>()?,
            next: self.next.map(Publication::from).unwrap_or_default(),
            close_: self.close as u8,
            sig: self.signature.to_vec().into(),
        })
    }
}

fn withdraw_call(terms: &Terms, to: Address) -> Campaigns::withdrawCall {
    Campaigns::withdrawCall { t: terms.clone(), to }
}
