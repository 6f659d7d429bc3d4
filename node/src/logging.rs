//! Logging to stderr: survives a reader that goes away, and escapes control characters.

use std::{
    fmt,
    io::{self, Write},
};

use sonar_protocol::text;
use tracing::field::Field;
use tracing_subscriber::{
    field::MakeExt,
    fmt::{
        FormatFields,
        format::{Writer, debug_fn},
    },
};

/// Formatter of the fields of a log line: escapes control characters in untrusted text. Colours are added later.
pub fn fields() -> impl for<'w> FormatFields<'w> + 'static {
    debug_fn(write_field).delimited(" ")
}

fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = text::escape(&value);
    match field.name() {
        "message" => write!(writer, "{value}"),
        name => write!(writer, "{}={value}", name.trim_start_matches("r#")),
    }
}

/// A stream of JSON documents, whose control characters are escaped.
#[derive(Debug)]
pub struct EscapedJson<W>(pub W);

impl<W: Write> Write for EscapedJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(text::escape_json(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A stream whose failures are ignored.
///
/// When the reader of a pipe goes away (`tee`, an SSH connection, a log collector that restarts), every write fails.
/// The subscriber would report that on the same broken stream with a macro that panics, which would end the program.
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
    use std::{
        process::{Command, Stdio},
        sync::{Arc, Mutex},
    };

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

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn strangers_texts_are_escaped_in_the_log() {
        let (lines, documents) = (Buffer::default(), Buffer::default());
        let log = || {
            let name = "b\u{1b}]0;owned\u{7}\u{202e}\u{9b}x";
            tracing::error!(%name, line = 3, "the node said {name}");
        };
        let builder = || tracing_subscriber::fmt().without_time().with_target(false);
        let (writer, json_writer) = (lines.clone(), documents.clone());
        let text = builder().with_ansi(false).fmt_fields(fields()).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(text, log);
        let json = builder().json().with_writer(move || EscapedJson(json_writer.clone())).finish();
        tracing::subscriber::with_default(json, log);
        let read = |buffer: Buffer| String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let name = r"b\u{1b}]0;owned\u{7}\u{202e}\u{9b}x";
        assert_eq!(read(lines), format!("ERROR the node said {name} name={name} line=3\n"));
        let document = read(documents);
        assert!(document.trim_end().chars().all(|c| c.is_ascii() && !c.is_control()), "{document:?}");
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["fields"]["name"], "b\u{1b}]0;owned\u{7}\u{202e}\u{9b}x");
    }

    /// The other half of the test below.
    #[test]
    #[ignore = "runs in a separate process, whose log reader goes away"]
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
