use super::*;

fn files() -> Files {
    let index = "<head><meta name=\"csp-nonce\" content=\"\"><meta name=\"face\" content=\"public\">\
                 <meta name=\"public-rpc\" content=\"\"></head><div id=\"root\"></div>";
    let files = [
        ("index.html", index),
        ("index.html.br", "compressed index"),
        ("favicon.svg", "<svg/>"),
        ("assets/main-1a2b.js", "plain"),
        ("assets/main-1a2b.js.br", "brotli"),
        ("assets/main-1a2b.js.gz", "gzip"),
        ("assets/lonely.js.gz", "without its plain form"),
    ];
    Files::new(files.into_iter().enumerate().map(|(number, (path, content))| {
        (path.to_owned(), Bytes::from_static(content.as_bytes()), [u8::try_from(number).unwrap(); 32])
    }))
}

fn pages(face: Face) -> Pages {
    Pages { face, rpc: None, files: Arc::new(files()) }
}

/// Status, headers and body of an answer.
async fn ask(pages: &Pages, method: &str, path: &str, headers: &[(&'static str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = HeaderMap::new();
    for (name, value) in headers {
        request.append(*name, value.parse().unwrap());
    }
    let method = method.parse().unwrap();
    let response = answer(State(pages.clone()), method, path.parse().unwrap(), request).await;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

const HTML: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

#[tokio::test]
async fn every_address_of_the_application_gets_the_completed_index() {
    let pages = Pages { rpc: Some("https://rpc.example.org/v1?a=b&c".parse().unwrap()), ..pages(Face::Mine) };
    for path in ["/", "/index.html", "/campaigns/0x12", "/assets"] {
        let (status, headers, body) = ask(&pages, "GET", path, &[HTML, ("accept-encoding", "br")]).await;
        assert_eq!((status, &headers["cache-control"]), (200, &HeaderValue::from_static("no-store")), "{path}");
        assert!(!headers.contains_key("etag") && !headers.contains_key("content-encoding"));
        assert!(body.contains("name=\"face\" content=\"mine\""), "{body}");
        assert!(body.contains("name=\"public-rpc\" content=\"https://rpc.example.org/v1?a=b&amp;c\""), "{body}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("connect-src 'self' https://rpc.example.org;"), "{policy}");
        let nonce = policy.split_once("'nonce-").unwrap().1.split_once('\'').unwrap().0;
        assert!(nonce.len() == 32 && body.contains(&format!("name=\"csp-nonce\" content=\"{nonce}\"")));
    }
}

#[tokio::test]
async fn a_nonce_is_used_once() {
    let policy = async || ask(&pages(Face::Public), "GET", "/", &[]).await.1["content-security-policy"].clone();
    assert_ne!(policy().await, policy().await);
}

#[tokio::test]
async fn only_navigations_get_the_index() {
    let pages = pages(Face::Public);
    for (method, path, accept) in [
        ("GET", "/missing.js", "*/*"),
        ("GET", "/assets/gone-9f.js", "application/javascript"),
        ("GET", "/api/v1/nothing", "text/html"),
        ("GET", "/api", "text/html"),
        ("POST", "/", "text/html"),
        ("DELETE", "/campaigns", "text/html"),
    ] {
        let (status, headers, body) = ask(&pages, method, path, &[("accept", accept)]).await;
        assert_eq!((status, &headers["content-type"]), (404, &HeaderValue::from_static("application/problem+json")));
        assert!(body.contains("NOT_FOUND"), "{method} {path}");
    }
}

#[tokio::test]
async fn the_build_chooses_what_is_cached_for_ever() {
    let pages = pages(Face::Public);
    let (_, hashed, body) = ask(&pages, "GET", "/assets/main-1a2b.js", &[]).await;
    assert_eq!(
        (&hashed["cache-control"], body.as_str()),
        (&HeaderValue::from_static("public, max-age=31536000, immutable"), "plain")
    );
    assert_eq!(hashed["content-type"], "text/javascript; charset=utf-8");
    let (_, named, _) = ask(&pages, "GET", "/favicon.svg", &[]).await;
    assert_eq!(
        (&named["cache-control"], &named["content-type"]),
        (&HeaderValue::from_static("no-cache"), &HeaderValue::from_static("image/svg+xml"))
    );
    assert!(!named.contains_key("vary"));
}

#[tokio::test]
async fn compressed_forms_are_sent_with_tags_of_their_own() {
    let pages = pages(Face::Public);
    let mut tags = Vec::new();
    for (accepted, encoding, content) in
        [("br, gzip", Some("br"), "brotli"), ("gzip", Some("gzip"), "gzip"), ("", None, "plain")]
    {
        let (status, headers, body) =
            ask(&pages, "GET", "/assets/main-1a2b.js", &[("accept-encoding", accepted)]).await;
        assert_eq!(
            (status, body.as_str(), &headers["vary"]),
            (200, content, &HeaderValue::from_static("accept-encoding"))
        );
        assert_eq!(headers.get("content-encoding").map(|value| value.to_str().unwrap()), encoding);
        let tag = headers["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");

        let known = [("accept-encoding", accepted), ("if-none-match", tag.as_str())];
        let (status, headers, body) = ask(&pages, "GET", "/assets/main-1a2b.js", &known).await;
        assert_eq!((status, body.as_str()), (304, ""));
        assert_eq!(headers["etag"], tag.as_str());
        assert!(headers.contains_key("cache-control") && headers.contains_key("vary"));
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3);
}

#[tokio::test]
async fn compressed_forms_have_no_address() {
    for path in ["/assets/main-1a2b.js.br", "/assets/main-1a2b.js.gz", "/assets/lonely.js", "/assets/lonely.js.gz"] {
        assert_eq!(ask(&pages(Face::Public), "GET", path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let pages = pages(Face::Public);
    let (status, headers, body) = ask(&pages, "HEAD", "/assets/main-1a2b.js", &[("accept-encoding", "br")]).await;
    assert_eq!((status, body.as_str(), &headers["content-length"]), (200, "", &HeaderValue::from_static("6")));
    assert!(headers.contains_key("etag"));
    assert_eq!(ask(&pages, "HEAD", "/campaigns", &[HTML]).await.0, 200);
}

#[tokio::test]
async fn without_pages_a_page_says_how_to_build_them() {
    let pages = Pages { face: Face::Public, rpc: None, files: Arc::default() };
    let (status, headers, body) = ask(&pages, "GET", "/", &[HTML]).await;
    assert_eq!(status, 200);
    assert!(body.contains("make ui") && !body.contains("NONCE"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    let nonce = policy.split_once("'nonce-").unwrap().1.split_once('\'').unwrap().0;
    assert!(body.contains(&format!("<style nonce=\"{nonce}\">")));
}

#[test]
fn the_embedded_index_has_the_tags_that_are_completed() {
    let embedded = Files::embedded();
    assert!(embedded.0.keys().all(|path| !path.starts_with(".vite")));
    let Some(index) = embedded.get(INDEX) else { return };
    let index = String::from_utf8_lossy(&index.content);
    for name in ["csp-nonce", "face", "public-rpc"] {
        assert!(index.contains(&format!("name=\"{name}\" content=\"")), "{name}");
    }
}

#[test]
fn the_chain_is_read_where_the_policy_can_name_it() {
    let origin = |text: &str| text.parse::<PublicRpc>().map(|rpc| rpc.origin);
    assert_eq!(origin("https://rpc.example.org/v3/key?x=1").unwrap(), "https://rpc.example.org");
    assert_eq!(origin("http://127.0.0.1:8545").unwrap(), "http://127.0.0.1:8545");
    assert_eq!(origin("http://[::1]:8545/").unwrap(), "http://[::1]:8545");
    for text in [
        "",
        "rpc.example.org",
        "ws://rpc.example.org",
        "file:///x",
        "https://user:pw@rpc.example.org",
        "https://a;b",
        "https://a b",
        "https://*",
        "https://a'b",
        "//a",
    ] {
        assert!(text.parse::<PublicRpc>().is_err(), "{text}");
    }
}
