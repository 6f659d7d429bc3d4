//! HTTP clients: TLS, proxies, and how URLs and failures are shown.

use std::{error::Error, net::IpAddr, sync::Once, time::Duration};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Client, ClientBuilder, Url};

/// Creates a client for requests to `url` with this time limit per request.
///
/// The environment's proxies are used, except for loopback addresses: no proxy can reach this machine's own services.
///
/// # Errors
/// When the environment names an invalid proxy, or the system's certificates cannot be read.
pub fn client(url: &str, timeout: Duration) -> Result<Client, reqwest::Error> {
    builder(url).timeout(timeout).build()
}

/// The same, as a builder for more settings.
pub fn builder(url: &str) -> ClientBuilder {
    install_crypto();
    let builder = Client::builder();
    if is_loopback(url) { builder.no_proxy() } else { builder }
}

/// Installs the TLS implementation. Without it, creating a client panics: reqwest's default (aws-lc) is disabled
/// because it compiles C for a minute.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if another implementation is installed, which works too.
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

/// A URL for messages, logs and JSON: scheme, host and port. Users, passwords, paths and queries often contain secrets
/// (a provider's key, for example). Text that is not a URL with a host is not shown at all.
#[must_use]
pub fn shown(url: &str) -> String {
    let origin = |url: Url| {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}://{}{port}", url.scheme(), url.host_str()?))
    };
    url.parse().ok().and_then(origin).unwrap_or_else(|| "…".into())
}

/// Why a request to `url` failed: the innermost cause ("connection refused" rather than "error sending request"), without the
/// URL, and with the proxy that it went through.
#[must_use]
pub fn reason(url: &str, error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    // reqwest appends the whole URL to errors without a cause, such as an HTTP status.
    let text = text.split(" for url (").next().unwrap_or_default();
    match proxy(url, &Matcher::from_env()) {
        Some(proxy) => format!("{text} (through the proxy {proxy} of the environment)"),
        None => text.to_owned(),
    }
}

/// The proxy for a URL, for messages.
fn proxy(url: &str, environment: &Matcher) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    let proxy = environment.intercept(&url.parse().ok()?)?;
    Some(shown(&proxy.uri().to_string()))
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

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, expected) in [
            ("https://user:s3cret@rpc.example.org:8443/v3/s3cret?key=s3cret#s3cret", "https://rpc.example.org:8443"),
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
            ("http://[::1]:80/s3cret", "http://[::1]"),
            ("https://rpc.example.org/s3cret", "https://rpc.example.org"),
            ("s3cret", "…"),
            ("localhost:8545/s3cret", "…"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[tokio::test]
    async fn a_failed_request_is_explained_without_its_url() {
        let url = "http://user:s3cret@127.0.0.1:1/s3cret?key=s3cret";
        let error = client(url, Duration::from_secs(5)).unwrap().get(url).send().await.unwrap_err();
        assert!(error.to_string().contains("s3cret"), "reqwest's own text has the path");
        let reason = reason(url, &error);
        assert!(reason.to_lowercase().contains("refused") && !reason.contains("s3cret"), "{reason}");
    }

    #[test]
    fn the_proxy_of_a_request_is_named_without_its_password() {
        let environment = Matcher::builder().all("http://user:s3cret@proxy.example.org:3128").no("direct.org").build();
        let through = Some("http://proxy.example.org:3128".to_owned());
        assert_eq!(proxy("https://rpc.example.org/v3/key", &environment), through);
        assert_eq!(proxy("https://direct.org", &environment), None);
        assert_eq!(proxy("http://127.0.0.1:8545", &environment), None);
    }
}
