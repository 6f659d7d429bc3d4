//! Fixtures and stages shared by the tests of several crates.

pub mod openapi;
pub mod openpgp;
pub mod postgres;
pub mod stage;
pub mod yes_or_no;

/// An HTTP client for the servers of a test.
pub fn http() -> reqwest::Client {
    sonar_node::http::client("http://127.0.0.1", std::time::Duration::from_secs(60)).unwrap()
}
