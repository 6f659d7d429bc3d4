//! Chooses how many blocks one request for logs spans.
//!
//! Every node has its own limits, of blocks or of results, and its own messages. A refusal shrinks the span at once, as
//! far as the node suggests or else by half. Successes let it grow slowly, because the number of results depends on how
//! busy the blocks are. A limit of blocks does not change, so it is stored.

use alloy::transports::{RpcError, TransportError};

/// Number of blocks of the first request.
const FIRST: u64 = 5_000;
/// Maximum number of blocks of a request.
const MOST: u64 = 10_000;
/// A success lets the span grow by this part: a node that limits results refuses about one request in seven.
const GROWTH: u64 = 8;

/// JSON-RPC's "limit exceeded". Some providers use it for requests per second, some for blocks or results.
const LIMIT_EXCEEDED: i64 = -32005;
/// HTTP's status, which some providers use as a code.
const TOO_MANY_REQUESTS: i64 = 429;
const HTTP_BAD_REQUEST: u16 = 400;
const HTTP_PAYLOAD_TOO_LARGE: u16 = 413;

/// Messages of nodes that ask for fewer requests.
const RATE: [&str; 11] = [
    "rate limit",
    "rate exceeded",
    "request rate",
    "request limit",
    "request count",
    "too many requests",
    "requests per",
    "concurrent requests",
    "compute units",
    "credits",
    "throttle",
];
/// Messages of nodes that do not have the blocks yet: behind one URL there may be several nodes.
const LAGGING: [&str; 5] =
    ["beyond current head", "cannot be found", "header not found", "unknown block", "invalid block range params"];
/// Messages of nodes that ask for shorter requests.
const SIZE: [&str; 8] =
    ["range", "results", "response", "too large", "too big", "too many logs", "too many blocks", "blocks distance"];

/// Meaning of a failed request for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanRefusal {
    /// The request asks for too much.
    TooLarge,
    /// A limit was exceeded, of requests or of size.
    Unclear,
    /// The same request may succeed later.
    Later,
}

/// Classifies a node's error; `None` if it is not about the request.
pub(super) fn refusal(error: &TransportError) -> Option<SpanRefusal> {
    match error {
        RpcError::ErrorResp(answer) => {
            let or_else = match answer.code {
                LIMIT_EXCEEDED => SpanRefusal::Unclear,
                TOO_MANY_REQUESTS => SpanRefusal::Later,
                _ if answer.is_retry_err() => SpanRefusal::Later,
                // Nodes have many codes and messages for this. If it means something else, a request for one block is
                // soon refused too.
                _ => SpanRefusal::TooLarge,
            };
            Some(by_words(&answer.message).unwrap_or(or_else))
        }
        RpcError::Transport(error) => Some(match error.as_http_error() {
            Some(error) if error.status == HTTP_PAYLOAD_TOO_LARGE => SpanRefusal::TooLarge,
            // Other statuses come from proxies, with pages of text.
            Some(error) if error.status == HTTP_BAD_REQUEST => by_words(&error.body).unwrap_or(SpanRefusal::Later),
            _ => SpanRefusal::Later,
        }),
        _ => None,
    }
}

fn by_words(message: &str) -> Option<SpanRefusal> {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&RATE) || has(&LAGGING) {
        return Some(SpanRefusal::Later);
    }
    has(&SIZE).then_some(SpanRefusal::TooLarge)
}

/// The span for a node, with its known limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogSpan {
    blocks: u64,
    most: u64,
}

impl Default for LogSpan {
    fn default() -> Self {
        Self { blocks: FIRST, most: MOST }
    }
}

impl LogSpan {
    /// The last block of the next request, which starts at `from` and ends at `to` at the latest.
    pub(super) fn end(self, from: u64, to: u64) -> u64 {
        to.min(from.saturating_add(self.blocks - 1))
    }

    /// Updates the span after an answered request.
    pub(super) fn after_success(self, from: u64, end: u64) -> Self {
        // A shorter request gives no information about a longer one.
        let grown = self.blocks.saturating_add((self.blocks / GROWTH).max(1)).min(self.most);
        if count(from, end) < self.blocks { self } else { Self { blocks: grown, ..self } }
    }

    /// The span after a refused request; `None` if it was for one block.
    pub(super) fn after_refusal(self, from: u64, end: u64, message: &str) -> Option<Self> {
        let blocks = suggested(from, end, message).unwrap_or(count(from, end) / 2);
        let most = if is_block_limit(message) { self.most.min(blocks) } else { self.most };
        (blocks > 0).then_some(Self { blocks, most })
    }
}

fn count(from: u64, end: u64) -> u64 {
    end.saturating_sub(from).saturating_add(1)
}

/// The span that a node suggests, as in "try with this block range [0x10, 0x1f]" or "retry with the range 16-31".
fn suggested(from: u64, end: u64, message: &str) -> Option<u64> {
    let number = |token: &str| match token.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => token.parse().ok(),
    };
    let tokens = message.split(|c: char| !c.is_ascii_alphanumeric()).filter(|token| !token.is_empty());
    let numbers: Vec<u64> = tokens.filter_map(number).collect();
    let fits = |pair: &&[u64]| pair[0] == from && (from..end).contains(&pair[1]);
    numbers.windows(2).find(fits).map(|pair| count(pair[0], pair[1]))
}

