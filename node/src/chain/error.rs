use alloy::primitives::{Address, B256, Bytes, U256};
use sonar_contracts::{OutcomeError, Revert};

use super::UnminedReason;
use crate::cli::{Code, Failure};
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, TokenUnit},
};

/// Why a request to the chain failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a URL, or has another scheme. The text is shown without secrets.
    #[error("`{0}` is not the URL of a chain's JSON-RPC, such as http://127.0.0.1:8545")]
    Url(String),
    /// The node does not answer, after retries.
    #[error("cannot {what}: the chain at {url} does not answer: {reason}")]
    Unreachable {
        /// The attempted operation.
        what: &'static str,
        /// The node.
        url: String,
        /// The last failure.
        reason: String,
    },
    /// The node returned an error.
    #[error("cannot {what}: the node refused: {message}")]
    Node {
        /// The attempted operation.
        what: &'static str,
        /// The node's message.
        message: String,
    },
    /// The node refuses logs even for a single block.
    #[error(
        "cannot read the contracts' events: the chain at {url} refuses even a request for block {block} alone: \
         {message}; use another RPC endpoint, or raise its limits"
    )]
    LogsRefused {
        /// The block.
        block: u64,
        /// The node.
        url: String,
        /// The node's message.
        message: String,
    },
    /// A contract refused with a known reason.
    #[error("cannot {what}: {revert}")]
    Refused {
        /// The attempted operation.
        what: &'static str,
        /// Why not.
        revert: Box<Revert>,
    },
    /// A contract refused with unknown data.
    #[error("cannot {what}: the contract refused with {data}")]
    UnknownRevert {
        /// The attempted operation.
        what: &'static str,
        /// The returned data.
        data: Bytes,
    },
    /// The node is on another chain than the deployment.
    #[error("{url} is chain {found}, but the contracts are on chain {expected}")]
    WrongChain {
        /// The node.
        url: String,
        /// The deployment's chain.
        expected: u64,
        /// The node's chain.
        found: u64,
    },
    /// There is no contract at the address.
    #[error(
        "there is no contract at {address} on chain {chain_id} at {url}: the chain was replaced, or the node is not synchronised; \
         start the node with its state, or run `sonar deploy` and start again with the new deployment file"
    )]
    NoContract {
        /// The node.
        url: String,
        /// Address of the contract.
        address: Address,
        /// Chain id.
        chain_id: u64,
    },
    /// A transaction needs an unlocked account.
    #[error("cannot {what}: no unlocked account to sign the transaction")]
    NoSigner {
        /// The attempted operation.
        what: &'static str,
    },
    /// The account cannot pay.
    #[error("cannot {what}: {account} has {} and needs {}", eth(.balance), eth(.needed))]
    Funds {
        /// The attempted operation.
        what: &'static str,
        /// The account.
        account: Address,
        /// Its balance in wei.
        balance: U256,
        /// The required amount in wei.
        needed: U256,
    },
    /// No campaign has this id.
    #[error("there is no campaign {0} on this contract")]
    UnknownCampaign(CampaignId),
    /// A transaction was sent but not mined in time.
    #[error("cannot {what}: transaction {hash} was not mined within {seconds} s: {reason}")]
    NotMined {
        /// The attempted operation.
        what: &'static str,
        /// Hash of the transaction with its latest fees.
        hash: B256,
        /// Time waited.
        seconds: u64,
        /// Why it was not mined.
        reason: UnminedReason,
    },
    /// An earlier transaction of the account blocks all later ones.
    #[error(
        "cannot {what}: an earlier transaction of {account} (nonce {nonce}) is not mined, and its fees are too high to replace it; \
         wait until it is mined, or replace it with a wallet"
    )]
    Blocked {
        /// The attempted operation.
        what: &'static str,
        /// The account.
        account: Address,
        /// The earlier transaction's nonce.
        nonce: u64,
    },
    /// A transaction was mined and failed.
    #[error("cannot {what}: transaction {hash} was mined and failed, because the state changed in between")]
    Failed {
        /// The attempted operation.
        what: &'static str,
        /// The transaction.
        hash: B256,
    },
    /// The node returned inconsistent events or an invalid answer.
    #[error("cannot {what}: the chain node returned an invalid answer: {reason}")]
    Nonsense {
        /// The attempted operation.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An outcome that has no code on chain.
    #[error("cannot settle the window: {0}")]
    Outcome(#[from] OutcomeError),
    /// A signature could not be created.
    #[error("cannot sign: {0}")]
    Sign(String),
}

fn eth(wei: &U256) -> String {
    TokenUnit::eth().format(Amount(*wei))
}

impl Error {
    /// Whether a rule of a contract forbids it, so that a retry is useless.
    #[must_use]
    pub fn revert(&self) -> Option<&Revert> {
        match self {
            Self::Refused { revert, .. } => Some(revert),
            _ => None,
        }
    }

    /// Whether a retry may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotMined { .. } | Self::Blocked { .. } | Self::Failed { .. })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Url(_) => Code::ChainUrl,
            Error::Unreachable { .. } => Code::ChainUnreachable,
            Error::Node { .. } | Error::LogsRefused { .. } => Code::ChainNode,
            Error::Refused { .. } => Code::ContractRefused,
            Error::UnknownRevert { .. } => Code::ContractRefused,
            Error::WrongChain { .. } => Code::WrongChain,
            Error::NoContract { .. } => Code::NoContract,
            Error::NoSigner { .. } => Code::NoSigner,
            Error::Funds { .. } => Code::InsufficientFunds,
            Error::UnknownCampaign(_) => Code::UnknownCampaign,
            Error::NotMined { .. } | Error::Blocked { .. } => Code::NotMined,
            Error::Failed { .. } => Code::TransactionFailed,
            Error::Nonsense { .. } => Code::ChainNonsense,
            Error::Outcome(_) => Code::Internal,
            Error::Sign(_) => Code::Sign,
        };
        if let Some(Revert::Campaigns(sonar_contracts::Campaigns::CampaignsErrors::UnknownCampaign(_))) = error.revert()
        {
            return Self::new(Code::UnknownCampaign, error);
        }
        Self { retryable: error.is_transient(), ..Self::new(code, error) }
    }
}
