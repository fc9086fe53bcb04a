//! Requests in HTTP on the same port: read with care, answered once, closed.
//!
//! **Invariant:** a connection carries one request, so that nobody can smuggle a second one behind
//! it; and no body is read of one who has not said who it is.

use std::time::Duration;

use arqon_spine::Principal;
use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::settings::Settings;
use crate::token::{TokenSecret, unix_seconds};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// To read.
    Get,
    /// To add.
    Post,
    /// To put in the place of another.
    Put,
    /// To take away.
    Delete,
}

/// A request whose head is sound and whose body is whole.
#[derive(Debug)]
pub struct Request {
    /// What it asks for.
    pub method: Method,
    /// The path, beginning with `/`.
    pub path: String,
    /// What stands behind the `?`.
    pub query: String,
    /// The body; empty if there is none.
    pub body: Bytes,
    /// Who asks; none without a token, never with one that is not believed.
    pub principal: Option<Principal>,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A JSON document.
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        let body = Bytes::from(format!("{document}\n"));
        Self { status, content_type: "application/json", body }
    }

    /// An error as a JSON document.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "error": { "code": code, "message": message } }))
    }
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// The request.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    method: Method,
    path: String,
    query: String,
    body_bytes: usize,
    token: Option<String>,
    origin: Option<String>,
    host: String,
    /// Whether the client waits for a word before it sends the body.
    waits: bool,
}

/// Bytes of a request's target.
const TARGET_BYTES_MAX: usize = 2 << 10;

/// Where requests go.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// Who answers them.
    pub(crate) control: mpsc::Sender<Asked>,
    /// What their tokens are signed with.
    pub(crate) secret: TokenSecret,
}

/// Answers the one request of a connection, whose head and first bytes are read already.
pub(crate) async fn serve(
    stream: &mut TcpStream,
    (head, rest): (&[u8], Vec<u8>),
    settings: &Settings,
    Desk { control, secret }: &Desk,
) {
    let reply = match admit(stream, (head, rest), (settings, secret)).await {
        Err(reply) => reply,
        Ok(request) => {
            let (reply, answer) = oneshot::channel();
            // One that is gone does not answer.
            let _ = control.send(Asked { request, reply }).await;
            let ended = || Reply::error(503, "UNAVAILABLE", "the server ends");
            answer.await.unwrap_or_else(|_| ended())
        }
    };
    write(stream, &reply, settings.write_wait).await;
}

/// Writes an answer; a client that does not read it does not hear it.
async fn write(stream: &mut TcpStream, reply: &Reply, wait: Duration) {
    let challenge = if reply.status == 401 { "WWW-Authenticate: Bearer\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{challenge}\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        reply.status,
        reason(reply.status),
        reply.content_type,
        reply.body.len(),
    );
    let writing = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&reply.body).await
    };
    let _ = timeout(wait, writing).await;
}

async fn admit(
    stream: &mut TcpStream,
    (head, rest): (&[u8], Vec<u8>),
    (settings, secret): (&Settings, &TokenSecret),
) -> Result<Request, Reply> {
    let head = parse(head).map_err(|(status, why)| Reply::error(status, code(status), why))?;
    let Head { method, path, query, body_bytes, token, origin, host, waits } = head;
    if let Some(origin) = origin {
        let own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
        if !own && !settings.origins.contains(&origin) {
            return Err(Reply::error(403, "FORBIDDEN", "this origin may not connect"));
        }
    }
    let checked = token.map(|token| secret.check(&token, unix_seconds()));
    let principal = match checked {
        None => None,
        Some(Ok(identity)) => Some(identity.principal),
        Some(Err(error)) => {
            return Err(Reply::error(401, "UNAUTHENTICATED", &error.to_string()));
        }
    };
    if body_bytes > 0 && principal.is_none() {
        return Err(unauthenticated());
    }
    if body_bytes > settings.body_bytes_max {
        let message =
            format!("the body has {body_bytes} bytes, at most {}", settings.body_bytes_max);
        return Err(Reply::error(413, "TOO_LARGE", &message));
    }
    if rest.len() > body_bytes {
        return Err(Reply::error(400, "BAD_REQUEST", "more follows than the body"));
    }
    if waits && rest.len() < body_bytes {
        let going_on = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let _ = timeout(settings.write_wait, going_on).await;
    }
    let body = read_body(stream, rest, body_bytes);
    match timeout(settings.body_wait, body).await {
        Ok(Ok(body)) => Ok(Request { method, path, query, body, principal }),
        Ok(Err(_)) => Err(Reply::error(400, "BAD_REQUEST", "the body is not whole")),
        Err(_) => Err(Reply::error(408, "BAD_REQUEST", "the body did not come in time")),
    }
}

