//! The socket of a session: handshake, then one task that reads and writes until the end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arqon_proto::{Control, Encoding, Envelope, Hello, Payload, Secret, Welcome};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message as Frame, Utf8Bytes, http::Uri};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::error::{ConnectError, Ending, Refusal};
use crate::limits::{
    CLOSE_TIME_MAX, FRAME_BYTES_MAX, PING_TIME_MIN, READ_BUFFER_BYTES, SILENT_INTERVALS_MAX,
};
use crate::session::Session;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a handle asks of the writer.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Frame(Bytes),
    Close,
}

/// Opens the websocket and says hello.
pub(crate) async fn greet(
    url: &str,
    hello: Hello,
    encoding: Encoding,
) -> Result<(Socket, Welcome), ConnectError> {
    let fault = |error| ConnectError::Handshake(Arc::new(error));
    let uri: Uri =
        url.parse().map_err(|error: tungstenite::http::uri::InvalidUri| fault(error.into()))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(match encoding {
        Encoding::Json => arqon_proto::SUBPROTOCOL_JSON,
        Encoding::Proto => arqon_proto::SUBPROTOCOL_PROTO,
    });
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (mut socket, _) =
        connect_async_with_config(request, Some(config), true).await.map_err(fault)?;
    let hello = Envelope::control(Control::Hello(hello)).encode(encoding);
    socket.send(frame_of(hello, encoding)).await.map_err(fault)?;
    loop {
        let frame = match socket.next().await {
            None => return Err(ConnectError::Ended(closed(None))),
            Some(Err(error)) => return Err(ConnectError::Ended(broken(error))),
            Some(Ok(Frame::Close(close))) => return Err(ConnectError::Ended(closed(close))),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => continue,
            Some(Ok(frame)) => frame.into_data(),
        };
        let envelope = Envelope::decode(&frame, encoding)
            .map_err(|fault| ConnectError::Ended(Ending::Frame(fault)))?;
        return match envelope.payload {
            Payload::Control(Control::Welcome(welcome)) => Ok((socket, welcome)),
            Payload::Control(Control::Error(error)) => {
                Err(ConnectError::Refused(Refusal::from(error)))
            }
            _ => Err(ConnectError::NoWelcome),
        };
    }
}

/// A hello with this token.
pub(crate) fn hello(token: &str, client: Option<String>) -> Hello {
    Hello { token: Some(Secret(token.to_owned())), client, ..Hello::default() }
}

/// Reads and writes until either side ends the session, then tells everybody.
pub(crate) async fn run(socket: Socket, session: Arc<Session>, outgoing: mpsc::Receiver<Outgoing>) {
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, &session));
    // Pinned here, so that the channel closes only after the ending is written down.
    let mut writing = pin!(write(sink, &session, outgoing));
    let ending = tokio::select! {
        ending = &mut reading => ending,
        // Whatever stopped the writer, the server's last word says more; but not for ever.
        stopped = &mut writing => match (stopped, timeout(CLOSE_TIME_MAX, reading).await) {
            (Stopped::Closed, _) => Ending::Local,
            (Stopped::Silent, _) => Ending::Silent,
            (Stopped::Broken(_), Ok(ending)) => ending,
            (Stopped::Broken(error), Err(_)) => broken(error),
        },
    };
    session.end(ending);
}

async fn read(mut stream: SplitStream<Socket>, session: &Session) -> Ending {
    loop {
        let frame = match stream.next().await {
            None => return closed(None),
            Some(Err(error)) => return broken(error),
            Some(Ok(Frame::Close(close))) => {
                // The answer goes out as the stream is read to its end.
                let _ = timeout(CLOSE_TIME_MAX, stream.next()).await;
                return closed(close);
            }
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {
                session.is_heard.store(true, Ordering::Relaxed);
                continue;
            }
            Some(Ok(frame @ (Frame::Text(_) | Frame::Binary(_)))) => frame.into_data(),
        };
        let n_bytes = frame.len();
        let queue = match Envelope::decode(&frame, session.rows.encoding()) {
            Ok(envelope) => session.take(envelope, n_bytes),
            Err(fault) => return Ending::Frame(fault),
        };
        let Some(queue) = queue else { continue };
        // Nobody else is served meanwhile; that is what the bound of a queue costs.
        session.is_waiting.store(true, Ordering::Relaxed);
        while queue.is_full() {
            session.room.notified().await;
        }
        session.is_waiting.store(false, Ordering::Relaxed);
    }
}

/// Why nothing more is written.
enum Stopped {
    Closed,
    Silent,
    Broken(tungstenite::Error),
}

impl From<tungstenite::Error> for Stopped {
    fn from(error: tungstenite::Error) -> Self {
        Self::Broken(error)
    }
}

async fn write(
    sink: SplitSink<Socket, Frame>,
    session: &Session,
    outgoing: mpsc::Receiver<Outgoing>,
) -> Stopped {
    write_all(sink, session, outgoing).await.unwrap_or_else(|stopped| stopped)
}

async fn write_all(
    mut sink: SplitSink<Socket, Frame>,
    session: &Session,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> Result<Stopped, Stopped> {
    let encoding = session.rows.encoding();
    let interval_ms = session.welcome.limits.ping_interval_ms;
    let mut ticks = interval(Duration::from_millis(interval_ms).max(PING_TIME_MIN));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut n_silent = 0;
    loop {
        tokio::select! {
            next = outgoing.recv() => {
                // What waits together is flushed together.
                let mut next = next;
                loop {
                    match next {
                        Some(Outgoing::Frame(bytes)) => {
                            sink.feed(frame_of(bytes, encoding)).await?;
                        }
                        Some(Outgoing::Close) | None => {
                            let reason = Utf8Bytes::default();
                            let close = CloseFrame { code: CloseCode::Normal, reason };
                            sink.send(Frame::Close(Some(close))).await?;
                            return Ok(Stopped::Closed);
                        }
                    }
                    match outgoing.try_recv() {
                        Ok(more) => next = Some(more),
                        Err(_) => break,
                    }
                }
            }
            () = session.dues.notified() => {
                for due in session.take_dues() {
                    sink.feed(frame_of(due.encode(encoding), encoding)).await?;
                }
            }
            _ = ticks.tick() => {
                let is_heard = session.is_heard.swap(false, Ordering::Relaxed)
                    || session.is_waiting.load(Ordering::Relaxed);
                n_silent = if is_heard { 0 } else { n_silent + 1 };
                if n_silent >= SILENT_INTERVALS_MAX {
                    return Err(Stopped::Silent);
                }
                sink.feed(Frame::Ping(Bytes::new())).await?;
            }
        }
        sink.flush().await?;
    }
}

fn frame_of(bytes: Bytes, encoding: Encoding) -> Frame {
    match encoding {
        Encoding::Json => {
            Frame::Text(bytes.try_into().expect("frames of JSON are built from texts alone"))
        }
        Encoding::Proto => Frame::Binary(bytes),
    }
}

fn closed(frame: Option<CloseFrame>) -> Ending {
    let (code, reason) = match frame {
        None => (1005, String::new()),
        Some(CloseFrame { code, reason }) => (code.into(), reason.as_str().to_owned()),
    };
    Ending::Server { code, reason, refusal: None }
}

fn broken(error: tungstenite::Error) -> Ending {
    Ending::Socket(Arc::new(error))
}
