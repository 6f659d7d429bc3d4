//! The server's tasks. Each runs until the server stops. A task that ends earlier is a fault: the server reports the
//! reason, is no longer ready, and stops.

use std::{future::Future, panic::AssertUnwindSafe};

use futures::FutureExt;
use tokio::{sync::watch, task::JoinSet};

/// The first fault of a task, if any.
pub type Fault = Option<String>;

/// Tasks that run until `stopping` becomes true.
#[derive(Debug)]
pub struct Tasks {
    running: JoinSet<()>,
    stopping: watch::Receiver<bool>,
    fault: watch::Sender<Fault>,
}

impl Tasks {
    /// Creates an empty set.
    pub fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { running: JoinSet::new(), stopping, fault: watch::Sender::new(None) }
    }

    /// The first fault, and a signal when it happens.
    pub fn fault(&self) -> watch::Receiver<Fault> {
        self.fault.subscribe()
    }

    /// Starts a task. If it ends, normally or with a panic, before the server stops, that is a fault.
    pub fn start(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let (stopping, fault) = (self.stopping.clone(), self.fault.clone());
        self.running.spawn(async move {
            let reason = match AssertUnwindSafe(work).catch_unwind().await {
                Ok(()) if *stopping.borrow() => return,
                Ok(()) => format!("the task `{name}` ended; the log has the reason"),
                Err(_) => format!("the task `{name}` failed with a panic, which is a bug; the log has its message"),
            };
            tracing::error!("{reason}");
            fault.send_if_modified(|fault| {
                let is_first = fault.is_none();
                fault.get_or_insert(reason);
                is_first
            });
        });
    }

    /// Returns when all tasks have ended.
    pub async fn join(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    /// Aborts all tasks.
    pub async fn abort(&mut self) {
        self.running.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fault_of(work: impl Future<Output = ()> + Send + 'static) -> String {
        let (_stop, stopping) = watch::channel(false);
        let mut tasks = Tasks::new(stopping);
        tasks.start("index", work);
        let mut fault = tasks.fault();
        let fault = fault.wait_for(Option::is_some).await.unwrap();
        fault.clone().unwrap()
    }

    #[tokio::test]
    async fn a_task_that_ends_before_the_server_is_a_fault() {
        let ended = fault_of(async {}).await;
        assert!(ended.contains("`index` ended"), "{ended}");
        let broken = fault_of(async { panic!("a bug") }).await;
        assert!(broken.contains("`index` failed") && broken.contains("panic"), "{broken}");
    }

    #[tokio::test]
    async fn a_task_that_ends_with_the_server_is_none() {
        let (stop, mut stopping) = watch::channel(false);
        let mut tasks = Tasks::new(stopping.clone());
        tasks.start("index", async move {
            let _ = stopping.wait_for(|&stop| stop).await;
        });
        stop.send(true).unwrap();
        tasks.join().await;
        assert_eq!(*tasks.fault().borrow(), None);
    }
}