/// Whether a refusal names a limit of blocks and not of results.
fn is_block_limit(message: &str) -> bool {
    let message = message.to_lowercase();
    let has = |word| message.contains(word);
    (has("range") || has("blocks")) && !has("result") && !has("response")
}

#[cfg(test)]
mod tests {
    use alloy::transports::TransportErrorKind;
    use serde_json::json;

    use super::*;

    fn answer(code: i64, message: &str) -> Option<SpanRefusal> {
        refusal(&RpcError::ErrorResp(serde_json::from_value(json!({ "code": code, "message": message })).unwrap()))
    }

    fn status(status: u16, body: &str) -> Option<SpanRefusal> {
        refusal(&TransportErrorKind::http_error(status, body.into()))
    }

    #[test]
    fn limits_of_size_are_told_from_limits_of_requests() {
        for (code, message) in [
            (-32005, "query returned more than 10000 results"),
            (-32005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
            (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range"),
            (-32600, "block range is too wide"),
            (-32000, "exceed maximum block range: 5000"),
            (-32614, "eth_getLogs is limited to a 10,000 range"),
            (-32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800"),
            (-32602, "query exceeds max results 20000, retry with the range 1-500"),
            (-32020, "backend response too large"),
            (-32000, "requested too many blocks from 1 to 10000, maximum is set to 2048"),
            (-32602, "maximum [from, to] blocks distance: 10000"),
            (-32005, "eth_getLogs: too many logs in the answer"),
            (-32000, "a sentence that nobody has seen before"),
        ] {
            assert_eq!(answer(code, message), Some(SpanRefusal::TooLarge), "{message}");
        }
        for (code, message) in [
            (-32005, "rate limit exceeded"),
            (-32005, "daily request count exceeded, request rate limited"),
            (-32005, "too many requests"),
            (429, "Your app has exceeded its compute units per second capacity"),
            (429, "slow down"),
            (-32007, "100/second request limit reached - reduce calls per second"),
            (-32000, "header not found"),
            (-32000, "invalid block range params"),
            (-32602, "block range extends beyond current head block"),
        ] {
            assert_eq!(answer(code, message), Some(SpanRefusal::Later), "{message}");
        }
        assert_eq!(answer(-32005, "limit exceeded"), Some(SpanRefusal::Unclear));
    }

    #[test]
    fn http_statuses_are_told_apart() {
        assert_eq!(status(413, ""), Some(SpanRefusal::TooLarge));
        assert_eq!(status(400, "the block range is too large"), Some(SpanRefusal::TooLarge));
        for other in [429, 502, 503] {
            assert_eq!(status(other, "<html>invalid response</html>"), Some(SpanRefusal::Later), "{other}");
        }
        assert_eq!(refusal(&TransportErrorKind::custom_str("connection refused")), Some(SpanRefusal::Later));
        assert_eq!(refusal(&RpcError::NullResp), None);
    }

    /// Reads blocks from a node that refuses more than `limit` of them; returns the span after that and the refusals.
    fn read(mut span: LogSpan, limit: u64, message: &str, requests: usize) -> (LogSpan, usize) {
        let (mut from, mut refusals) = (1, 0);
        for _ in 0..requests {
            let end = span.end(from, u64::MAX);
            span = if count(from, end) > limit {
                refusals += 1;
                span.after_refusal(from, end, message).unwrap()
            } else {
                let next = span.after_success(from, end);
                from = end + 1;
                next
            };
        }
        (span, refusals)
    }

    #[test]
    fn the_span_halves_at_once_and_remembers_a_limit_of_blocks() {
        let (span, refusals) = read(LogSpan::default(), 800, "exceed maximum block range: 800", 100);
        assert_eq!((span.blocks, refusals), (625, 3));
        let one = read(LogSpan::default(), 1, "exceed maximum block range: 1", 100).0;
        assert_eq!((one.blocks, one.after_refusal(7, 7, "no")), (1, None));
    }

    #[test]
    fn the_span_grows_again_after_busy_blocks() {
        let results = "query returned more than 10000 results";
        let (busy, refusals) = read(LogSpan::default(), 40, results, 100);
        assert!((20..=45).contains(&busy.blocks), "{busy:?}");
        assert!((7..=24).contains(&refusals), "{refusals}");
        assert_eq!(busy.after_success(1, 1), busy, "the last request of a look is short");
        assert_eq!(read(busy, u64::MAX, results, 60).0.blocks, MOST);
    }

    #[test]
    fn a_suggested_range_is_used() {
        let span = LogSpan::default();
        for message in [
            "Query returned more than 10000 results. Try with this block range [0x64, 0x95].",
            "query exceeds max results 20000, retry with the range 100-149",
            "Based on your parameters, this block range should work: [0x64, 0x95]. Log response size exceeded",
        ] {
            assert_eq!(span.after_refusal(100, 5_099, message).map(|span| span.blocks), Some(50), "{message}");
        }
        let free =
            "Under the Free tier plan, requests span up to 10 blocks. This block range should work: [0x64, 0x6d].";
        assert_eq!(span.after_refusal(100, 5_099, free), Some(LogSpan { blocks: 10, most: 10 }));
        // What does not make the request shorter is no help.
        let useless = span.after_refusal(100, 5_099, "results: try [0x64, 0xffff] or [0x0, 0x5]");
        assert_eq!(useless.map(|span| span.blocks), Some(2_500));
    }
}
