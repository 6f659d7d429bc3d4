//! The job driver of all programs: runs jobs that fetch, compute and send, each for one key (a campaign or an
//! artefact).
//!
//! A program's loop reads the world, calls [`JobDriver::is_due`], and [starts](JobDriver::start) the next step of a
//! key. The driver leases the key to that step, so that no two steps of one key run at once, and limits the number of
//! concurrent steps. The loop gets the result of a step from [`JobDriver::next`] and starts over:
//!
//! ```text
//!            start                     ends: done, failed, out of time, panicked
//!   free ─────────────► leased ────────────────────────────────────────────────► resting ──► free
//!                                                                     the same step waits a growing pause,
//!                                                                     another step may start at once
//! ```
//!
//! A step that succeeded and is still due has an effect that is not visible yet (on the chain, for example), so it
//! waits like a failed step. Nothing of this is on disk: a program that restarts decides from the world what to do.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Display},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{AcquireError, Semaphore, SemaphorePermit},
    task::{self, JoinSet},
    time::{Instant, timeout, timeout_at},
};
use tracing::Instrument as _;

/// Delays and time limits of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Delay before the first retry of a step, which doubles each time …
    pub first_pause: Duration,
    /// … up to this. A step that succeeded, and was not started again for longer than this, starts with the first
    /// delay.
    pub longest_pause: Duration,
    /// Time for running jobs to end when the program stops.
    pub grace: Duration,
}

impl Patience {
    /// The delay after a number of attempts in a row. `random` is between 0 and 1: it shortens the delay by up to half,
    /// so that steps that failed together are not retried together.
    #[must_use]
    pub fn pause(&self, attempts: u32, random: f64) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        doubled.min(self.longest_pause).mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }
}

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Name in logs and metrics. There should be few names.
    pub name: &'static str,
    /// Time limit of a step. Work on a separate thread (`spawn_blocking`) is not ended by it.
    pub limit: Duration,
    /// Maximum number of concurrent steps of this name, if lower than that of the driver. The others wait in a queue.
    pub at_most: Option<usize>,
}

impl Step {
    /// A step without its own limit of concurrency.
    #[must_use]
    pub const fn new(name: &'static str, limit: Duration) -> Self {
        Self { name, limit, at_most: None }
    }

    /// Limits the number of concurrent steps of this name.
    #[must_use]
    pub const fn at_most(self, count: usize) -> Self {
        Self { at_most: Some(count), ..self }
    }
}

/// Why a step has no result. It may be retried.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError<E> {
    /// It failed.
    #[error(transparent)]
    Failed(#[from] E),
    /// It exceeded its time limit.
    #[error("the step `{step}` took longer than {limit:?}")]
    TimedOut {
        /// The step.
        step: &'static str,
        /// Its time limit.
        limit: Duration,
    },
    /// A bug.
    #[error("the step `{step}` ended with a panic, which is a bug; the log has its message")]
    Panicked {
        /// The step.
        step: &'static str,
    },
    /// The program stopped.
    #[error("the step `{step}` was not completed before the program stopped")]
    HandedBack {
        /// The step.
        step: &'static str,
    },
}

/// The end of a step.
#[derive(Debug)]
pub struct EndedJob<K, T, E> {
    /// Key of the step.
    pub key: K,
    /// Its name.
    pub step: &'static str,
    /// How long it ran, without the time in the queue.
    pub took: Duration,
    /// The returned data.
    pub result: Result<T, JobError<E>>,
}

/// Lease of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease<S> {
    /// The step that runs or ran last. Only the same step must wait.
    work: S,
    /// Number of starts in a row.
    attempts: u32,
    /// Number of failures in a row.
    failures: u32,
    /// When it may be started again; `None` while it runs.
    due: Option<Instant>,
}

