//! The event stream: every event of the contract in chain order, resumable, with rollbacks as messages.
//!
//! A stream reads the index from its own cursor, so a slow reader costs nothing and loses nothing.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;

use super::{
    App,
    dto::EventView,
    event_id::{EventId, hash_prefix},
    problem::Problem,
};
use crate::index::{Filter, IndexProgress, Position, StoredEvent};

/// Maximum number of open streams.
const MAX_STREAMS: usize = 2_048;
const PAGE: u32 = 256;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Reader {
    app: Arc<App>,
    filter: Filter,
    cursor: Option<Position>,
    rollbacks: usize,
    ready: VecDeque<Event>,
    progress: watch::Receiver<IndexProgress>,
    stopping: watch::Receiver<bool>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.app.metrics.sse_leave();
    }
}

/// Opens a stream of the events after `after`, or of new events if it is `None`.
///
/// # Errors
/// Too many streams, or the index cannot be read.
pub async fn open(
    app: Arc<App>,
    filter: Filter,
    after: Option<EventId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    if !app.metrics.sse_enter(MAX_STREAMS) {
        return Err(Problem::unavailable(format!("{MAX_STREAMS} event streams are open; try again later")));
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
    /// Resumes after an event that the client has seen. If that event no longer exists, sends a `rollback` message and
    /// starts from the first event.
    async fn resume(&mut self, after: EventId) -> Result<(), Problem> {
        let known = match after.block() {
            None => true,
            Some(prefix) => {
                let hash = self.app.index.store().block_hash(after.position().block).await;
                let hash = hash.map_err(|error| Problem::internal(&error))?;
                hash.is_some_and(|hash| hash_prefix(hash.as_slice()) == prefix)
            }
        };
        if known {
            self.cursor = Some(after.position());
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

fn event(record: &StoredEvent) -> Event {
    message(&record.kind, &json!(EventView::from(record))).id(EventId::of(record))
}

fn message(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}
