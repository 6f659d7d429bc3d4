use alloy::primitives::{Address, B256, Bytes, U256};
use sonar_contracts::{OutcomeError, Revert};

use super::Unmined;
use crate::cli::{Code, Failure};
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, TokenUnit},
};

/// Why the chain did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Not a URL, or of another scheme; as it is shown.
    #[error("`{0}` is not the URL of a chain's JSON-RPC, such as http://127.0.0.1:8545")]
    Url(String),
    /// The node does not answer, after retries.
    #[error("cannot {what}: the chain at {url} does not answer: {reason}")]
    Unreachable {
        /// What was tried.
        what: &'static str,
        /// The node.
        url: String,
        /// What was heard last.
        reason: String,
    },
    /// The node answers, but not with what was asked for.
    #[error("cannot {what}: the node refused: {message}")]
    Node {
        /// What was tried.
        what: &'static str,
        /// What it said.
        message: String,
    },
    /// The node refuses logs even of a single block.
    #[error(
        "cannot read the contracts' events: the chain at {url} refuses even those of block {block} alone: {message}; \
         use another RPC endpoint, or raise its limits"
    )]
    LogsRefused {
        /// The block.
        block: u64,
        /// The node.
        url: String,
        /// What it said.
        message: String,
    },
    /// A contract refused, for a reason that it named.
    #[error("cannot {what}: {revert}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Why not.
        revert: Box<Revert>,
    },
    /// A contract refused without a reason that this program knows.
    #[error("cannot {what}: the contract refused with {data}")]
    UnknownRevert {
        /// What was tried.
        what: &'static str,
        /// What it returned.
        data: Bytes,
    },
    /// Another chain than the deployment's.
    #[error("{url} is chain {found}, but the contracts are on chain {expected}")]
    WrongChain {
        /// The node.
        url: String,
        /// The deployment's chain.
        expected: u64,
        /// The node's chain.
        found: u64,
    },
    /// No contract where one should be.
    #[error(
        "there is no contract at {address} on chain {chain_id} at {url}: the chain was replaced, or the node is not synchronised; \
         start the node with its state, or run `sonar deploy` and start again with the new deployment file"
    )]
    NoContract {
        /// The node.
        url: String,
        /// Where it should be.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
    /// A transaction needs an account.
    #[error("cannot {what}: no account was unlocked to sign it")]
    NoSigner {
        /// What was tried.
        what: &'static str,
    },
    /// The account cannot pay.
    #[error("cannot {what}: {account} has {}, and {} is needed", eth(.balance), eth(.needed))]
    Funds {
        /// What was tried.
        what: &'static str,
        /// The account.
        account: Address,
        /// What it has, in wei.
        balance: U256,
        /// What it needs, in wei.
        needed: U256,
    },
    /// No such campaign.
    #[error("there is no campaign {0} on this contract")]
    UnknownCampaign(CampaignId),
    /// A transaction was sent but is not in a block yet.
    #[error("cannot {what}: transaction {hash} was not mined within {seconds} s: {reason}")]
    NotMined {
        /// What was tried.
        what: &'static str,
        /// The transaction, with the fees that it had last.
        hash: B256,
        /// How long was waited.
        seconds: u64,
        /// Why it is not.
        reason: Unmined,
    },
    /// An earlier transaction of the account blocks all later ones.
    #[error(
        "cannot {what}: an earlier transaction of {account} (nonce {nonce}) is not mined, and its fees are too high to replace it; \
         wait until it is mined, or replace it with a wallet"
    )]
    Blocked {
        /// What was tried.
        what: &'static str,
        /// The account.
        account: Address,
        /// The earlier transaction's nonce.
        nonce: u64,
    },
    /// A transaction was mined and failed.
    #[error("cannot {what}: transaction {hash} failed on chain: something changed while it was on its way")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// The transaction.
        hash: B256,
    },
    /// The node told something that these contracts cannot have said.
    #[error("cannot {what}: the node's answer makes no sense: {reason}")]
    Nonsense {
        /// What was tried.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An outcome that the contract has no code for.
    #[error("cannot settle the window: {0}")]
    Outcome(#[from] OutcomeError),
    /// A signature could not be made.
    #[error("cannot sign: {0}")]
    Sign(String),
}

fn eth(wei: &U256) -> String {
    TokenUnit::eth().format(Amount(*wei))
}

impl Error {
    /// Whether a rule of a contract forbids it (so that trying again changes nothing).
    #[must_use]
    pub fn revert(&self) -> Option<&Revert> {
        match self {
            Self::Refused { revert, .. } => Some(revert),
            _ => None,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
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