impl<S: PartialEq> Lease<S> {
    /// The lease after the start of this work.
    fn started(before: Option<Self>, work: S, now: Instant, patience: &Patience) -> Self {
        let is_recent = |due: Instant| now.saturating_duration_since(due) <= patience.longest_pause;
        let goes_on = |lease: &Self| lease.failures > 0 || lease.due.is_some_and(is_recent);
        let again = before.filter(|lease| lease.work == work && goes_on(lease));
        let (attempts, failures) = again.map_or((0, 0), |lease| (lease.attempts, lease.failures));
        Self { work, attempts: attempts.saturating_add(1), failures, due: None }
    }

    /// The lease after the end of its work. `random` is between 0 and 1.
    fn ended(self, succeeded: bool, now: Instant, random: f64, patience: &Patience) -> Self {
        let failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
        Self { due: Some(now + patience.pause(self.attempts, random)), failures, ..self }
    }

    fn is_due(&self, work: &S, now: Instant) -> bool {
        self.due.is_some_and(|due| self.work != *work || now >= due)
    }
}

/// A started job.
struct RunningJob<K> {
    key: K,
    step: &'static str,
    since: Instant,
}

/// Runs the steps of one program. `K` is the key of a step, `S` identifies the work (more precisely than the step's
/// name, for example with the version of a model), `T` and `E` are the result of a step.
pub struct JobDriver<K, S, T, E> {
    patience: Patience,
    leases: BTreeMap<K, Lease<S>>,
    running: HashMap<task::Id, RunningJob<K>>,
    jobs: JoinSet<(Duration, Result<T, JobError<E>>)>,
    slots: Arc<Semaphore>,
    narrow: BTreeMap<&'static str, Arc<Semaphore>>,
    durations: StepDurations,
}

