//! Checks of a request: host, path, source, cookies.

use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};

use crate::problem::Problem;

/// The header that other origins cannot send without asking first, and its value.
const CUSTOM_HEADER: HeaderName = HeaderName::from_static("x-requested-with");
const CUSTOM_VALUE: &str = "sonar-ui";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const NAMES: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Checks that a request is addressed to this server by a name that only this machine can have. Returns the name with the
/// port, as the browser wrote it.
pub fn check_host(uri: &Uri, headers: &HeaderMap, port: u16) -> Result<String, Problem> {
    let misdirected = || {
        let detail = format!("this server answers at http://127.0.0.1:{port} only");
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "MISDIRECTED", detail)
    };
    let hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().ok().map(str::to_ascii_lowercase));
    // An absolute target (`GET http://host/path`) has a host too, which other programs might prefer.
    let target = uri.authority().map(|authority| Some(authority.as_str().to_ascii_lowercase()));
    let mut hosts = target.into_iter().chain(hosts);
    let host = hosts.next().flatten().ok_or_else(misdirected)?;
    let is_same = hosts.all(|other| other.as_ref() == Some(&host));
    let is_ours = NAMES.iter().any(|name| host == format!("{name}:{port}") || (port == 80 && host == *name));
    if is_same && is_ours { Ok(host) } else { Err(misdirected()) }
}

/// Checks that a path is spelled in the only way that this server accepts: no `.` or `..`, no empty segment, and nothing
/// encoded that need not be.
pub fn check_path(path: &str) -> Result<(), Problem> {
    let refused = || Problem::new(StatusCode::BAD_REQUEST, "PATH", "this path is not in its normal form");
    let is_odd = |segment: &str| matches!(segment, "." | "..");
    if !path.starts_with('/') || path.contains("//") || path.contains('\\') || path.split('/').any(is_odd) {
        return Err(refused());
    }
    let mut rest = path;
    while let Some((_, encoded)) = rest.split_once('%') {
        let byte = encoded.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(refused)?;
        if byte.is_ascii_alphanumeric() || byte.is_ascii_control() || b"-._~/\\".contains(&byte) {
            return Err(refused());
        }
        rest = &encoded[2..];
    }
    Ok(())
}

/// Checks that a request comes from a page of this server, or, if it only reads, from a program or the address bar.
pub fn check_source(host: &str, reads: bool, headers: &HeaderMap) -> Result<(), Problem> {
    let foreign = |detail: &str| Problem::new(StatusCode::FORBIDDEN, "ORIGIN", detail);
    let own = format!("http://{host}");
    let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
    let is_known = origins.peek().is_some() || sites.peek().is_some();
    if !origins.all(|origin| origin == own.as_str()) {
        return Err(foreign("another site sent this request"));
    }
    if !sites.all(|site| site == "same-origin" || (reads && site == "none")) {
        return Err(foreign("another site caused this request"));
    }
    if reads {
        return Ok(());
    }
    if !is_known {
        return Err(foreign("a request that changes something needs `Origin` or `Sec-Fetch-Site`"));
    }
    if headers.get(CUSTOM_HEADER).is_none_or(|value| value != CUSTOM_VALUE) {
        let detail = format!("a request that changes something needs the header `{CUSTOM_HEADER}: {CUSTOM_VALUE}`");
        return Err(Problem::new(StatusCode::FORBIDDEN, "HEADER", detail));
    }
    Ok(())
}

