//! The contracts' events, read in spans that the node allows.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use alloy::{
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use sonar_contracts::Campaigns;
use sonar_protocol::{
    event::{Event, LogPosition, Record},
    ids::CampaignId,
    terms::CampaignTerms,
    units::Timestamp,
};
use tokio::time::sleep;

use super::{
    Client, Error, RpcNode,
    span::{self, LogSpan, SpanRefusal},
};

const WHAT: &str = "read the contracts' events";
/// Delay after a refusal that may be a rate limit.
const UNCLEAR_PAUSE: Duration = Duration::from_millis(250);

/// The node's answer to a request for logs.
enum Page {
    Logs(Vec<Log>),
    Refused(SpanRefusal, String),
}

impl RpcNode {
    /// Requests the logs of the blocks that `filter` spans. A refusal that a shorter request may avoid is an answer and
    /// not an error.
    async fn page(&self, filter: &Filter, is_one_block: bool) -> Result<Page, Error> {
        let request = || async {
            match self.provider().get_logs(filter).await {
                Ok(logs) => Ok(Page::Logs(logs)),
                Err(error) => match span::refusal(&error) {
                    Some(SpanRefusal::TooLarge) => Ok(Page::Refused(SpanRefusal::TooLarge, self.message(&error))),
                    Some(SpanRefusal::Unclear) if !is_one_block => {
                        Ok(Page::Refused(SpanRefusal::Unclear, self.message(&error)))
                    }
                    _ => Err(error),
                },
            }
        };
        self.ask_while(WHAT, request, |error| span::refusal(error).is_some()).await
    }
}

impl Client {
    /// The contracts' events in these blocks, in order.
    ///
    /// # Errors
    /// When the chain cannot be read, or the node returns inconsistent events.
    pub async fn logs(&self, from_block: u64, to_block: u64) -> Result<Vec<Record>, Error> {
        let deployment = self.deployment();
        let filter = Filter::new().address(vec![deployment.campaigns, deployment.registry]);
        self.records(&filter, from_block, to_block).await
    }

    /// The events of one campaign in these blocks, in order. The node filters them, so a long chain costs few bytes.
    ///
    /// # Errors
    /// As [`Self::logs`].
    pub async fn campaign_logs(&self, id: CampaignId, from_block: u64, to_block: u64) -> Result<Vec<Record>, Error> {
        // Every event about a campaign has its id as the first indexed parameter.
        let filter = Filter::new().address(self.deployment().campaigns).topic1(id.0);
        self.records(&filter, from_block, to_block).await
    }

    async fn records(&self, filter: &Filter, from_block: u64, to_block: u64) -> Result<Vec<Record>, Error> {
        let deployment = self.deployment();
        let logs = self.raw_logs(filter, from_block, to_block).await?;
        let mut times = BTreeMap::new();
        let mut records = Vec::with_capacity(logs.len());
        for log in &logs {
            let event = if log.address() == deployment.campaigns {
                Event::from_campaigns(&log.inner)
            } else {
                Event::from_registry(&log.inner)
            };
            let event = event.map_err(|reason| nonsense(log, &reason))?;
            if let Some(event) = event {
                let at = self.position(log, &mut times).await?;
                records.push(Record { at, event });
            }
        }
        Ok(records)
    }

    /// A campaign's terms, from the event that opened it.
    ///
    /// # Errors
    /// When there is no such campaign, or the chain cannot be read.
    pub async fn terms(&self, id: CampaignId) -> Result<CampaignTerms, Error> {
        if let Some(terms) = self.shared.terms.lock().await.get(&id) {
            return Ok(terms.clone());
        }
        let head = self.head().await?;
        let filter = Filter::new()
            .address(self.deployment().campaigns)
            .event_signature(Campaigns::Opened::SIGNATURE_HASH)
            .topic1(id.0);
        let logs = self.raw_logs(&filter, self.deployment().block, head.number).await?;
        let terms = logs
            .iter()
            .find_map(|log| Campaigns::Opened::decode_log(&log.inner).ok())
            .map(|log| log.data.terms)
            .ok_or(Error::UnknownCampaign(id))?;
        let nonsense = |reason| Error::Nonsense { what: "read the campaign's terms", reason };
        if self.id(&terms) != id {
            return Err(nonsense(format!("their hash is not {id}")));
        }
        let terms = CampaignTerms::try_from(terms).map_err(|error| nonsense(error.to_string()))?;
        self.shared.terms.lock().await.insert(id, terms.clone());
        Ok(terms)
    }

    async fn position(&self, log: &Log, times: &mut BTreeMap<u64, Timestamp>) -> Result<LogPosition, Error> {
        let (Some(block), Some(block_hash), Some(transaction), Some(index)) =
            (log.block_number, log.block_hash, log.transaction_hash, log.log_index)
        else {
            return Err(nonsense(log, "it has no block number"));
        };
        let known = log.block_timestamp.map(Timestamp::from_unix);
        let timestamp = match known.or_else(|| times.get(&block).copied()) {
            Some(time) => time,
            None => match self.block(block).await? {
                Some((_, time)) => time,
                None => return Err(nonsense(log, "its block does not exist")),
            },
        };
        times.insert(block, timestamp);
        Ok(LogPosition { block, block_hash, timestamp, transaction, index })
    }

    async fn raw_logs(&self, filter: &Filter, from: u64, to: u64) -> Result<Vec<Log>, Error> {
        let mut logs = Vec::new();
        let mut start = from;
        while start <= to {
            let span = self.span();
            let end = span.end(start, to);
            let filter = filter.clone().from_block(start).to_block(end);
            match self.shared.node.page(&filter, start == end).await? {
                Page::Logs(page) => {
                    logs.extend(page);
                    self.set_span(span.after_success(start, end));
                    start = end.saturating_add(1);
                }
                Page::Refused(refusal, message) => {
                    let Some(shorter) = span.after_refusal(start, end, &message) else {
                        return Err(Error::LogsRefused { block: start, url: self.url(), message });
                    };
                    tracing::debug!(from = start, to = end, %message, "the node refused a request for logs");
                    self.set_span(shorter);
                    if refusal == SpanRefusal::Unclear {
                        sleep(UNCLEAR_PAUSE).await;
                    }
                }
            }
        }
        Ok(logs)
    }

    fn span(&self) -> LogSpan {
        *self.shared.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the span that the node allows, for the next reader of the same node.
    fn set_span(&self, span: LogSpan) {
        *self.shared.span.lock().unwrap_or_else(PoisonError::into_inner) = span;
    }
}

fn nonsense(log: &Log, reason: &str) -> Error {
    Error::Nonsense { what: WHAT, reason: format!("log {:?} of block {:?}: {reason}", log.log_index, log.block_number) }
}
