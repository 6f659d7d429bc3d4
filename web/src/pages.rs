//! The pages: files that `make ui` builds in `ui/dist`, embedded in the programs.
//!
//! All servers have the same files. `index.html` is completed for each answer: which pages to show ([`Face`]), and a nonce
//! for the styles that the component library adds. It is never cached. All other files have a strong ETag, and compressed
//! forms that the build wrote next to them (`x.js.br`, `x.js.gz`).

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, str::FromStr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use crate::{Face, headers, problem::Problem};

mod accept;
mod missing;

use accept::Encoding;

#[derive(RustEmbed)]
#[folder = "../ui/dist"]
#[allow_missing = true]
#[exclude = ".vite/*"]
struct Dist;

const INDEX: &str = "index.html";
/// Files here have names that depend on their content.
const HASHED: &str = "assets/";

/// JSON-RPC of the chain that pages of other people may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRpc {
    url: String,
    origin: String,
}

/// An invalid URL for the pages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid URL: {0}; use one such as https://rpc.example.org")]
pub struct PublicRpcError(&'static str);

impl FromStr for PublicRpc {
    type Err = PublicRpcError;

    /// Strict, because its origin becomes a part of the content security policy.
    fn from_str(text: &str) -> Result<Self, PublicRpcError> {
        let uri: Uri = text.parse().map_err(|_| PublicRpcError("it cannot be read"))?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
        let scheme = scheme.ok_or(PublicRpcError("it must start with https:// or http://"))?;
        let authority = uri.authority().ok_or(PublicRpcError("it has no host"))?.as_str();
        if authority.contains('@') {
            return Err(PublicRpcError("everybody can read it, so it must not have a user or password"));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(is_plain) {
            return Err(PublicRpcError("its host has characters that no host has"));
        }
        Ok(Self { url: text.to_owned(), origin: format!("{scheme}://{authority}") })
    }
}

/// The pages of a server.
#[derive(Clone, Debug)]
pub struct Pages {
    face: Face,
    rpc: Option<PublicRpc>,
    files: Arc<Files>,
}

impl Pages {
    /// The pages with this face.
    #[must_use]
    pub fn new(face: Face) -> Self {
        Self { face, rpc: None, files: Arc::new(Files::embedded()) }
    }

    /// Lets the pages read the chain at another origin.
    #[must_use]
    pub fn connect_to(mut self, rpc: Option<PublicRpc>) -> Self {
        self.rpc = rpc;
        self
    }

    /// A router without routes, whose fallback serves the pages. Merge it into a router that has no fallback. What neither
    /// it nor the pages know is answered with a problem.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new().fallback_service(axum::routing::any(answer).with_state(self))
    }

    fn answer(&self, method: &Method, path: &str, request: &HeaderMap) -> Response {
        let path = path.trim_start_matches('/');
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if !reads || path == "api" || path.starts_with("api/") {
            return Problem::not_found("no such route").into_response();
        }
        match self.files.get(path).filter(|_| path != INDEX) {
            Some(file) => file.answer(path, request),
            None if path.is_empty() || path == INDEX || accept::is_navigation(request) => self.index(),
            None => Problem::not_found("no such file").into_response(),
        }
    }

    /// `index.html`, completed, for every address of the application.
    fn index(&self) -> Response {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let page = match self.files.get(INDEX) {
            Some(index) => self.complete(&String::from_utf8_lossy(&index.content), &nonce),
            None => missing::page(&nonce),
        };
        let policy = headers::content_security_policy(Some(&nonce), self.rpc.as_ref().map(|rpc| rpc.origin.as_str()));
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, &policy),
        ];
        (headers, page).into_response()
    }

    fn complete(&self, index: &str, nonce: &str) -> String {
        let rpc = self.rpc.as_ref().map_or("", |rpc| rpc.url.as_str());
        [("csp-nonce", nonce), ("face", self.face.name()), ("public-rpc", rpc)]
            .into_iter()
            .fold(index.to_owned(), |page, (name, value)| set_meta(&page, name, value))
    }
}

/// Sets the content of `<meta name="NAME" content="…">`.
fn set_meta(page: &str, name: &str, value: &str) -> String {
    let start = format!("name=\"{name}\" content=\"");
    let parts = page.split_once(&start).and_then(|(before, after)| Some((before, after.split_once('"')?.1)));
    let Some((before, after)) = parts else {
        tracing::error!(name, "the pages have no such meta tag: they do not fit this program");
        return page.to_owned();
    };
    format!("{before}{start}{}\"{after}", escape(value))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn answer(State(pages): State<Pages>, method: Method, uri: Uri, request: HeaderMap) -> Response {
    let mut response = pages.answer(&method, uri.path(), &request);
    headers::secure(response.headers_mut());
    if method == Method::HEAD {
        // The length of what GET would answer; the body itself is not sent.
        let length = axum::body::HttpBody::size_hint(response.body()).exact();
        *response.body_mut() = Body::empty();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
    }
    response
}

/// A file with its compressed forms.
#[derive(Debug, Default)]
struct Page {
    content: Bytes,
    tag: String,
    compressed: Vec<(Encoding, Bytes)>,
}

/// All files, by path.
#[derive(Debug, Default)]
struct Files(BTreeMap<String, Page>);

impl Files {
    fn embedded() -> Self {
        let files = Dist::iter().filter_map(|path| {
            let file = Dist::get(&path)?;
            let content = match file.data {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            Some((path.into_owned(), content, file.metadata.sha256_hash()))
        });
        Self::new(files)
    }

    fn new(files: impl Iterator<Item = (String, Bytes, [u8; 32])>) -> Self {
        let (mut pages, mut compressed) = (BTreeMap::new(), Vec::new());
        for (path, content, hash) in files {
            match Encoding::of_file(&path) {
                Some((plain, encoding)) => compressed.push((plain.to_owned(), encoding, content)),
                None => {
                    pages.insert(path, Page { content, tag: tag(&hash), compressed: Vec::new() });
                }
            }
        }
        for (path, encoding, content) in compressed {
            if let Some(page) = pages.get_mut(&path) {
                page.compressed.push((encoding, content));
            }
        }
        Self(pages)
    }

    fn get(&self, path: &str) -> Option<&Page> {
        self.0.get(path)
    }
}

/// The part of an ETag that names the content.
fn tag(hash: &[u8; 32]) -> String {
    hash[..16].iter().fold(String::new(), |mut tag, byte| {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
        tag
    })
}

impl Page {
    fn answer(&self, path: &str, request: &HeaderMap) -> Response {
        let chosen = accept::choose(request, self.compressed.iter().map(|(encoding, _)| *encoding));
        let compressed = self.compressed.iter().find(|(encoding, _)| Some(*encoding) == chosen);
        // Each form is another sequence of bytes, so it has another strong tag.
        let suffix = compressed.map(|(encoding, _)| format!("-{}", encoding.name())).unwrap_or_default();
        let etag = format!("\"{}{suffix}\"", self.tag);
        let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut response = if accept::has_tag(request, &etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let content = compressed.map_or(&self.content, |(_, content)| content);
            ([(header::CONTENT_TYPE, media_type(path))], content.clone()).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.extend(HeaderValue::try_from(etag).ok().map(|etag| (header::ETAG, etag)));
        if !self.compressed.is_empty() {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some((encoding, _)) = compressed
            && response.status() == StatusCode::OK
        {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        response
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
