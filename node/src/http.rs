//! HTTP clients, made in one place: how they encrypt, and which proxies they use.

use std::{net::IpAddr, sync::Once, time::Duration};

use reqwest::{Client, ClientBuilder, Url};

/// A client for requests to `url`, each of which may take `timeout`.
///
/// The environment's proxies are used, except for loopback addresses: no proxy can reach this machine's own services.
///
/// # Errors
/// When the environment names an invalid proxy, or the system's certificates cannot be read.
pub fn client(url: &str, timeout: Duration) -> Result<Client, reqwest::Error> {
    builder(url).timeout(timeout).build()
}

/// The same, to be given more settings.
#[must_use]
pub fn builder(url: &str) -> ClientBuilder {
    install_crypto();
    let builder = Client::builder();
    if is_loopback(url) { builder.no_proxy() } else { builder }
}

/// Chooses who encrypts for TLS. Without it, making a client panics: reqwest's own choice (aws-lc) compiles C for a minute.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails only when somebody has installed another one, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Whether a URL is on this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else { return false };
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for url in
            ["http://localhost:8545", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:80/x", "http://LOCALHOST"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://example.org", "http://10.0.0.1", "http://localhost.example.org", "", "127.0.0.1"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
