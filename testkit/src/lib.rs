//! Fixtures and stages that the tests of several crates share.

pub mod openpgp;
pub mod postgres;
pub mod stage;
pub mod yes_or_no;

/// An HTTP client for servers of the test's own.
pub fn http() -> reqwest::Client {
    sonar_node::http::client("http://127.0.0.1", std::time::Duration::from_secs(60)).unwrap()
}