impl<K, S, T, E> JobDriver<K, S, T, E>
where
    K: Clone + Display + Ord,
    S: PartialEq,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Creates a driver with a maximum number of concurrent steps.
    #[must_use]
    pub fn new(at_most: usize, patience: Patience) -> Self {
        Self {
            patience,
            leases: BTreeMap::new(),
            running: HashMap::new(),
            jobs: JoinSet::new(),
            slots: Arc::new(Semaphore::new(at_most)),
            narrow: BTreeMap::new(),
            durations: StepDurations::default(),
        }
    }

    /// Whether this work may be started now: no step of the key is running, and the same work is not resting.
    #[must_use]
    pub fn is_due(&self, key: &K, work: &S) -> bool {
        self.leases.get(key).is_none_or(|lease| lease.is_due(work, Instant::now()))
    }

    /// Whether a step of the key is running or queued.
    #[must_use]
    pub fn is_running(&self, key: &K) -> bool {
        self.leases.get(key).is_some_and(|lease| lease.due.is_none())
    }

    /// Whether no step is running.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Number of running and queued steps.
    #[must_use]
    pub fn running(&self) -> usize {
        self.jobs.len()
    }

    /// Number of failures in a row of the key's last step.
    #[must_use]
    pub fn failures(&self, key: &K) -> u32 {
        self.leases.get(key).map_or(0, |lease| lease.failures)
    }

    /// Number of starts in a row of the key's last step.
    #[must_use]
    pub fn attempts(&self, key: &K) -> u32 {
        self.leases.get(key).map_or(0, |lease| lease.attempts)
    }

    /// When the next resting key is due, for a loop without other wake-ups.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        self.leases.values().filter_map(|lease| lease.due).filter(|due| *due > now).min()
    }

    /// Durations of the steps.
    #[must_use]
    pub fn durations(&self) -> StepDurations {
        self.durations.clone()
    }

    /// Starts or queues a step. Returns false, and drops the job, if the work is not due.
    pub fn start(
        &mut self,
        key: K,
        work: S,
        step: Step,
        job: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> bool {
        if !self.is_due(&key, &work) {
            return false;
        }
        let now = Instant::now();
        let lease = Lease::started(self.leases.remove(&key), work, now, &self.patience);
        let attempt = lease.attempts;
        self.leases.insert(key.clone(), lease);
        let slots = self.slots.clone();
        let narrow = step
            .at_most
            .map(|count| self.narrow.entry(step.name).or_insert_with(|| Arc::new(Semaphore::new(count))).clone());
        let span = tracing::info_span!("job", %key, step = step.name, attempt);
        let task = self.jobs.spawn(run(job, step, slots, narrow).instrument(span));
        self.running.insert(task.id(), RunningJob { key, step: step.name, since: now });
        true
    }

    /// Waits for the next step that ends; `None` if no step is running. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<EndedJob<K, T, E>> {
        loop {
            let joined = self.jobs.join_next_with_id().await?;
            let id = match &joined {
                Ok((id, _)) => *id,
                Err(error) => error.id(),
            };
            let Some(RunningJob { key, step, since }) = self.running.remove(&id) else { continue };
            let (took, result) = match joined {
                Ok((_, ended)) => ended,
                Err(error) if error.is_panic() => (since.elapsed(), Err(JobError::Panicked { step })),
                Err(_) => (since.elapsed(), Err(JobError::HandedBack { step })),
            };
            self.end(&key, step, took, &result);
            return Some(EndedJob { key, step, took, result });
        }
    }

    fn end(&mut self, key: &K, step: &'static str, took: Duration, result: &Result<T, JobError<E>>) {
        let outcome = StepOutcome::from(result);
        self.durations.record(step, outcome, took);
        tracing::debug!(%key, step, outcome = outcome.name(), ?took, "a step ended");
        if let Some(lease) = self.leases.remove(key) {
            let lease = lease.ended(result.is_ok(), Instant::now(), rand::random(), &self.patience);
            self.leases.insert(key.clone(), lease);
        }
    }

    /// Lets the key's last work rest for at least this time from now.
    pub fn rest(&mut self, key: &K, pause: Duration) {
        if let Some(lease) = self.leases.get_mut(key) {
            lease.due = lease.due.map(|due| due.max(Instant::now() + pause));
        }
    }

    /// Removes keys that have nothing more to do, except running ones.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(&K) -> bool) {
        self.leases.retain(|key, lease| lease.due.is_none() || is_wanted(key));
    }

    /// Starts nothing more, waits for running steps, and cancels them after the grace time. Returns the end of each.
    /// Queued and cancelled steps release their keys.
    pub async fn stop(&mut self) -> Vec<EndedJob<K, T, E>> {
        self.slots.close();
        self.narrow.values().for_each(|slots| slots.close());
        let end = Instant::now() + self.patience.grace;
        let mut ended = Vec::new();
        while let Ok(Some(one)) = timeout_at(end, self.next()).await {
            ended.push(one);
        }
        self.jobs.abort_all();
        while let Some(one) = self.next().await {
            tracing::warn!(key = %one.key, step = one.step, "cancelled a step at the stop; the next start repeats it");
            ended.push(one);
        }
        ended
    }
}

impl<K: fmt::Debug, S: fmt::Debug, T, E> fmt::Debug for JobDriver<K, S, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobDriver")
            .field("patience", &self.patience)
            .field("leases", &self.leases)
            .finish_non_exhaustive()
    }
}

/// Waits for a slot, and runs the job within its time limit.
async fn run<T, E>(
    job: impl Future<Output = Result<T, E>>,
    step: Step,
    slots: Arc<Semaphore>,
    narrow: Option<Arc<Semaphore>>,
) -> (Duration, Result<T, JobError<E>>) {
    let Step { name: step, limit, .. } = step;
    // The narrower limit first, so that a step that waits there takes no slot from other steps. Both queues are first
    // in, first out.
    let Ok(_permits) = enter(narrow.as_deref(), &slots).await else {
        return (Duration::ZERO, Err(JobError::HandedBack { step }));
    };
    let begin = Instant::now();
    let result = match timeout(limit, job).await {
        Ok(result) => result.map_err(JobError::Failed),
        Err(_) => Err(JobError::TimedOut { step, limit }),
    };
    (begin.elapsed(), result)
}

async fn enter<'a>(
    narrow: Option<&'a Semaphore>,
    slots: &'a Semaphore,
) -> Result<(Option<SemaphorePermit<'a>>, SemaphorePermit<'a>), AcquireError> {
    let narrow = match narrow {
        Some(narrow) => Some(narrow.acquire().await?),
        None => None,
    };
    Ok((narrow, slots.acquire().await?))
}

