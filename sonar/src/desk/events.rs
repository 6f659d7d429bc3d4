//! The event stream of the desk: changes of launches and accounts, resumable by id.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::sync::watch;

use super::launches::LaunchView;

/// Changes that a reader can resume after.
const KEPT: usize = 256;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A change.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Notice {
    /// A launch changed.
    Launch(Box<LaunchView>),
    /// An account was made, unlocked or locked.
    Accounts {
        /// Its name.
        account: String,
    },
}

impl Notice {
    const fn name(&self) -> &'static str {
        match self {
            Self::Launch(_) => "launch",
            Self::Accounts { .. } => "accounts",
        }
    }
}

/// The changes since the desk was started.
#[derive(Debug)]
pub struct Events {
    /// Distinguishes ids of this run from those of others.
    run: u64,
    log: Mutex<Log>,
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Log {
    /// Number of changes so far; the last one in `kept` has this number.
    count: u64,
    kept: VecDeque<Notice>,
}

/// What a reader gets next.
#[derive(Debug)]
enum Next {
    Change(u64, Notice),
    /// Changes were lost: read everything again.
    Reset(u64),
}

impl Events {
    pub fn new() -> Self {
        Self { run: rand::random(), log: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// Adds a change.
    pub fn publish(&self, notice: Notice) {
        let mut log = self.log();
        log.count += 1;
        log.kept.push_back(notice);
        if log.kept.len() > KEPT {
            log.kept.pop_front();
        }
        self.count.send_replace(log.count);
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The change after number `seen`, if there is one.
    fn after(&self, seen: u64) -> Option<Next> {
        let log = self.log();
        if seen == log.count {
            return None;
        }
        let first = log.count - log.kept.len() as u64 + 1;
        let found = seen.checked_add(1).filter(|next| (first..=log.count).contains(next));
        let found = found.and_then(|next| Some((next, log.kept.get(usize::try_from(next - first).ok()?)?.clone())));
        Some(found.map_or(Next::Reset(log.count), |(number, notice)| Next::Change(number, notice)))
    }

    /// The number of the change with this id; `None` if it is of another run.
    fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        let is_ours = u64::from_str_radix(run, 16).ok()? == self.run;
        number.parse().ok().filter(|_| is_ours)
    }

    fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.run)
    }

    fn event(&self, next: Next) -> (u64, Event) {
        let (number, event) = match next {
            Next::Change(number, notice) => {
                let data = serde_json::to_string(&notice).unwrap_or_default();
                (number, Event::default().event(notice.name()).data(data))
            }
            Next::Reset(number) => (number, Event::default().event("reset").data("{}")),
        };
        (number, event.id(self.id(number)))
    }
}

/// Opens a stream of the changes after the one with the id `last`, or of new ones.
pub fn open(
    desk: std::sync::Arc<super::Desk>,
    last: Option<&str>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let now = desk.events.log().count;
    // An id of another run is resumed by a reset.
    let seen = last.map_or(Some(now), |id| desk.events.number(id));
    let hello = Event::default().event("open").data("{}").id(desk.events.id(seen.unwrap_or(now)));
    let reset = seen.is_none().then(|| desk.events.event(Next::Reset(now)).1);
    let (count, stopping) = (desk.events.count.subscribe(), desk.stopping.clone());
    let reader = Reader { desk, seen: seen.unwrap_or(now), count, stopping };
    let changes = stream::unfold(reader, |mut reader| async { reader.next().await.map(|event| (event, reader)) });
    let all = stream::iter([Some(hello), reset].into_iter().flatten()).chain(changes);
    Sse::new(all.map(Ok)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Reader {
    desk: std::sync::Arc<super::Desk>,
    seen: u64,
    count: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if *self.stopping.borrow() {
                return None;
            }
            self.count.mark_unchanged();
            if let Some(next) = self.desk.events.after(self.seen) {
                let (number, event) = self.desk.events.event(next);
                self.seen = number;
                return Some(event);
            }
            tokio::select! {
                changed = self.count.changed() => changed.ok()?,
                changed = self.stopping.changed() => changed.ok()?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: usize) -> Notice {
        Notice::Accounts { account: format!("a{number}") }
    }

    #[test]
    fn a_reader_resumes_where_it_was_or_reads_everything_again() {
        let events = Events::new();
        assert!(events.after(0).is_none());
        (1..=3).for_each(|number| events.publish(account(number)));
        assert!(matches!(events.after(1), Some(Next::Change(2, Notice::Accounts { account })) if account == "a2"));
        assert!(events.after(3).is_none());
        // The id of a later change than there is: another run had more.
        assert!(matches!(events.after(9), Some(Next::Reset(3))));
        (4..=3 + KEPT).for_each(|number| events.publish(account(number)));
        assert!(matches!(events.after(1), Some(Next::Reset(_))), "the second change is no longer kept");
        assert!(matches!(events.after(3), Some(Next::Change(4, _))));
    }

    #[test]
    fn ids_of_another_run_are_not_confused_with_those_of_this_one() {
        let (events, other) = (Events::new(), Events::new());
        assert_eq!(events.number(&events.id(7)), Some(7));
        assert_eq!(events.number(&other.id(7)), None);
        assert_eq!(events.number("nonsense"), None);
    }
}
