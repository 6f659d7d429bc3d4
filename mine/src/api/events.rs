//! Notices of changes, as server-sent events. A notice says what has changed; the page then asks for it. So a reader that
//! resumes gets one notice for each thing that changed in between, however often it did.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::books::Books;
use crate::run::LoopSnapshot;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `GET /api/mine/status`.
    Status,
    /// `GET /api/mine/campaigns`.
    Campaigns,
    /// `GET /api/mine/jobs`.
    Jobs,
    /// `GET /api/mine/earnings`.
    Earnings,
}

impl Topic {
    const ALL: [Self; 4] = [Self::Status, Self::Campaigns, Self::Jobs, Self::Earnings];

    const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Campaigns => "campaigns",
            Self::Jobs => "jobs",
            Self::Earnings => "earnings",
        }
    }
}

/// When each topic has changed last, counted in notices. Ids of another run count as older than all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    run: u32,
    last: u64,
    topics: [u64; Topic::ALL.len()],
}

impl Changes {
    /// No changes, in a run with this number.
    pub const fn of_run(run: u32) -> Self {
        Self { run, last: 0, topics: [0; Topic::ALL.len()] }
    }

    fn note(&mut self, topic: Topic) {
        self.last += 1;
        self.topics[topic as usize] = self.last;
    }

    /// The notices after this number, in order.
    fn after(&self, number: u64) -> Vec<(u64, Topic)> {
        let mut notices: Vec<_> = Topic::ALL.into_iter().map(|topic| (self.topics[topic as usize], topic)).collect();
        notices.retain(|(at, _)| *at > number);
        notices.sort_unstable_by_key(|(at, _)| *at);
        notices
    }

    /// The number of the last notice that a reader has seen, by the id of its event; `None` if it was of another run.
    fn seen(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        let number = number.parse().ok()?;
        (run.parse() == Ok(self.run) && number <= self.last).then_some(number)
    }

    /// The id of the event with this number.
    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// The first events of a stream: `open` with an id to resume from, after everything that a resuming reader missed.
    /// A reader of another run missed everything. Its events have no ids, so that it starts over if it is interrupted.
    fn first(&self, after: Option<&str>) -> Vec<Event> {
        let missed: Vec<Event> = match after.map(|id| self.seen(id)) {
            None => Vec::new(),
            Some(Some(number)) => self.notices(number).collect(),
            Some(None) => Topic::ALL.into_iter().map(notice).collect(),
        };
        let open = Event::default().event("open").id(self.id(self.last)).data("{}");
        missed.into_iter().chain([open]).collect()
    }

    fn notices(&self, after: u64) -> impl Iterator<Item = Event> {
        self.after(after).into_iter().map(|(number, topic)| notice(topic).id(self.id(number)))
    }
}

fn notice(topic: Topic) -> Event {
    Event::default().event(topic.name()).data(json!({ "changed": topic.name() }).to_string())
}

/// Follows loop and books, and notes what changes, until both are gone.
pub async fn follow(
    mut feed: watch::Receiver<LoopSnapshot>,
    mut books: watch::Receiver<Arc<Books>>,
    changes: watch::Sender<Changes>,
) {
    let mut before = (feed.borrow_and_update().clone(), books.borrow_and_update().clone());
    loop {
        let gone = tokio::select! {
            changed = feed.changed() => changed.is_err(),
            changed = books.changed() => changed.is_err(),
        };
        if gone {
            return;
        }
        let now = (feed.borrow_and_update().clone(), books.borrow_and_update().clone());
        let topics = changed(&before, &now);
        if !topics.is_empty() {
            changes.send_modify(|changes| topics.iter().for_each(|topic| changes.note(*topic)));
        }
        before = now;
    }
}

type State = (LoopSnapshot, Arc<Books>);

fn changed((old, old_books): &State, (new, new_books): &State) -> Vec<Topic> {
    let chain = old.chain.block != new.chain.block || old.chain.problem != new.chain.problem;
    let world = !Arc::ptr_eq(&old.world, &new.world);
    let journal = old.journal != new.journal;
    let steps = old.steps != new.steps;
    let files = (old.paused, &old.invalid_files, old.data_sets) != (new.paused, &new.invalid_files, new.data_sets);
    let books = old_books != new_books;
    let all = [
        (Topic::Status, chain || journal || steps || files || old_books.balance != new_books.balance),
        (Topic::Campaigns, world || journal),
        (Topic::Jobs, steps),
        (Topic::Earnings, world || books),
    ];
    all.into_iter().filter_map(|(topic, changed)| changed.then_some(topic)).collect()
}

struct Reader {
    changes: watch::Receiver<Changes>,
    stopping: watch::Receiver<bool>,
    seen: u64,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if *self.stopping.borrow() {
                return None;
            }
            let now = *self.changes.borrow_and_update();
            if now.last > self.seen {
                self.ready.extend(now.notices(self.seen));
                self.seen = now.last;
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                changed = self.stopping.changed() => changed.ok()?,
            }
        }
    }
}

/// Opens a stream of the notices after this event, or of new ones.
pub fn open(
    changes: watch::Receiver<Changes>,
    stopping: watch::Receiver<bool>,
    after: Option<&str>,
    permit: OwnedSemaphorePermit,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let now = *changes.borrow();
    let reader = Reader { seen: now.last, ready: now.first(after).into(), changes, stopping, _permit: permit };
    let stream = stream::unfold(reader, |mut reader| async { reader.next().await.map(|event| (Ok(event), reader)) });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(topics: &[Topic]) -> Changes {
        let mut changes = Changes::of_run(7);
        topics.iter().for_each(|topic| changes.note(*topic));
        changes
    }

    #[test]
    fn a_reader_that_resumes_gets_one_notice_of_each_topic_that_changed() {
        let changes = noted(&[Topic::Jobs, Topic::Status, Topic::Jobs, Topic::Jobs]);
        assert_eq!(changes.after(0), [(2, Topic::Status), (4, Topic::Jobs)]);
        assert_eq!(changes.after(2), [(4, Topic::Jobs)]);
        assert_eq!(changes.after(4), []);
        assert_eq!((changes.seen("7-2"), changes.first(Some("7-2")).len()), (Some(2), 2));
        assert_eq!(changes.first(None).len(), 1, "only the id to resume from");
    }

    #[test]
    fn a_reader_of_another_run_gets_a_notice_of_everything() {
        let changes = noted(&[Topic::Jobs]);
        for id in ["8-1", "7-2", "x", "", "7-x"] {
            assert_eq!((changes.seen(id), changes.first(Some(id)).len()), (None, 5), "{id}");
        }
    }

    #[test]
    fn only_what_changed_is_noted() {
        let state = || (LoopSnapshot::default(), Arc::new(Books::default()));
        let old = state();
        assert_eq!(changed(&old, &old.clone()), []);
        let mut new = old.clone();
        new.0.chain.block = Some(1);
        assert_eq!(changed(&old, &new), [Topic::Status]);
        let mut new = old.clone();
        new.1 = Arc::new(Books { balance: Some(1_u128.into()), ..Books::default() });
        assert_eq!(changed(&old, &new), [Topic::Status, Topic::Earnings]);
        let mut new = old.clone();
        // The time of the chain alone is no news.
        new.0.chain.now = sonar_protocol::units::Timestamp::from_unix(9);
        assert_eq!(changed(&old, &new), []);
    }
}