/// Outcome of a step, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepOutcome {
    /// It returned a result.
    Done,
    /// It returned an error.
    Failed,
    /// It exceeded its time limit.
    TimedOut,
    /// It panicked.
    Panicked,
    /// The program stopped.
    HandedBack,
}

impl StepOutcome {
    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::HandedBack => "handed_back",
        }
    }
}

impl<T, E> From<&Result<T, JobError<E>>> for StepOutcome {
    fn from(result: &Result<T, JobError<E>>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(JobError::Failed(_)) => Self::Failed,
            Err(JobError::TimedOut { .. }) => Self::TimedOut,
            Err(JobError::Panicked { .. }) => Self::Panicked,
            Err(JobError::HandedBack { .. }) => Self::HandedBack,
        }
    }
}

/// Upper bounds of the histograms' buckets in milliseconds: from a response of a local node to a training of hours.
const BUCKETS_MS: [u64; 10] = [10, 30, 100, 300, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000];

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    /// Count of each bucket, not cumulative; durations above the last bound count only in `count`.
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    sum: Duration,
}

/// A histogram of durations for each step and outcome. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct StepDurations(Arc<Mutex<BTreeMap<(&'static str, StepOutcome), Histogram>>>);

impl StepDurations {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(&'static str, StepOutcome), Histogram>> {
        // A panic elsewhere cannot leave a partial change, because every change is complete in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, step: &'static str, outcome: StepOutcome, took: Duration) {
        let mut steps = self.lock();
        let histogram = steps.entry((step, outcome)).or_default();
        histogram.count += 1;
        histogram.sum = histogram.sum.saturating_add(took);
        if let Some(bucket) = BUCKETS_MS.iter().position(|&bound| took <= Duration::from_millis(bound)) {
            histogram.buckets[bucket] += 1;
        }
    }

