//! Where the log goes: to stderr, for as long as somebody reads it.

use std::io::{self, Write};

/// A stream whose failures are ignored.
///
/// When the reader of a pipe goes away (`tee`, an SSH connection, a log collector that restarts), every write fails. The
/// subscriber would report that on the same broken stream, with a macro that panics; a log is not worth a program's life.
#[derive(Debug)]
pub struct BestEffort<W>(pub W);

impl<W: Write> Write for BestEffort<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::cli::{Globals, Logging, Output, init_tracing};

    const CHILD: &str = "SONAR_TEST_LOG_CHILD";

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_write_to_a_broken_stream_succeeds() {
        let mut log = BestEffort(Broken);
        log.write_all(b"a line\n").unwrap();
        log.flush().unwrap();
    }

    /// The other half of the test below.
    #[test]
    #[ignore = "runs in a process of its own, whose log reader goes away"]
    fn a_program_that_logs() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let globals = Globals { verbose: 2, ..Globals::default() };
        init_tracing(&globals, Logging::Daemon);
        // The reader is gone when this line arrives.
        let _ = io::stdin().read_line(&mut String::new());
        for _ in 0..3 {
            tracing::error!("nobody reads this");
            Output::new(&globals, "sonar.test/1").warn("nor this");
        }
    }

    #[test]
    fn a_program_outlives_the_reader_of_its_log() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "logging::tests::a_program_that_logs", "--ignored", "--nocapture"])
            .env(CHILD, "1")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stderr.take());
        child.stdin.take().unwrap().write_all(b"the reader is gone\n").unwrap();
        assert!(child.wait().unwrap().success());
    }
}
