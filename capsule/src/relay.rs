//! Sonar's relay: keeps a signed settlement and sends it when the Capsule's own transaction does not arrive.

use std::time::Duration;

use alloy::primitives::{Address, hex};
use serde::Serialize;
use sonar_contracts::{Submission, Terms};
use sonar_node::http;
use sonar_protocol::{handover::Published, ids::Digest, wire::TermsJson};

use crate::record::Settlement;

/// Time for an answer: the relay is a precaution, and settling must not wait for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A relay.
#[derive(Clone, Debug)]
pub struct Relay {
    url: String,
    http: reqwest::Client,
}

#[derive(Serialize)]
struct Request<'a> {
    terms: TermsJson,
    submissions: Vec<Place>,
    outcomes: &'a [u16],
    next: Option<Published>,
    close: u8,
    signature: String,
}

#[derive(Serialize)]
struct Place {
    miner: Address,
    content: Digest,
}

impl Relay {
    /// The relay of the Sonar at this URL.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(sonar: &str) -> Result<Self, reqwest::Error> {
        let url = format!("{}/api/v1/relay/settlement", sonar.trim_end_matches('/'));
        let http = http::client(sonar, TIMEOUT)?;
        Ok(Self { url, http })
    }

    /// Leaves a settlement there. That it cannot is no failure.
    pub async fn offer(&self, terms: &Terms, submissions: &[Submission], settlement: &Settlement, signature: &[u8]) {
        let request = Request {
            terms: TermsJson::from(terms),
            submissions: submissions
                .iter()
                .map(|submission| Place { miner: submission.miner, content: submission.content.into() })
                .collect(),
            outcomes: &settlement.outcomes,
            next: settlement.next,
            close: settlement.close,
            signature: hex::encode_prefixed(signature),
        };
        let answer = self.http.post(&self.url).json(&request).send().await;
        if let Err(error) = answer.and_then(reqwest::Response::error_for_status) {
            let reason = http::reason(&self.url, &error);
            tracing::debug!(reason, "Sonar does not keep the settlement");
        }
    }
}
