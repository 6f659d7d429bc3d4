//! Client of Sonar's relay, which sends a signed settlement if the Capsule's own transaction does not arrive.

use std::time::Duration;

use alloy::primitives::Bytes;
use sonar_node::http;
use sonar_protocol::{
    view::CampaignView,
    wire::{SettlementRequest, SubmissionJson, TermsJson},
};

use crate::campaign::record::Settlement;

/// Time limit for a response. Short, because the relay is only a precaution and must not delay the settlement.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A client of one relay.
#[derive(Clone, Debug)]
pub struct RelayClient {
    url: String,
    http: reqwest::Client,
}

impl RelayClient {
    /// Creates a client for the Sonar at this URL.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(sonar: &str) -> Result<Self, reqwest::Error> {
        let url = format!("{}/api/v1/relay/settlement", sonar.trim_end_matches('/'));
        let http = http::client(sonar, TIMEOUT)?;
        Ok(Self { url, http })
    }

    /// Sends a settlement to the relay. A failure is only logged.
    pub async fn offer(&self, campaign: &CampaignView, settlement: &Settlement, signature: &[u8]) {
        let request = SettlementRequest {
            terms: TermsJson::from(&campaign.terms),
            window_start: campaign.window.start,
            submissions: campaign.window.submissions.iter().map(SubmissionJson::from).collect(),
            outcomes: settlement.outcomes.clone(),
            next: settlement.next,
            close: settlement.close,
            signature: Bytes::copy_from_slice(signature),
        };
        let answer = self.http.post(&self.url).json(&request).send().await;
        if let Err(error) = answer.and_then(reqwest::Response::error_for_status) {
            let reason = http::reason(&self.url, &error);
            tracing::debug!(reason, "Sonar's relay did not accept the settlement");
        }
    }
}
