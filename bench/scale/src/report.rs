//! What was measured, as JSON for programs and as a page for people.

use std::{collections::BTreeMap, fmt::Write as _, fs, thread};

use serde::Serialize;

use crate::{
    history::Size,
    load::RouteFigures,
    measure::{Figures, Start},
};

/// How many times smaller the history is from which it is known whether costs are linear.
pub const PARTS: u32 = 10;

/// The report that programs read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScaleReport {
    /// Events in the history.
    pub events: usize,
    /// Seconds until `sonar serve` has read the history on a fresh home.
    pub index_seconds: f64,
    /// Seconds until a restarted `sonar serve` is ready.
    pub restart_seconds: f64,
    /// Seconds until a restarted Mine is ready.
    pub mine_restart_seconds: f64,
    /// The most memory of `sonar serve`, from scratch or restarted and under load.
    pub index_bytes: u64,
    /// The most memory of a Mine, from scratch or restarted.
    pub mine_bytes: u64,
    /// Per GET route, the time in milliseconds that 99 of 100 answers do not exceed.
    pub p99_ms: BTreeMap<String, f64>,
    /// Open event streams on which the event of a new block came.
    pub event_streams: usize,
    /// What ten times the data cost.
    pub linear: Linearity,
}

/// Ratios between a history and one that is ten times smaller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Linearity {
    /// Of `sonar serve`'s time from scratch.
    pub x10_seconds: f64,
    /// Of its memory then.
    pub x10_bytes: f64,
}

