//! The event stream: every event of the contract in chain order, resumable, honest about rollbacks.
//!
//! A stream reads the index from its own cursor, so a slow reader costs nothing and loses nothing.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use alloy::primitives::hex;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;

use super::{App, dto::EventView, problem::Problem};
use crate::index::{Filter, Position, Progress, Stored};

/// Streams that may be open at the same time.
const MAX_STREAMS: usize = 2_048;
const PAGE: u32 = 256;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The id of an event: its position, and the start of its block's hash, which tells after a reconnection whether the
/// chain was rolled back meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventId {
    position: Position,
    block: Option<String>,
}

impl EventId {
    /// Where the event is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The id of a stored event.
    #[must_use]
    pub fn of(record: &Stored) -> String {
        format!("{}-{}", record.position, hash_prefix(record.block_hash.as_slice()))
    }
}

impl std::str::FromStr for EventId {
    type Err = crate::index::NotAPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.match_indices('-').nth(1) {
            Some((at, _)) => Ok(Self { position: text[..at].parse()?, block: Some(text[at + 1..].to_owned()) }),
            None => Ok(Self { position: text.parse()?, block: None }),
        }
    }
}

fn hash_prefix(hash: &[u8]) -> String {
    hex::encode(&hash[..4])
}

struct Reader {
    app: Arc<App>,
    filter: Filter,
    cursor: Option<Position>,
    rollbacks: usize,
    ready: VecDeque<Event>,
    progress: watch::Receiver<Progress>,
    stopping: watch::Receiver<bool>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.app.metrics.sse_leave();
    }
}

/// Opens a stream of the events after `after`; of those to come if there is no `after`.
///
/// # Errors
/// Too many streams, or the index cannot be read.
pub async fn open(
    app: Arc<App>,
    filter: Filter,
    after: Option<EventId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    if !app.metrics.sse_enter(MAX_STREAMS) {
        return Err(Problem::unavailable(format!("{MAX_STREAMS} event streams are open already; try again later")));
    }
    let progress = app.index.progress();
    let seen = *progress.borrow();
    let mut reader = Reader {
        stopping: app.stopping.clone(),
        filter,
        cursor: seen.indexed.map(|block| Position::end_of(block.number)),
        rollbacks: seen.rollbacks,
        ready: VecDeque::new(),
        progress,
        app,
    };
    reader.ready.push_back(message("open", &json!({ "block": seen.indexed.map(|block| block.number) })));
    if let Some(after) = after {
        reader.resume(after).await?;
    }
    let stream = stream::unfold(reader, |mut reader| async { reader.next().await.map(|event| (Ok(event), reader)) });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Reader {
    /// Goes on after an event that the client has seen; from the start if that event does not exist any more.
    async fn resume(&mut self, after: EventId) -> Result<(), Problem> {
        let known = match &after.block {
            None => true,
            Some(prefix) => {
                let hash = self.app.index.store().block_hash(after.position.block).await;
                let hash = hash.map_err(|error| Problem::internal(&error))?;
                hash.is_some_and(|hash| hash_prefix(hash.as_slice()) == *prefix)
            }
        };
        if known {
            self.cursor = Some(after.position);
        } else {
            self.rolled_back_to(None);
        }
        Ok(())
    }

    fn rolled_back_to(&mut self, block: Option<u64>) {
        let survivor = block.map(Position::end_of);
        self.cursor = self.cursor.min(survivor);
        self.ready.push_back(message("rollback", &json!({ "block": block })));
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.progress.mark_unchanged();
            if *self.stopping.borrow() {
                return None;
            }
            if let Some(block) = self.app.index.rolled_back_since(self.rollbacks) {
                self.rollbacks = self.app.index.rollbacks();
                self.rolled_back_to(block);
                continue;
            }
            // A database that cannot be read ends the stream; the client connects again and resumes.
            let page = self.app.index.store().events(&self.filter, self.cursor, PAGE).await.ok()?;
            if let Some(last) = page.last() {
                self.cursor = Some(last.position);
                self.ready.extend(page.iter().map(event));
                continue;
            }
            tokio::select! {
                changed = self.progress.changed() => changed.ok()?,
                changed = self.stopping.changed() => changed.ok()?,
            }
        }
    }
}

fn event(record: &Stored) -> Event {
    message(&record.kind, &json!(EventView::from(record))).id(EventId::of(record))
}

fn message(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_with_and_without_the_block() {
        let position = Position { block: 12, log: 3 };
        assert_eq!("12-3-00ff00ff".parse(), Ok(EventId { position, block: Some("00ff00ff".into()) }));
        assert_eq!("12-3".parse(), Ok(EventId { position, block: None }));
        assert!("12".parse::<EventId>().is_err());
        assert!("x-3-00".parse::<EventId>().is_err());
    }
}
