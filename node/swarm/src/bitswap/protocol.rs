//! Bitswap messages over libp2p streams.
//!
//! A peer opens streams, up to a limit, and writes messages into them, each after its length. We write into one stream
//! per connection, and open another if that one breaks. A handler decodes and hashes incoming messages, so that this
//! happens in the task of the connection and not in the shared task. The memory per connection is bounded:
//! [`READS_AT_ONCE`] messages that are being read, and one that waits to be handled.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, SelectAll},
};
use libp2p_core::{Endpoint, InboundUpgrade, Multiaddr, UpgradeInfo, transport::PortUse, upgrade::ReadyUpgrade};
use libp2p_identity::PeerId;
use libp2p_swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
};
use tokio::{sync::Semaphore, time::timeout};

use super::message::{MESSAGE_LIMIT, Message};
use crate::proto::{put_varint, take_varint};

/// The protocol that we offer.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// Older protocols that we accept: the same format, without presences.
const OLDER: [StreamProtocol; 2] =
    [StreamProtocol::new("/ipfs/bitswap/1.1.0"), StreamProtocol::new("/ipfs/bitswap/1.0.0")];
/// Maximum number of open streams of a peer; Kubo uses up to nine.
const INBOUND_STREAMS: usize = 32;
/// Maximum number of messages of one connection that are read at once.
const READS_AT_ONCE: usize = 2;
/// Time limit for receiving a message after its first byte, and for a peer to read one: 2.5 MiB, our largest, at 70
/// kbit/s.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(300);

/// Protocol negotiation for incoming streams.
#[derive(Clone, Copy, Debug)]
pub struct Inbound;

impl UpgradeInfo for Inbound {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Chain<std::iter::Once<StreamProtocol>, std::array::IntoIter<StreamProtocol, 2>>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(PROTOCOL).chain(OLDER)
    }
}

impl InboundUpgrade<Stream> for Inbound {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

/// Events of a connection.
#[derive(Debug)]
pub enum Report {
    /// A message was received.
    Received(Message),
    /// Our message was written.
    Sent,
    /// The connection is useless: the peer violates the protocol, does not support bitswap, or does not read.
    Useless(String),
}

/// The handler of one connection.
pub struct Handler {
    inbound: SelectAll<BoxStream<'static, Result<Message, io::Error>>>,
    open_streams: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    outbound: Outbound,
    queue: VecDeque<Bytes>,
    reports: VecDeque<Report>,
}

enum Outbound {
    /// No stream is open.
    Closed,
    /// A stream is being opened.
    Opening,
    /// A stream is open and idle.
    Open(Stream),
    /// A message is being written; whether the stream is new.
    Writing(BoxFuture<'static, io::Result<Stream>>, bool),
}

impl Handler {
    fn new() -> Self {
        Self {
            inbound: SelectAll::new(),
            open_streams: Arc::new(Semaphore::new(INBOUND_STREAMS)),
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
            outbound: Outbound::Closed,
            queue: VecDeque::new(),
            reports: VecDeque::new(),
        }
    }

    fn accept(&mut self, stream: Stream) {
        // Without a permit the stream is closed again.
        if let Ok(permit) = self.open_streams.clone().try_acquire_owned() {
            let reads = self.reads.clone();
            let messages = stream::try_unfold((stream, permit), move |(mut stream, permit)| {
                let reads = reads.clone();
                async move { Ok(read(&mut stream, &reads).await?.map(|message| (message, (stream, permit)))) }
            });
            self.inbound.push(messages.boxed());
        }
    }

    fn write(&mut self, mut stream: Stream, is_new: bool) {
        let Some(message) = self.queue.front().cloned() else {
            self.outbound = Outbound::Open(stream);
            return;
        };
        let written = async move {
            let write = async {
                stream.write_all(&message).await?;
                stream.flush().await
            };
            timeout(MESSAGE_TIMEOUT, write).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(stream)
        };
        self.outbound = Outbound::Writing(written.boxed(), is_new);
    }

