//! Load: many clients that ask without a pause, and many that listen.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{timeout, timeout_at},
};

use crate::http::{Connection, Events, HttpError};

/// How long the load on one route lasts at most.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stream has to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long answers took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Half of them took less.
    pub p50_ms: f64,
    /// One in a hundred took longer.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// How many there were.
    pub count: usize,
}

impl Latency {
    /// Of these durations.
    #[must_use]
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            // Nearest rank.
            let rank = (durations.len() * percent).div_ceil(100).max(1) - 1;
            durations.get(rank).map_or(0.0, |duration| duration.as_secs_f64() * 1_000.0)
        };
        Self { p50_ms: at(50), p99_ms: at(99), max_ms: at(100), count: durations.len() }
    }
}

/// What clients got for one kind of request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteFigures {
    /// How long the answers took.
    pub latency: Latency,
    /// How many answers had each status.
    pub statuses: BTreeMap<u16, usize>,
    /// Bytes of an answer, on average.
    pub bytes: usize,
}

/// Asks for these paths in turn, `requests` times in all, from `clients` connections at the same time.
///
/// # Errors
/// When a connection breaks or an answer does not come.
pub async fn ask(
    address: SocketAddr,
    paths: &[String],
    clients: usize,
    requests: usize,
) -> Result<RouteFigures, HttpError> {
    let mut tasks = JoinSet::new();
    let end = Instant::now() + ROUTE_TIMEOUT;
    for client in 0..clients {
        // Each client starts elsewhere, so that not all ask for the same at the same moment.
        let paths: Vec<_> = (0..requests.div_ceil(clients))
            .filter_map(|number| paths.get((client + number * clients) % paths.len().max(1)).cloned())
            .collect();
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut answers = Vec::with_capacity(paths.len());
            for path in paths {
                let begin = Instant::now();
                if begin > end {
                    break;
                }
                let answer = connection.get(&path).await?;
                answers.push((begin.elapsed(), answer.status.as_u16(), answer.body.len()));
            }
            Ok(answers)
        });
    }
    let mut all = Vec::with_capacity(requests);
    while let Some(ended) = tasks.join_next().await {
        all.extend(ended.expect("clients do not panic")?);
    }
    let mut statuses = BTreeMap::new();
    all.iter().for_each(|(_, status, _)| *statuses.entry(*status).or_default() += 1);
    let bytes = all.iter().map(|(_, _, bytes)| bytes).sum::<usize>() / all.len().max(1);
    Ok(RouteFigures { latency: Latency::of(all.iter().map(|(time, ..)| *time).collect()), statuses, bytes })
}

/// What became of the event streams.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamFigures {
    /// Streams that were open at the same time.
    pub open: usize,
    /// Streams on which the event came.
    pub received: usize,
    /// From the new block until the event came.
    pub latency: Latency,
}

/// Opens `count` event streams, lets `happen` make an event once all are open, and waits until it came on all of them.
///
/// # Errors
/// When no stream can be opened.
pub async fn listen(
    address: SocketAddr,
    path: &str,
    count: usize,
    patience: Duration,
    happen: impl FnOnce(),
) -> Result<StreamFigures, HttpError> {
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let path = path.to_owned();
        opening.spawn(async move { timeout(OPEN_TIMEOUT, open(address, &path)).await });
    }
    let (mut streams, mut refused) = (Vec::with_capacity(count), None);
    while let Some(opened) = opening.join_next().await {
        match opened.expect("clients do not panic") {
            Ok(Ok(events)) => streams.push(events),
            Ok(Err(error)) => refused = Some(error),
            Err(_) => {}
        }
    }
    if streams.is_empty() {
        return Err(refused.unwrap_or_else(|| HttpError::TimedOut { path: path.into() }));
    }
    let open = streams.len();
    let (begin, begun) = watch::channel(None::<Instant>);
    let mut listening = JoinSet::new();
    for mut events in streams {
        let mut begun = begun.clone();
        listening.spawn(async move {
            let start = (*begun.wait_for(Option::is_some).await.ok()?)?;
            events.next().await.map(|_| start.elapsed())
        });
    }
    begin.send_replace(Some(Instant::now()));
    happen();
    let end = tokio::time::Instant::now() + patience;
    let mut delays = Vec::with_capacity(open);
    while let Ok(Some(ended)) = timeout_at(end, listening.join_next()).await {
        delays.extend(ended.expect("clients do not panic"));
    }
    Ok(StreamFigures { open, received: delays.len(), latency: Latency::of(delays) })
}

/// A stream that has said that it is open.
async fn open(address: SocketAddr, path: &str) -> Result<Events, HttpError> {
    let mut events = Connection::open(address).await?.events(path).await?;
    let first = events.next().await;
    first.map(|_| events).ok_or_else(|| HttpError::TimedOut { path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let latency = Latency::of((1..=200).map(Duration::from_millis).collect());
        assert_eq!((latency.p50_ms, latency.p99_ms, latency.max_ms, latency.count), (100.0, 198.0, 200.0, 200));
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
