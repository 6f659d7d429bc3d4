//! What a request accepts: encodings, media types, content that it has.

use axum::http::{HeaderMap, HeaderName, header};

/// A compressed form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The best first.
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// The name in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The file that a compressed file belongs to, and how it is compressed.
    pub fn of_file(path: &str) -> Option<(&str, Self)> {
        let brotli = path.strip_suffix(".br").map(|plain| (plain, Self::Brotli));
        brotli.or_else(|| path.strip_suffix(".gz").map(|plain| (plain, Self::Gzip)))
    }
}

/// The best encoding that a request accepts, of those that exist.
pub fn choose(request: &HeaderMap, existing: impl Iterator<Item = Encoding>) -> Option<Encoding> {
    let existing: Vec<_> = existing.collect();
    Encoding::ALL.into_iter().find(|encoding| existing.contains(encoding) && accepts(request, *encoding))
}

fn accepts(request: &HeaderMap, encoding: Encoding) -> bool {
    list(request, header::ACCEPT_ENCODING).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding.name()));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_named && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// Whether the request is for a page that a person looks at.
pub fn is_navigation(request: &HeaderMap) -> bool {
    list(request, header::ACCEPT).any(|item| item.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

/// Whether the client has the content with this ETag.
pub fn has_tag(request: &HeaderMap, etag: &str) -> bool {
    list(request, header::IF_NONE_MATCH).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The items of a header that is a list.
fn list(request: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = request.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_smallest_accepted_form_is_chosen() {
        for (accepted, chosen) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Brotli)),
            ("gzip", Some(Encoding::Gzip)),
            ("GZIP;q=0.5", Some(Encoding::Gzip)),
            ("br;q=0, gzip;q=0.1", Some(Encoding::Gzip)),
            ("br;q=0.0", None),
            ("br;q=x", None),
            ("identity", None),
            ("bro", None),
            ("", None),
        ] {
            let request = with(header::ACCEPT_ENCODING, accepted);
            assert_eq!(choose(&request, Encoding::ALL.into_iter()), chosen, "{accepted}");
            assert_eq!(choose(&request, std::iter::empty()), None);
        }
        assert_eq!(choose(&HeaderMap::new(), Encoding::ALL.into_iter()), None);
    }

    #[test]
    fn only_browsers_navigate() {
        let accepts = |value| is_navigation(&with(header::ACCEPT, value));
        assert!(accepts("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
        assert!(!accepts("*/*") && !accepts("application/json") && !is_navigation(&HeaderMap::new()));
    }

    #[test]
    fn tags_are_compared_whole() {
        let has = |value| has_tag(&with(header::IF_NONE_MATCH, value), "\"a1\"");
        assert!(has("\"a1\"") && has("\"x\", \"a1\"") && has("W/\"a1\"") && has("*"));
        assert!(!has("\"a\"") && !has("a1") && !has(""));
    }
}
