//! From a TCP connection to a websocket of ours, an answered request, or a short refusal in HTTP.

use std::io;

use arqon_proto::{Encoding, SUBPROTOCOL_JSON, SUBPROTOCOL_PROTO};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::http::{Desk, serve};
use crate::meter::Metered;
use crate::settings::Settings;

pub(crate) type Socket = WebSocketStream<Metered<TcpStream>>;

/// Reads the request, judges it, and answers; none if the connection was refused, or carried a
/// request in plain HTTP, for which there may be a desk.
pub(crate) async fn upgrade(
    mut stream: TcpStream,
    settings: &Settings,
    desk: Option<&Desk>,
) -> Option<(Socket, Encoding)> {
    let head = tokio::time::timeout(settings.upgrade_wait, read_head(&mut stream, settings)).await;
    let head = match head {
        Ok(Ok(head)) => head,
        Ok(Err(HeadFault::Plain { head, rest })) if desk.is_some() => {
            if let Some(desk) = desk {
                serve(&mut stream, (&head, rest), settings, desk).await;
            }
            drain(stream, settings).await;
            return None;
        }
        Ok(Err(HeadFault::Gone)) => return None,
        Ok(Err(HeadFault::TooLarge)) => {
            refuse(stream, "431 Request Header Fields Too Large", settings).await;
            return None;
        }
        Ok(Err(HeadFault::Plain { .. } | HeadFault::NotWebsocket)) => {
            refuse(stream, "400 Bad Request", settings).await;
            return None;
        }
        Err(_) => {
            refuse(stream, "408 Request Timeout", settings).await;
            return None;
        }
    };
    let limits = &settings.limits;
    let config = WebSocketConfig::default()
        .read_buffer_size(8 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(limits.outbox_bytes_close + limits.message_bytes_max)
        .max_message_size(Some(limits.message_bytes_max))
        .max_frame_size(Some(limits.message_bytes_max));
    let mut encoding = Encoding::Json;
    #[expect(clippy::result_large_err, reason = "the library's callback returns a response")]
    let judge = |request: &Request, response: Response| {
        let (chosen, response) = judge(request, response, settings)?;
        encoding = chosen;
        Ok(response)
    };
    let metered = Metered::new(stream, head, settings);
    let accepted = tokio_tungstenite::accept_hdr_async_with_config(metered, judge, Some(config));
    match tokio::time::timeout(settings.upgrade_wait, accepted).await {
        Ok(Ok(socket)) => Some((socket, encoding)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "upgrade refused");
            None
        }
        Err(_) => None,
    }
}

enum HeadFault {
    Gone,
    TooLarge,
    NotWebsocket,
    /// A request in plain HTTP, with what has come behind its head.
    Plain {
        head: Vec<u8>,
        rest: Vec<u8>,
    },
}

/// Reads up to the empty line that ends the head.
async fn read_head(stream: &mut TcpStream, settings: &Settings) -> Result<Vec<u8>, HeadFault> {
    let mut head = Vec::with_capacity(1024);
    loop {
        let mut chunk = [0; 1024];
        let n_bytes = stream.read(&mut chunk).await.map_err(|_| HeadFault::Gone)?;
        if n_bytes == 0 {
            return Err(HeadFault::Gone);
        }
        let searched = head.len().saturating_sub(3);
        head.extend_from_slice(&chunk[..n_bytes]);
        let end = head[searched..].windows(4).position(|four| four == b"\r\n\r\n");
        let n_lines = count_lines(&head);
        if end.is_none() && head.len() > settings.head_bytes_max
            || n_lines > settings.head_lines_max
        {
            return Err(HeadFault::TooLarge);
        }
        let Some(end) = end else { continue };
        let rest = head.split_off(searched + end + 4);
        return match (asks_for_websocket(&head), rest.is_empty()) {
            (true, true) => Ok(head),
            // A client waits for the answer before it speaks on.
            (true, false) => Err(HeadFault::NotWebsocket),
            (false, _) => Err(HeadFault::Plain { head, rest }),
        };
    }
}

#[expect(clippy::naive_bytecount, reason = "a head is short")]
fn count_lines(head: &[u8]) -> usize {
    head.iter().filter(|byte| **byte == b'\n').count()
}

/// A first look, so that plain HTTP gets an answer; the library looks closely.
fn asks_for_websocket(head: &[u8]) -> bool {
    let Ok(head) = std::str::from_utf8(head) else { return false };
    let mut lines = head.split("\r\n");
    let is_get =
        lines.next().is_some_and(|line| line.starts_with("GET ") && line.ends_with("HTTP/1.1"));
    let header = |wanted: &str| {
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.trim().is_empty())
    };
    // A bare line feed would be a header to one reader and text to another.
    let is_plain = !head.replace("\r\n", "").contains(['\r', '\n', '\0']);
    is_get && is_plain && header("upgrade") && header("sec-websocket-key")
}

async fn refuse(mut stream: TcpStream, status: &str, settings: &Settings) {
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        drain(stream, settings).await;
    }
}

/// Says goodbye and reads on for a moment: closing with unread bytes would reset the connection,
/// and the last words would be lost.
///
/// It reads at a pace: one who floods waits for us, and costs the others no time.
pub(crate) async fn drain(mut stream: TcpStream, settings: &Settings) {
    let quiet = async {
        stream.shutdown().await?;
        let mut sink = [0; 4096];
        let mut n_bytes = 0;
        loop {
            match stream.read(&mut sink).await? {
                0 => return io::Result::Ok(()),
                n_read => n_bytes += n_read,
            }
            if DRAIN_BYTES < n_bytes {
                n_bytes = 0;
                tokio::time::sleep(DRAIN_PAUSE).await;
            }
        }
    };
    let _ = tokio::time::timeout(settings.linger, quiet).await;
}

/// What is read in one go after the end, and the pause after it: 12 MiB a second at most, so that
/// a message which was too large still passes.
const DRAIN_BYTES: usize = 64 << 10;
const DRAIN_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// Origin and subprotocol.
#[expect(clippy::result_large_err, reason = "the library's callback returns a whole response")]
fn judge(
    request: &Request,
    mut response: Response,
    settings: &Settings,
) -> Result<(Encoding, Response), ErrorResponse> {
    if let Some(origin) = request.headers().get(header::ORIGIN)
        && !is_allowed(origin, request.headers().get(header::HOST), &settings.origins)
    {
        return Err(refusal(StatusCode::FORBIDDEN, "this origin may not connect\n"));
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let chosen = offered
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .find_map(|name| match name.trim() {
            SUBPROTOCOL_JSON => Some((Encoding::Json, SUBPROTOCOL_JSON)),
            SUBPROTOCOL_PROTO => Some((Encoding::Proto, SUBPROTOCOL_PROTO)),
            _ => None,
        });
    let Some((encoding, name)) = chosen else {
        let help = "offer the subprotocol arqon.v1.json or arqon.v1.proto\n";
        return Err(refusal(StatusCode::BAD_REQUEST, help));
    };
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    Ok((encoding, response))
}

/// Programs send no origin; a page may connect if it is ours or listed.
fn is_allowed(origin: &HeaderValue, host: Option<&HeaderValue>, origins: &[String]) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let own = host.and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origins.iter().any(|listed| listed == origin) || own.is_some() && authority == own
}

fn refusal(status: StatusCode, text: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(text.to_owned()));
    *response.status_mut() = status;
    response
}
