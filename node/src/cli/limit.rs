//! `--timeout`: a limit for everything that a command does.
//!
//! Work that waits for the network is cancelled where it waits. Work that blocks its thread (a pipe without a writer, a
//! hanging file system, a long computation) cannot be cancelled; then a second thread ends the program. Files are
//! replaced in one step, so no file is left half-written.

use std::{
    future::Future,
    process,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{Code, Failure, Output, Report};

/// Time for work to be cancelled before the program is ended.
const GRACE: Duration = Duration::from_millis(500);
/// Locked while a passphrase is typed: a program that ends there would leave a terminal without echo.
static PROMPT: Mutex<()> = Mutex::new(());

/// Prevents the time limit from ending the program.
pub(super) fn uninterrupted() -> MutexGuard<'static, ()> {
    PROMPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a command, within the limit of `--timeout` if given, and prints its result.
pub fn run(
    limit: Option<Duration>,
    output: Output,
    work: impl AsyncFnOnce(&Output) -> Result<Report, Failure>,
) -> process::ExitCode {
    let result = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let result = runtime.block_on(within(limit, &output, work(&output)));
            // Do not wait for cancelled work that still blocks a thread: its result is discarded.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::internal(error)),
    };
    output.finish(result)
}

async fn within(
    limit: Option<Duration>,
    output: &Output,
    work: impl Future<Output = Result<Report, Failure>>,
) -> Result<Report, Failure> {
    let Some(limit) = limit else {
        return work.await;
    };
    // Dropped when this function returns.
    let (_working, has_ended) = mpsc::channel::<()>();
    let output = output.clone();
    thread::spawn(move || {
        if has_ended.recv_timeout(limit + GRACE) == Err(RecvTimeoutError::Timeout) {
            let _typing = uninterrupted();
            let failure = timed_out(limit);
            let exit = failure.code.exit();
            let _ = output.finish(Err(failure));
            process::exit(exit as i32);
        }
    });
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timed_out(limit)))
}

fn timed_out(limit: Duration) -> Failure {
    let message = format!("not finished within {} s", limit.as_secs_f64());
    Failure::new(Code::TimedOut, message).help("nothing is lost: run the same command again to resume")
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Instant};

    use super::*;
    use crate::cli::Globals;

    const CHILD: &str = "SONAR_TEST_LIMIT_CHILD";
    const LIMIT: Option<Duration> = Some(Duration::from_millis(100));

    fn output() -> Output {
        Output::new(&Globals { json: true, ..Globals::default() }, "sonar.test/1")
    }

    #[tokio::test]
    async fn work_that_waits_ends_at_the_limit() {
        let failure = within(LIMIT, &output(), std::future::pending()).await.unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (Code::TimedOut, "not finished within 0.1 s"));
        let done = within(LIMIT, &output(), async { Report::new(&1, "done") }).await;
        assert!(done.is_ok());
    }

    /// The other half of the test below.
    #[tokio::test]
    #[ignore = "runs in a separate process, which its limit ends"]
    async fn a_program_that_blocks() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let blocked = async {
            thread::sleep(Duration::from_secs(600));
            Report::new(&1, "done")
        };
        let _ = within(LIMIT, &output(), blocked).await;
    }

    #[test]
    fn work_that_blocks_ends_with_the_program() {
        let started = Instant::now();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::limit::tests::a_program_that_blocks", "--ignored", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert_eq!(child.status.code(), Some(8));
        assert!(started.elapsed() < Duration::from_secs(300));
        let printed = String::from_utf8(child.stdout).unwrap();
        let document = printed.lines().find(|line| line.starts_with('{')).expect("a JSON document");
        assert!(document.contains("\"TIMED_OUT\"") && document.contains("sonar.test/1"), "{document}");
    }
}
