//! One request to the control API of a server, over plain HTTP on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;

use crate::exit::{Exit, Failure};

/// How long an answer may take: a circuit that is installed takes in what its topics hold first.
const ANSWER_WAIT: Duration = Duration::from_secs(600);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub(crate) method: &'a str,
    /// The path with its query.
    pub(crate) path: &'a str,
    /// What is sent along.
    pub(crate) body: &'a [u8],
}

/// What the server answers: its JSON document, or why it refuses.
///
/// # Errors
/// A [`Failure`] if the server cannot be reached, or refuses; one that clients could not follow
/// ends with 5.
pub(crate) fn ask(url: &str, token: &str, ask: Ask<'_>) -> Result<Json, Failure> {
    let authority = authority(url)?;
    let unreachable = |error: std::io::Error| Failure::nobody(format!("{url}: {error}"));
    let answer = exchange(authority, token, ask).map_err(unreachable)?;
    let (status, document) = read(&answer).ok_or_else(|| {
        Failure::unreachable(format!("{url}: the answer is none of an ArqonBus server"))
            .help("circuits are looked after where `arqon serve` listens; `arqon run` has one only")
    })?;
    if (200..300).contains(&status) { Ok(document) } else { Err(refusal(status, &document)) }
}

fn authority(url: &str) -> Result<&str, Failure> {
    let rest = ["ws://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or_else(|| {
        Failure::usage(format!("`{url}` is no address"))
            .help("write it as `arqon serve` prints it, ws://127.0.0.1:PORT")
    })?;
    Ok(rest.split('/').next().unwrap_or(rest))
}

fn exchange(authority: &str, token: &str, ask: Ask<'_>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    let Ask { method, path, body } = ask;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // A server that refuses before the body has come still says why.
    let sent = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    if answer.is_empty() {
        sent?;
        read?;
    }
    Ok(answer)
}

/// The status and the document of an answer.
fn read(answer: &[u8]) -> Option<(u16, Json)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some((status, serde_json::from_slice(&answer[end + 4..]).ok()?))
}

fn refusal(status: u16, document: &Json) -> Failure {
    let error = &document["error"];
    let message = error["message"].as_str().unwrap_or("the server refuses").to_owned();
    let exit = match (status, error["code"].as_str()) {
        (_, Some("INCOMPATIBLE")) => Exit::Incompatible,
        (500.., _) => Exit::Unreachable,
        _ => Exit::Errors,
    };
    let reasons = error["changes"].as_array().into_iter().flatten().filter_map(|change| {
        let refused = change["verdict"].as_str() == Some("refuse");
        let reasons = change["reasons"].as_array().filter(|_| refused)?;
        let reasons: Vec<&str> = reasons.iter().filter_map(Json::as_str).collect();
        let (part, name) = (change["part"].as_str()?, change["name"].as_str()?);
        Some(format!("\n  {part} `{name}`: {}", reasons.join("; ")))
    });
    let failure = Failure { exit, message: message + &reasons.collect::<String>(), help: None };
    match exit {
        Exit::Incompatible => failure.help("`--force` ends the subscriptions that cannot go on"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_refusals_are_told() {
        let (status, document) =
            read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").expect("an answer");
        assert_eq!((status, document), (200, serde_json::json!({})));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(read(b"SSH-2.0\r\n\r\n{}"), None);
        let incompatible = serde_json::json!({ "error": {
            "code": "INCOMPATIBLE", "message": "no", "changes": [
                { "part": "topic", "name": "a", "verdict": "refuse", "reasons": ["x", "y"] },
                { "part": "topic", "name": "b", "verdict": "keep", "reasons": [] },
            ],
        }});
        let failure = refusal(409, &incompatible);
        assert_eq!(failure.exit, Exit::Incompatible);
        assert_eq!(failure.message, "no\n  topic `a`: x; y");
        assert!(authority("tcp://x").is_err());
        assert_eq!(authority("ws://127.0.0.1:1/"), Ok("127.0.0.1:1"));
    }
}
