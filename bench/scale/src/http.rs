//! A small HTTP client: keep-alive connections and event streams, light enough not to disturb what it measures.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

/// Time for one request; a server that needs longer has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The connection broke, or the answer is not HTTP.
    #[error("GET {path}: {source}")]
    Exchange {
        /// What was asked for.
        path: String,
        /// What went wrong.
        source: hyper::Error,
    },
    /// The path is not valid.
    #[error("GET {path}: {source}")]
    Path {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        source: hyper::http::Error,
    },
    /// No answer in time.
    #[error("GET {path}: no answer within {} s", REQUEST_TIMEOUT.as_secs())]
    TimedOut {
        /// What was asked for.
        path: String,
    },
    /// An answer that is not JSON, or has another status than 200.
    #[error("GET {path}: unexpected answer with status {status}")]
    Unexpected {
        /// What was asked for.
        path: String,
        /// The answer's status.
        status: StatusCode,
    },
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

/// A connection that is kept alive.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    address: SocketAddr,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self, HttpError> {
        let refused = |source| HttpError::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let exchange = |source| HttpError::Exchange { path: "/".into(), source };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(exchange)?;
        // Its errors are those of the requests.
        tokio::spawn(async move { _ = connection.await });
        Ok(Self { sender, address })
    }

    /// Asks for a path and reads the whole answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&mut self, path: &str) -> Result<Answer, HttpError> {
        let answer = async {
            let response = self.send(path, "application/json").await?;
            let status = response.status();
            let exchange = |source| HttpError::Exchange { path: path.into(), source };
            let body = response.into_body().collect().await.map_err(exchange)?.to_bytes();
            Ok(Answer { status, body })
        };
        timeout(REQUEST_TIMEOUT, answer).await.map_err(|_| HttpError::TimedOut { path: path.into() })?
    }

    /// Asks for a path that answers 200 with JSON.
    ///
    /// # Errors
    /// When it does not.
    pub async fn json(&mut self, path: &str) -> Result<Value, HttpError> {
        let Answer { status, body } = self.get(path).await?;
        let parsed = (status == StatusCode::OK).then(|| serde_json::from_slice(&body).ok()).flatten();
        parsed.ok_or_else(|| HttpError::Unexpected { path: path.into(), status })
    }

    /// Opens an event stream.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn events(mut self, path: &str) -> Result<Events, HttpError> {
        let response = self.send(path, "text/event-stream").await?;
        match response.status() {
            StatusCode::OK => Ok(Events { body: response.into_body(), text: Vec::new(), _connection: self.sender }),
            status => Err(HttpError::Unexpected { path: path.into(), status }),
        }
    }

    async fn send(&mut self, path: &str, accept: &str) -> Result<hyper::Response<Incoming>, HttpError> {
        let exchange = |source| HttpError::Exchange { path: path.into(), source };
        self.sender.ready().await.map_err(exchange)?;
        let request = Request::get(path)
            .header(header::HOST, self.address.to_string())
            .header(header::ACCEPT, accept)
            .body(Empty::new())
            .map_err(|source| HttpError::Path { path: path.into(), source })?;
        self.sender.send_request(request).await.map_err(exchange)
    }
}

/// An open event stream.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    text: Vec<u8>,
    // The connection ends when its sender is dropped.
    _connection: SendRequest<Empty<Bytes>>,
}

impl Events {
    /// The name of the next event; `None` at the end of the stream. Comments, which keep connections alive, are skipped.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(name) = event_name(&String::from_utf8_lossy(&message)) {
                    return Some(name);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.text.extend_from_slice(data);
            }
        }
    }
}

fn event_name(message: &str) -> Option<String> {
    let field =
        |name: &str| message.lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()));
    field("data:").map(|_| field("event:").unwrap_or_else(|| "message".into()))
}

#[cfg(test)]
mod tests {
    use super::event_name;

    #[test]
    fn comments_are_no_events() {
        assert_eq!(event_name(": keep-alive\n\n"), None);
        assert_eq!(event_name("event: submitted\ndata: {}\nid: 1-2\n\n").as_deref(), Some("submitted"));
        assert_eq!(event_name("data: {}\n\n").as_deref(), Some("message"));
    }
}
