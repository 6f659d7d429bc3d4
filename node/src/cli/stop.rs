//! Signals that stop a daemon.

use std::future;

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process receives SIGINT, SIGTERM, or SIGHUP (when its terminal is closed).
///
/// Before the first poll, these signals end the process at once.
pub async fn stop_signal() {
    // Read first, because listening replaces it.
    let is_hangup_ignored = ignores_hangup();
    let hangup =
        async { if is_hangup_ignored { future::pending().await } else { received(SignalKind::hangup()).await } };
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
        () = hangup => {}
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => future::pending().await,
    }
}

/// Whether SIGHUP was ignored when the process started, as `nohup` does.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_hangup_ignored(&status)
}

/// Reads the mask of ignored signals in a process' status. Signal 1 is its lowest bit.
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_respected() {
        let status = |mask: &str| format!("Name:\tmine\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(is_hangup_ignored(&status("0000000000001001")));
        assert!(!is_hangup_ignored(&status("0000000000001000")));
        assert!(!is_hangup_ignored(""));
    }
}