impl ScaleReport {
    /// Of a history and its tenth.
    #[must_use]
    pub fn new(whole: &Figures, part: &Figures) -> Self {
        Self {
            events: whole.events,
            index_seconds: rounded(whole.index.seconds),
            restart_seconds: rounded(whole.restart.seconds),
            mine_restart_seconds: rounded(whole.mine_restart.seconds),
            index_bytes: whole.index.peak_bytes.max(whole.restart.peak_bytes),
            mine_bytes: whole.mine.peak_bytes.max(whole.mine_restart.peak_bytes),
            p99_ms: whole
                .routes
                .iter()
                .map(|(route, figures)| (route.clone(), rounded(figures.latency.p99_ms)))
                .collect(),
            event_streams: whole.streams.received,
            linear: Linearity {
                x10_seconds: ratio(whole.index.seconds, part.index.seconds),
                x10_bytes: ratio(as_float(whole.index.peak_bytes), as_float(part.index.peak_bytes)),
            },
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn ratio(whole: f64, part: f64) -> f64 {
    if part > 0.0 { (whole / part * 100.0).round() / 100.0 } else { 0.0 }
}

#[allow(clippy::cast_precision_loss)] // Bytes and counts far below 2^53.
fn as_float(value: u64) -> f64 {
    value as f64
}

/// The machine that was measured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Model of its processor.
    pub processor: String,
    /// Cores that programs may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: u64,
}

impl Machine {
    /// This one, as far as the system says.
    #[must_use]
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (processors, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let kilobytes =
            field(&memory, "MemTotal").and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
        Self {
            processor: field(&processors, "model name").unwrap_or("unknown processor").into(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory: kilobytes.unwrap_or_default() * 1024,
        }
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

/// What the page says about how it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long the history was.
    pub size: Size,
    /// Clients that asked at the same time.
    pub clients: usize,
    /// Requests to each route.
    pub requests: usize,
    /// Event streams that were opened.
    pub streams: usize,
}

/// The page.
#[must_use]
pub fn page(settings: &Settings, machine: &Machine, whole: &Figures, part: &Figures) -> String {
    let report = ScaleReport::new(whole, part);
    let Settings { size, clients, requests, streams } = settings;
    let Size { campaigns, submissions, miners } = *size;
    let mut text = String::from(
        "# Scale\n\nTime and memory of `sonar serve` and a Mine with a long history. `make scale` measures them and \
         writes this page.\n\n",
    );
    let mut line = |content: String| text.push_str(&format!("{content}\n"));
    line(format!(
        "Machine: {}, {} cores, {:.0} GB of memory.",
        machine.processor,
        machine.cores,
        as_float(machine.memory) / 1e9
    ));
    line(format!(
        "History: {} campaigns, {} submissions, {} miners; {} events in {} blocks.",
        grouped(campaigns.into()),
        grouped(submissions.into()),
        grouped(miners.into()),
        grouped(whole.events as u64),
        grouped(whole.blocks),
    ));
    line("\n## Figures\n\n| what | measured | aim |\n| --- | ---: | ---: |".into());
    let seconds = |value: f64| format!("{value:.1} s");
    let megabytes = |bytes: u64| format!("{:.0} MB", as_float(bytes) / 1e6);
    let slowest = whole.routes.values().map(|figures| figures.latency.p99_ms).fold(0.0, f64::max);
    let rows = [
        ("`sonar serve` reads the history on a fresh home", seconds(report.index_seconds), ""),
        ("`sonar serve` restarts", seconds(report.restart_seconds), "≤ 5 s"),
        ("`sonar serve` stops", seconds(whole.stop_seconds), ""),
        ("`sonar serve`, most memory", megabytes(report.index_bytes), "≤ 600 MB"),
        ("`sonar serve`, home on disk", megabytes(whole.disk_bytes), ""),
        ("a Mine reads the history on a fresh home", seconds(whole.mine.seconds), ""),
        ("a Mine restarts", seconds(report.mine_restart_seconds), "≤ 3 s"),
        ("a Mine, most memory", megabytes(report.mine_bytes), "≤ 150 MB"),
        ("slowest GET route, p99", format!("{slowest:.1} ms"), "≤ 50 ms"),
        ("event streams that got the event of a new block", report.event_streams.to_string(), ""),
        ("ten times the history, time to read it", format!("× {:.1}", report.linear.x10_seconds), "≤ × 12"),
        ("ten times the history, memory to read it", format!("× {:.1}", report.linear.x10_bytes), "≤ × 12"),
    ];
    for (what, measured, aim) in rows {
        line(format!("| {what} | {measured} | {aim} |"));
    }
    line(format!(
        "\n## Routes\n\n{clients} clients with one connection each send requests without a pause, {} in total. \
         `?after` are the pages after the first.\n\n| GET | p50 | p99 | slowest | bytes | answers |\n| --- | ---: | \
         ---: | ---: | ---: | --- |",
        grouped(*requests as u64),
    ));
    for (route, figures) in &whole.routes {
        let RouteFigures { latency, bytes, statuses } = figures;
        let statuses: Vec<_> = statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        line(format!(
            "| `{route}` | {:.1} ms | {:.1} ms | {:.1} ms | {} | {} |",
            latency.p50_ms,
            latency.p99_ms,
            latency.max_ms,
            grouped(*bytes as u64),
            statuses.join(", "),
        ));
    }
    line(format!(
        "\n## Event streams\n\n{} of {streams} clients were connected at the same time, and {} got the event of a \
         block that was added then: half of them within {:.0} ms, 99 of 100 within {:.0} ms of the block. Of that, up \
         to 250 ms are the time between two queries of the chain.",
        whole.streams.open, whole.streams.received, whole.streams.latency.p50_ms, whole.streams.latency.p99_ms,
    ));
    line("\n## A tenth of the history\n\n| what | whole | tenth |\n| --- | ---: | ---: |".into());
    let starts = |figures: &Figures| [figures.index, figures.restart, figures.mine, figures.mine_restart];
    let names = ["`sonar serve`, fresh", "`sonar serve`, restart", "Mine, fresh", "Mine, restart"];
    for (name, (whole, part)) in names.into_iter().zip(starts(whole).into_iter().zip(starts(part))) {
        let both = |start: Start| format!("{:.2} s, {}", start.seconds, megabytes(start.peak_bytes));
        line(format!("| {name} | {} | {} |", both(whole), both(part)));
    }
    text.push_str(HOW);
    text
}

const HOW: &str = "
## How it is measured

- A generator creates the history: campaigns are opened, activated, served, settled, closed, delivered and paid, with the real
  contracts' events. Several dozen run at a time; the first gets up to 50,000 submissions, the others about a thousand each. The last
  twentieth stays open. The history is the same in every run.
- A small JSON-RPC server in the harness is the chain node. Harness, node and programs share the machine's cores.
- The programs are the release builds, with the confirmations of a public chain (12) and a query of the chain every 250 ms.
- `sonar serve` is ready when `/readyz` reports it and the last confirmed block is indexed.
- A Mine is ready when it reports it and has read all events: it has queried the head of the chain again after it read the last
  event. Before its restart one more event is added. It has no data, so it serves no campaign.
- Memory is the peak of the resident set. That of `sonar serve` is the larger of the process that reads the history and the
  restarted one, which answers all requests and streams. The ratio for ten times the history compares only the former.
- The harness serves no IPFS artefacts, so the hub keeps retrying to fetch them, and the privacy statement, which needs a manifest,
  answers 404.
- Run `make scale` on a quiet machine; `make scale ARGS=--quick` tries it with one hundredth and leaves this page alone.
";

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{digit}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Latency, StreamFigures};

    fn figures(scale: u32) -> Figures {
        let start =
            |seconds: f64| Start { seconds: seconds * f64::from(scale), peak_bytes: 50_000_000 * u64::from(scale) };
        let latency = Latency { p50_ms: 1.0, p99_ms: 2.5, max_ms: 4.0, count: 10 };
        let asked = RouteFigures { latency, statuses: BTreeMap::from([(200, 10)]), bytes: 1_234 };
        Figures {
            events: 1_200_000,
            blocks: 200_000,
            index: start(4.0),
            restart: start(0.5),
            mine: start(3.0),
            mine_restart: start(0.25),
            routes: BTreeMap::from([("/api/v1/info".to_owned(), asked)]),
            streams: StreamFigures { open: 1_000, received: 999, latency },
            ..Figures::default()
        }
    }

    #[test]
    fn the_report_has_the_agreed_keys() {
        let report = serde_json::to_value(ScaleReport::new(&figures(10), &figures(1))).unwrap();
        let expected = serde_json::json!({
            "events": 1_200_000,
            "index_seconds": 40.0,
            "restart_seconds": 5.0,
            "mine_restart_seconds": 2.5,
            "index_bytes": 500_000_000,
            "mine_bytes": 500_000_000,
            "p99_ms": { "/api/v1/info": 2.5 },
            "event_streams": 999,
            "linear": { "x10_seconds": 10.0, "x10_bytes": 10.0 },
        });
        assert_eq!(report, expected);
    }

    #[test]
    fn the_page_describes_the_machine_and_has_no_path() {
        let size = Size { campaigns: 1_000, submissions: 1_000_000, miners: 10_000 };
        let settings = Settings { size, clients: 50, requests: 2_000, streams: 1_000 };
        let machine = Machine { processor: "Model 7".into(), cores: 2, memory: 24_000_000_000 };
        let page = page(&settings, &machine, &figures(10), &figures(1));
        assert!(page.contains("Machine: Model 7, 2 cores, 24 GB of memory."));
        assert!(page.contains("1,000,000 submissions"));
        assert!(page.contains("| `/api/v1/info` | 1.0 ms | 2.5 ms | 4.0 ms | 1,234 | 10 × 200 |"));
        assert!(["/root", "/home", "/tmp", "/work"].iter().all(|path| !page.contains(path)));
    }
}