/// The values of the cookies with this name. Other servers of this machine can add some, so there may be several.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn map(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in entries {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_names_of_this_machine_with_its_port_are_hosts() {
        let check = |uri: &str, headers: &[(&'static str, &'static str)], port| {
            check_host(&uri.parse().unwrap(), &map(headers), port).map_err(|problem| problem.status)
        };
        for host in ["127.0.0.1:8070", "localhost:8070", "[::1]:8070", "LocalHost:8070"] {
            assert_eq!(check("/", &[("host", host)], 8070), Ok(host.to_ascii_lowercase()));
        }
        for host in [
            "evil.example",
            "evil.example:8070",
            "127.0.0.1",
            "127.0.0.1:8071",
            "127.0.0.1:80700",
            "127.0.0.1.evil.example:8070",
            "localhost.:8070",
            "user@localhost:8070",
            "127.1:8070",
            "0.0.0.0:8070",
            "",
        ] {
            assert_eq!(check("/", &[("host", host)], 8070), Err(421), "{host}");
        }
        assert_eq!(check("/", &[], 8070), Err(421));
        assert_eq!(check("/", &[("host", "localhost:8070"), ("host", "evil.example")], 8070), Err(421));
        assert_eq!(check("http://evil.example/", &[("host", "localhost:8070")], 8070), Err(421));
        assert_eq!(check("http://localhost:8070/", &[("host", "evil.example")], 8070), Err(421));
        assert!(check("http://localhost:8070/", &[("host", "localhost:8070")], 8070).is_ok());
        assert!(check("/", &[("host", "localhost")], 80).is_ok());
    }

    #[test]
    fn a_path_has_one_spelling() {
        for path in ["/", "/api/mine/status", "/campaigns/0x12", "/a%20b", "/%C3%A9", "/.well-known/x", "/a/"] {
            assert!(check_path(path).is_ok(), "{path}");
        }
        for path in [
            "//api",
            "/x/../api",
            "/./api",
            "/x/..",
            "/x//api",
            "/%2e%2e/api",
            "/x%2fapi",
            "/%61pi",
            "/x%5c..%5capi",
            "/x\\..\\api",
            "/x%00",
            "/x%",
            "/x%2",
            "/x%zz",
            "*",
            "",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn changes_come_from_own_pages() {
        const CUSTOM: (&str, &str) = ("x-requested-with", "sonar-ui");
        const OWN: (&str, &str) = ("origin", "http://localhost:8070");
        let check = |reads, headers: &[(&'static str, &'static str)]| {
            check_source("localhost:8070", reads, &map(headers)).map_err(|problem| problem.code)
        };
        for headers in [
            &[CUSTOM, OWN][..],
            &[CUSTOM, ("sec-fetch-site", "same-origin")],
            &[CUSTOM, OWN, ("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(check(false, headers), Ok(()));
        }
        for (headers, code) in [
            (&[OWN][..], "HEADER"),
            (&[OWN, ("x-requested-with", "XMLHttpRequest")], "HEADER"),
            (&[CUSTOM], "ORIGIN"),
            (&[CUSTOM, ("origin", "null")], "ORIGIN"),
            (&[CUSTOM, ("origin", "null"), ("sec-fetch-site", "same-origin")], "ORIGIN"),
            (&[CUSTOM, ("origin", "http://localhost:8071")], "ORIGIN"),
            (&[CUSTOM, ("origin", "https://localhost:8070")], "ORIGIN"),
            (&[CUSTOM, ("origin", "http://127.0.0.1:8070")], "ORIGIN"),
            (&[CUSTOM, OWN, ("origin", "http://evil.example")], "ORIGIN"),
            (&[CUSTOM, OWN, ("sec-fetch-site", "cross-site")], "ORIGIN"),
            (&[CUSTOM, ("sec-fetch-site", "same-site")], "ORIGIN"),
            (&[CUSTOM, ("sec-fetch-site", "none")], "ORIGIN"),
        ] {
            assert_eq!(check(false, headers), Err(code.into()), "{headers:?}");
        }
        assert_eq!(check(true, &[]), Ok(()));
        assert_eq!(check(true, &[("sec-fetch-site", "none")]), Ok(()));
        assert_eq!(check(true, &[("sec-fetch-site", "same-site")]), Err("ORIGIN".into()));
        assert_eq!(check(true, &[("origin", "http://evil.example")]), Err("ORIGIN".into()));
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let headers =
            map(&[("cookie", "session-80=a; session-8070=b;session-8070=c"), ("cookie", "x=1; session-8070=d")]);
        assert_eq!(cookies(&headers, "session-8070"), ["b", "c", "d"]);
        assert!(cookies(&headers, "session").is_empty());
    }
}
