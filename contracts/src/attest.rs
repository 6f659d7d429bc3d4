//! The attestations of a Capsule (EIP-712).

use alloy::{
    primitives::{Address, B256},
    sol,
    sol_types::{Eip712Domain, SolStruct, eip712_domain},
};

sol! {
    /// Activation: the campaign runs with this measured starting accuracy.
    #[derive(Debug, PartialEq, Eq)]
    struct Activation {
        bytes32 campaign;
        uint32 startPpm;
        bytes32 windowHash;
        bytes32 material;
        bytes32 root;
        bytes32 handover;
        bytes32 certificate;
    }

    /// Refusal: the Capsule declines the campaign.
    #[derive(Debug, PartialEq, Eq)]
    struct Decline {
        bytes32 campaign;
        uint8 reason;
    }

    /// Settlement: the outcomes of a window's submissions.
    #[derive(Debug, PartialEq, Eq)]
    struct Settlement {
        bytes32 campaign;
        uint32 version;
        uint32 window;
        bytes32 windowHash;
        uint16[] outcomes;
        bytes32 material;
        bytes32 root;
        bytes32 handover;
        uint8 close;
    }

    /// Delivery of the finished model.
    #[derive(Debug, PartialEq, Eq)]
    struct Delivery {
        bytes32 campaign;
        bytes32 windowHash;
        bytes32 result;
    }
}

/// The EIP-712 domain of a Campaigns contract, so that a signature for one chain and contract is invalid on another.
#[must_use]
pub fn domain(chain_id: u64, campaigns: Address) -> Eip712Domain {
    eip712_domain! {
        name: "Sonar",
        version: "1",
        chain_id: chain_id,
        verifying_contract: campaigns,
    }
}

/// An attestation that the contract accepts.
pub trait Attestation: SolStruct {
    /// The hash that the attestation key signs.
    fn signing_hash(&self, chain_id: u64, campaigns: Address) -> B256 {
        self.eip712_signing_hash(&domain(chain_id, campaigns))
    }
}

impl Attestation for Activation {}
impl Attestation for Decline {}
impl Attestation for Settlement {}
impl Attestation for Delivery {}
