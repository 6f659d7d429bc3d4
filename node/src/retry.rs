//! Retries of requests. The total time is limited, however long single attempts take, and a long wait is logged.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};

/// How long a peer may be silent before the wait is logged.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(2);
/// Delays between attempts grow from this …
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Retries requests to one peer. Clones share whether the peer is known to be silent.
#[derive(Clone, Debug)]
pub struct Retries {
    peer: String,
    limit: Duration,
    announced: Arc<AtomicBool>,
}

impl Retries {
    /// `peer` is shown to people, as in "the chain at http://127.0.0.1:8545". `limit` is the total time of all attempts
    /// of one request.
    #[must_use]
    pub fn new(peer: String, limit: Duration) -> Self {
        Self { peer, limit, announced: Arc::default() }
    }

    /// Total time of one request with all its attempts.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Makes attempts until one succeeds, fails permanently (`is_temporary` is false), or the time has passed.
    ///
    /// # Errors
    /// The last failure; `None` if no attempt ended in time.
    pub async fn run<T, E, F>(
        &self,
        attempt: impl FnMut() -> F,
        is_temporary: impl Fn(&E) -> bool,
    ) -> Result<T, Option<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut attempts = pin!(self.attempts(attempt, is_temporary));
        tokio::select! {
            result = &mut attempts => return result,
            () = sleep(ANNOUNCED_AFTER) => self.announce(),
        }
        attempts.await
    }

    async fn attempts<T, E, F>(
        &self,
        mut attempt: impl FnMut() -> F,
        is_temporary: impl Fn(&E) -> bool,
    ) -> Result<T, Option<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let end = Instant::now() + self.limit;
        let (mut last, mut pause) = (None, FIRST_PAUSE);
        loop {
            let Ok(result) = timeout_at(end, attempt()).await else {
                return Err(last);
            };
            match result {
                Err(error) if is_temporary(&error) => {
                    if Instant::now() + pause >= end {
                        return Err(Some(error));
                    }
                    last = Some(error);
                }
                answer => {
                    self.announced.store(false, Ordering::Relaxed);
                    return answer.map_err(Some);
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Logged once until the peer answers again.
    fn announce(&self) {
        if !self.announced.swap(true, Ordering::Relaxed) {
            let (waited, limit) = (ANNOUNCED_AFTER.as_secs(), self.limit.as_secs_f64());
            tracing::warn!("{} has not answered for {waited} s; waiting up to {limit} s for each answer", self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::{pending, ready},
    };

    use super::*;

    fn retries(limit: Duration) -> Retries {
        Retries::new("the test".into(), limit)
    }

    #[tokio::test]
    async fn one_limit_holds_for_all_attempts_together() {
        let retries = retries(Duration::from_millis(300));
        // Each attempt is shorter than the limit, so that only the limit for all of them ends this.
        let attempt = || async {
            sleep(Duration::from_millis(50)).await;
            Err::<(), _>("timed out")
        };
        assert_eq!(retries.run(attempt, |_| true).await, Err(Some("timed out")));

        let attempts = Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            let first = attempts.get() == 1;
            async move { if first { Err("busy") } else { pending::<Result<(), _>>().await } }
        };
        assert_eq!(retries.run(attempt, |_| true).await, Err(Some("busy")), "the second attempt is cut short");
    }

    #[tokio::test]
    async fn a_silent_peer_is_announced_until_it_answers() {
        let retries = retries(ANNOUNCED_AFTER + Duration::from_millis(200));
        assert_eq!(retries.run(pending::<Result<(), &str>>, |_| true).await, Err(None));
        assert!(retries.announced.load(Ordering::Relaxed));
        retries.run(|| ready(Ok::<_, &str>(())), |_| true).await.unwrap();
        assert!(!retries.announced.load(Ordering::Relaxed), "the next silence is announced again");
    }

    #[tokio::test]
    async fn only_temporary_failures_are_tried_again() {
        let attempts = Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            ready(Err::<(), _>(if attempts.get() < 3 { "busy" } else { "refused" }))
        };
        let result = retries(Duration::from_secs(10)).run(attempt, |&error| error == "busy").await;
        assert_eq!((result, attempts.get()), (Err(Some("refused")), 3));
    }
}