    /// Renders the histogram `{program}_step_seconds` in the text format of Prometheus.
    #[must_use]
    pub fn render(&self, program: &str) -> String {
        let name = format!("{program}_step_seconds");
        let mut lines = vec![format!("# HELP {name} Duration of steps."), format!("# TYPE {name} histogram")];
        for ((step, outcome), histogram) in self.lock().iter() {
            let labels = format!("step=\"{step}\",outcome=\"{}\"", outcome.name());
            let mut below = 0;
            for (bound, count) in BUCKETS_MS.iter().zip(histogram.buckets) {
                below += count;
                let seconds = Duration::from_millis(*bound).as_secs_f64();
                lines.push(format!("{name}_bucket{{{labels},le=\"{seconds}\"}} {below}"));
            }
            lines.push(format!("{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count));
            lines.push(format!("{name}_sum{{{labels}}} {}", histogram.sum.as_secs_f64()));
            lines.push(format!("{name}_count{{{labels}}} {}", histogram.count));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    const PATIENCE: Patience =
        Patience { first_pause: Duration::from_secs(1), longest_pause: Duration::from_secs(60), grace: Duration::ZERO };
    const LONG: Duration = Duration::from_secs(3_600);
    const FETCH: Step = Step::new("fetch", LONG);

    type Driver = JobDriver<u8, &'static str, u32, String>;

    fn driver(at_most: usize) -> Driver {
        Driver::new(at_most, PATIENCE)
    }

    fn started(lease: Option<Lease<&'static str>>, work: &'static str, now: Instant) -> Lease<&'static str> {
        Lease::started(lease, work, now, &PATIENCE)
    }

    fn ended(lease: Lease<&'static str>, succeeded: bool, now: Instant) -> Lease<&'static str> {
        lease.ended(succeeded, now, 0.0, &PATIENCE)
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_at_most_half_is_left_out() {
        let pauses = |random| (1..=8).map(|attempts| PATIENCE.pause(attempts, random).as_millis()).collect::<Vec<_>>();
        assert_eq!(pauses(0.0), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(pauses(1.0), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(PATIENCE.pause(u32::MAX, 0.0), PATIENCE.longest_pause);
    }

    #[test]
    fn a_leased_key_is_due_for_nothing() {
        let now = Instant::now();
        let lease = started(None, "fetch", now);
        assert!(!lease.is_due(&"fetch", now + LONG) && !lease.is_due(&"send", now + LONG));
    }

    #[test]
    fn the_same_work_waits_a_growing_pause_and_other_work_none() {
        let mut now = Instant::now();
        let mut lease = ended(started(None, "send", now), true, now);
        for (attempt, pause) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
            let pause = Duration::from_secs(pause);
            assert_eq!(lease.attempts, attempt);
            assert!(!lease.is_due(&"send", now) && lease.is_due(&"send", now + pause));
            assert!(lease.is_due(&"fetch", now));
            now += pause;
            lease = ended(started(Some(lease), "send", now), true, now);
        }
        assert_eq!(started(Some(lease), "fetch", now).attempts, 1);
    }

    #[test]
    fn failures_in_a_row_are_counted_until_it_works_or_something_else_is_done() {
        let now = Instant::now();
        let mut lease = ended(started(None, "send", now), false, now);
        lease = ended(started(Some(lease), "send", now), false, now);
        assert_eq!(lease.failures, 2);
        assert_eq!(started(Some(lease.clone()), "fetch", now).failures, 0);
        assert_eq!(ended(started(Some(lease), "send", now), true, now).failures, 0);
    }

    #[test]
    fn what_worked_and_was_not_wanted_for_long_begins_anew() {
        let now = Instant::now();
        let twice = |succeeded| {
            let first = ended(started(None, "fetch", now), succeeded, now);
            ended(started(Some(first), "fetch", now), succeeded, now)
        };
        assert_eq!(twice(true).attempts, 2);
        assert_eq!(started(Some(twice(true)), "fetch", now + LONG).attempts, 1);
        // A step that failed and then waited in the queue for that long still counts as failing.
        let failed = started(Some(twice(false)), "fetch", now + LONG);
        assert_eq!((failed.attempts, failed.failures), (3, 2));
    }

    #[tokio::test]
    async fn what_a_job_returns_is_reported_for_its_key() {
        let mut driver = driver(1);
        assert!(driver.start(7, "fetch", FETCH, async { Ok(42) }));
        assert!(driver.is_running(&7));
        assert!(!driver.start(7, "send", FETCH, async { Ok(1) }), "the key is leased");
        let ended = driver.next().await.unwrap();
        assert_eq!((ended.key, ended.step, ended.result), (7, "fetch", Ok(42)));
        assert!(!driver.is_running(&7) && driver.is_due(&7, &"send") && !driver.is_due(&7, &"fetch"));
        assert!(driver.next().await.is_none());
    }

    #[tokio::test]
    async fn a_job_that_panics_is_a_failure_while_another_job_runs() {
        let mut driver = driver(2);
        driver.start(1, "fetch", FETCH, pending());
        driver.start(2, "fetch", FETCH, async { panic!("a bug") });
        let ended = driver.next().await.unwrap();
        assert_eq!((ended.key, ended.result), (2, Err(JobError::Panicked { step: "fetch" })));
        assert_eq!(driver.failures(&2), 1);
        assert!(driver.is_running(&1) && driver.is_due(&2, &"send"));
    }

    /// Its destructor runs when the job has returned already.
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("a bug");
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_destructor_frees_the_key_too() {
        let mut driver = driver(1);
        let broken = PanicsWhenDropped;
        driver.start(1, "fetch", FETCH, async move {
            let _broken = &broken;
            Ok(1)
        });
        assert_eq!(driver.next().await.unwrap().result, Err(JobError::Panicked { step: "fetch" }));
        assert!(!driver.is_running(&1));
    }

    #[tokio::test]
    async fn a_step_that_takes_too_long_is_ended() {
        let mut driver = driver(1);
        driver.start(1, "fetch", Step::new("fetch", Duration::ZERO), pending());
        let error = driver.next().await.unwrap().result.unwrap_err();
        assert_eq!(error.to_string(), "the step `fetch` took longer than 0ns");
        assert_eq!(driver.failures(&1), 1);
    }

    #[tokio::test]
    async fn no_more_steps_run_at_once_than_allowed_and_they_run_in_the_order_of_their_start() {
        let mut driver = driver(1);
        let (release, released) = oneshot::channel();
        driver.start(9, "fetch", FETCH, async { released.await.map_err(|error| error.to_string()) });
        for key in [5, 3, 4] {
            driver.start(key, "fetch", FETCH, async { Ok(0) });
        }
        release.send(1).unwrap();
        let mut order = Vec::new();
        while let Some(ended) = driver.next().await {
            order.push(ended.key);
        }
        assert_eq!(order, [9, 5, 3, 4]);
    }

    #[tokio::test]
    async fn what_waits_for_a_narrow_step_takes_no_slot() {
        let mut driver = driver(2);
        let train = Step::new("train", LONG).at_most(1);
        for key in 1..=4 {
            driver.start(key, "train", train, pending());
        }
        driver.start(5, "fetch", FETCH, async { Ok(1) });
        assert_eq!(driver.running(), 5);
        assert_eq!(driver.next().await.unwrap().key, 5);
        assert_eq!(driver.running(), 4);
    }

    #[tokio::test]
    async fn to_stop_completes_what_can_end_and_hands_back_the_rest() {
        let mut driver = Driver::new(1, Patience { grace: LONG, ..PATIENCE });
        let (begin, begun) = oneshot::channel();
        let (release, released) = oneshot::channel();
        driver.start(1, "send", FETCH, async {
            begin.send(()).unwrap();
            released.await.map_err(|error| error.to_string())
        });
        driver.start(2, "send", FETCH, async { Ok(2) });
        begun.await.unwrap();
        release.send(1).unwrap();
        let results: BTreeMap<_, _> = driver.stop().await.into_iter().map(|ended| (ended.key, ended.result)).collect();
        assert_eq!(results[&1], Ok(1));
        assert_eq!(results[&2], Err(JobError::HandedBack { step: "fetch" }));
        assert!(driver.is_idle());
    }

    #[tokio::test]
    async fn what_does_not_end_within_the_grace_is_ended() {
        let mut driver = driver(1);
        driver.start(1, "fetch", FETCH, pending());
        let ended = driver.stop().await;
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].result, Err(JobError::HandedBack { step: "fetch" }));
        assert!(!driver.is_running(&1));
    }

    #[tokio::test]
    async fn work_that_was_told_to_rest_is_not_due() {
        let mut driver = driver(1);
        driver.start(1, "send", FETCH, async { Ok(1) });
        driver.next().await.unwrap();
        driver.rest(&1, LONG);
        assert!(driver.next_due().unwrap() > Instant::now() + PATIENCE.longest_pause);
        assert!(!driver.is_due(&1, &"send") && driver.is_due(&1, &"fetch"));
        driver.retain(|_| false);
        assert!(driver.is_due(&1, &"send") && driver.next_due().is_none());
    }

    #[test]
    fn durations_are_a_histogram_of_prometheus() {
        let durations = StepDurations::default();
        for took in [5, 20, 200_000_000] {
            durations.record("fetch", StepOutcome::Done, Duration::from_millis(took));
        }
        let text = durations.render("mine");
        for line in [
            "# TYPE mine_step_seconds histogram",
            "mine_step_seconds_bucket{step=\"fetch\",outcome=\"done\",le=\"0.01\"} 1",
            "mine_step_seconds_bucket{step=\"fetch\",outcome=\"done\",le=\"0.03\"} 2",
            "mine_step_seconds_bucket{step=\"fetch\",outcome=\"done\",le=\"36000\"} 2",
            "mine_step_seconds_bucket{step=\"fetch\",outcome=\"done\",le=\"+Inf\"} 3",
            "mine_step_seconds_count{step=\"fetch\",outcome=\"done\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