    /// Returns whether a stream must be opened.
    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match std::mem::replace(&mut self.outbound, Outbound::Closed) {
                Outbound::Closed if !self.queue.is_empty() => {
                    self.outbound = Outbound::Opening;
                    return true;
                }
                Outbound::Open(stream) if !self.queue.is_empty() => self.write(stream, false),
                Outbound::Writing(mut written, is_new) => match written.poll_unpin(cx) {
                    Poll::Pending => {
                        self.outbound = Outbound::Writing(written, is_new);
                        return false;
                    }
                    Poll::Ready(Ok(stream)) => {
                        self.outbound = Outbound::Open(stream);
                        self.queue.pop_front();
                        self.reports.push_back(Report::Sent);
                    }
                    // The peer may have closed an idle stream: retry once with a new one.
                    Poll::Ready(Err(error)) if is_new => return self.give_up(&error),
                    Poll::Ready(Err(_)) => {}
                },
                other => {
                    self.outbound = other;
                    return false;
                }
            }
        }
    }

    fn give_up(&mut self, reason: &dyn std::fmt::Display) -> bool {
        self.queue.clear();
        self.reports.push_back(Report::Useless(format!("it accepts no messages: {reason}")));
        false
    }
}

/// Reads the next message from a stream; `None` at its end.
async fn read(stream: &mut Stream, reads: &Semaphore) -> io::Result<Option<Message>> {
    let malformed = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut prefix = Vec::with_capacity(4);
    let mut byte = [0];
    // There is no time limit for the first byte. A stream that breaks just ends.
    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
        return Ok(None);
    }
    let rest = async {
        prefix.push(byte[0]);
        while byte[0] >= 0x80 && prefix.len() < 8 {
            if stream.read_exact(&mut byte).await.is_err() {
                return Ok(None);
            }
            prefix.push(byte[0]);
        }
        let length = take_varint(&mut prefix.as_slice()).map_err(|error| malformed(error.to_string()))?;
        if length > MESSAGE_LIMIT as u64 {
            return Err(malformed(format!("a message of {length} bytes is larger than 4 MiB")));
        }
        let _permit = reads.acquire().await.map_err(io::Error::other)?;
        // The buffer grows with the received bytes and not with the announced length.
        let mut bytes = Vec::new();
        match stream.take(length).read_to_end(&mut bytes).await {
            Ok(read) if read as u64 == length => {}
            _ => return Ok(None),
        }
        Message::decode(&bytes.into()).map(Some).map_err(|error| malformed(error.to_string()))
    };
    timeout(MESSAGE_TIMEOUT, rest).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Bytes;
    type ToBehaviour = Report;
    type InboundProtocol = Inbound;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Inbound> {
        SubstreamProtocol::new(Inbound, ())
    }

    /// Connections stay open, so that peers can be sent blocks that do not exist yet.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if self.poll_outbound(cx) {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
        }
        match self.inbound.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(message))) => {
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Report::Received(message)))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Report::Useless(error.to_string())))
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, message: Bytes) {
        self.queue.push_back(message);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => self.accept(protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                self.write(protocol, true);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.outbound = Outbound::Closed;
                self.give_up(&error);
            }
            _ => {}
        }
    }
}

/// The network behaviour: all connections.
#[derive(Default)]
pub struct Behaviour {
    events: VecDeque<ToSwarm<Event, Bytes>>,
}

/// An event of one of the connections.
#[derive(Debug)]
pub struct Event {
    /// The peer.
    pub peer: PeerId,
    /// The connection.
    pub connection: ConnectionId,
    /// The event.
    pub report: Report,
}

impl Behaviour {
    /// Writes a message to a peer. [`Report::Sent`] or [`Report::Useless`] follows, unless the connection is closed first.
    pub fn send(&mut self, peer_id: PeerId, connection: ConnectionId, message: &[u8]) {
        let mut framed = Vec::with_capacity(message.len() + 4);
        put_varint(&mut framed, message.len() as u64);
        framed.extend_from_slice(message);
        let handler = NotifyHandler::One(connection);
        self.events.push_back(ToSwarm::NotifyHandler { peer_id, handler, event: framed.into() });
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, report: THandlerOutEvent<Self>) {
        self.events.push_back(ToSwarm::GenerateEvent(Event { peer, connection, report }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