/// What one hears who has not said who it is.
pub fn unauthenticated() -> Reply {
    Reply::error(401, "UNAUTHENTICATED", "send a token: Authorization: Bearer …")
}

async fn read_body(
    stream: &mut TcpStream,
    mut body: Vec<u8>,
    n_bytes: usize,
) -> std::io::Result<Bytes> {
    let n_left = n_bytes - body.len();
    let n_read = (&mut *stream).take(n_left as u64).read_to_end(&mut body).await?;
    if n_read < n_left {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body.into())
}

type Fault = (u16, &'static str);

/// Reads a head that ends with its empty line.
fn parse(head: &[u8]) -> Result<Head, Fault> {
    let text = std::str::from_utf8(head).map_err(|_| (400, "the head is not UTF-8"))?;
    // A bare line feed would be a header to one reader and text to another.
    if text.replace("\r\n", "").contains(|it: char| it.is_control() && it != '\t') {
        return Err((400, "the head has odd characters"));
    }
    let mut lines = text.strip_suffix("\r\n\r\n").unwrap_or(text).split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match (words.next(), words.next()) {
        (Some("HTTP/1.1"), None) => {}
        (Some(version), None) if version.starts_with("HTTP/") => {
            return Err((505, "only HTTP/1.1 is spoken here"));
        }
        _ => return Err((400, "the first line is no request")),
    }
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        _ => return Err((405, "only GET, POST, PUT and DELETE are known")),
    };
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err((400, "the target is no path"));
    }
    if target.len() > TARGET_BYTES_MAX {
        return Err((414, "the target is too long"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    headers(
        lines,
        Head {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            body_bytes: 0,
            token: None,
            origin: None,
            host: String::new(),
            waits: false,
        },
    )
}

fn headers<'h>(lines: impl Iterator<Item = &'h str>, mut head: Head) -> Result<Head, Fault> {
    let (mut host, mut length) = (None, None);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or((400, "a header has no colon"))?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err((400, "a header has an odd name"));
        }
        let value = value.trim();
        let once = |slot: &mut Option<String>| match slot.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err((400, "a header that stands once comes twice")),
        };
        match name.to_ascii_lowercase().as_str() {
            "host" => once(&mut host)?,
            "content-length" => once(&mut length)?,
            "origin" => once(&mut head.origin)?,
            "authorization" => once(&mut head.token)?,
            "transfer-encoding" => return Err((411, "a body has a Content-Length here")),
            "expect" if value.eq_ignore_ascii_case("100-continue") => head.waits = true,
            "expect" => return Err((417, "only 100-continue can be expected")),
            _ => {}
        }
    }
    head.host = host.ok_or((400, "a request names its host"))?;
    if let Some(length) = length {
        let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = Some(length).filter(|_| is_number).and_then(|length| length.parse().ok());
        head.body_bytes = length.ok_or((400, "the Content-Length is no number"))?;
    }
    if let Some(authorization) = head.token.take() {
        let (scheme, token) = authorization.split_once(' ').unwrap_or((&authorization, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err((401, "the only scheme is Authorization: Bearer …"));
        }
        head.token = Some(token.trim().to_owned());
    }
    Ok(head)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

/// The code of a head that is refused with this status.
fn code(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        405 => "METHOD_NOT_ALLOWED",
        _ => "BAD_REQUEST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(head: &str) -> u16 {
        parse(head.as_bytes()).expect_err(head).0
    }

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = parse(
            b"PUT /v1/circuits/shop.sales?force=true HTTP/1.1\r\nhost: x\r\n\
              Authorization:  bearer  a.b \
              \r\nContent-Length: 12\r\nExpect: 100-continue\r\nAccept: */*\r\n\r\n",
        );
        let head = head.expect("a sound head");
        assert_eq!((head.method, head.path.as_str()), (Method::Put, "/v1/circuits/shop.sales"));
        assert_eq!((head.query.as_str(), head.body_bytes, head.waits), ("force=true", 12, true));
        assert_eq!((head.token.as_deref(), head.host.as_str()), (Some("a.b"), "x"));
    }

    #[test]
    fn what_two_readers_might_read_differently_is_refused() {
        for (status, head) in [
            (400, "GET / HTTP/1.1\r\n\r\n"),
            (400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\nY: z\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
            (401, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n\r\n"),
            (405, "BREW / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (411, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (505, "GET / HTTP/2\r\nHost: x\r\n\r\n"),
        ] {
            assert_eq!(fault(head), status, "{head:?}");
        }
        assert_eq!(code(401), "UNAUTHENTICATED");
        assert_eq!(code(405), "METHOD_NOT_ALLOWED");
        assert_eq!((code(400), code(411)), ("BAD_REQUEST", "BAD_REQUEST"));
    }
}
