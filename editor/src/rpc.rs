//! JSON-RPC messages behind `Content-Length` headers.
//!
//! A body that is no message is one fault and not the end: the next header is read as if nothing
//! had been. (The crate `lsp-server` ends its connection at the first one.)

use std::io::{self, BufRead, Read, Write};

use serde::Serialize;
use serde_json::Value;

/// What a client has sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Incoming {
    /// Asks for an answer.
    Request {
        /// Comes back with the answer.
        id: Value,
        /// What is asked.
        method: String,
        /// With what.
        params: Value,
    },
    /// Tells something.
    Notification {
        /// What is told.
        method: String,
        /// With what.
        params: Value,
    },
    /// Answers; this server asks nothing.
    Answer,
    /// No message.
    Malformed {
        /// Why.
        fault: Fault,
        /// The id, where one can be told.
        id: Value,
    },
}

/// Why a request gets no result, by the protocol's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The number.
    pub(crate) code: i32,
    /// In words.
    pub(crate) message: String,
}

/// Not JSON.
pub(crate) const PARSE_ERROR: i32 = -32700;
/// JSON, and no message; or one that has no place here.
pub(crate) const INVALID_REQUEST: i32 = -32600;
/// Unknown.
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
/// Parameters of another shape.
pub(crate) const INVALID_PARAMS: i32 = -32602;
/// A fault of ours.
pub(crate) const INTERNAL_ERROR: i32 = -32603;
/// Before `initialize`.
pub(crate) const NOT_INITIALIZED: i32 = -32002;
/// Cancelled by the client.
pub(crate) const CANCELLED: i32 = -32800;
/// The text has changed since it was asked.
pub(crate) const CONTENT_MODIFIED: i32 = -32801;
/// Well formed, and refused.
pub(crate) const REQUEST_FAILED: i32 = -32803;

impl Fault {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The next message; none at the end of the input.
///
/// # Errors
/// If the input cannot be read.
pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let length = match read_headers(input)? {
        Headers::Length(length) => length,
        Headers::NoLength => {
            return Ok(Some(malformed(PARSE_ERROR, "a message without Content-Length")));
        }
        Headers::End => return Ok(None),
    };
    if BODY_BYTES_MAX < length {
        io::copy(&mut input.take(length), &mut io::sink())?;
        let message = format!("a message of {length} bytes, at most {BODY_BYTES_MAX} are read");
        return Ok(Some(malformed(PARSE_ERROR, message)));
    }
    let mut body = Vec::new();
    input.take(length).read_to_end(&mut body)?;
    if (body.len() as u64) < length {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_slice::<Value>(&body) {
        Ok(value) => message(value),
        Err(error) => malformed(PARSE_ERROR, format!("not JSON: {error}")),
    }))
}

/// What stands before a body.
enum Headers {
    /// The bytes of the body.
    Length(u64),
    /// No header says how long it is.
    NoLength,
    /// The input has ended.
    End,
}

fn read_headers(input: &mut impl BufRead) -> io::Result<Headers> {
    let mut length = None;
    let mut n_lines = 0;
    loop {
        let mut line = Vec::new();
        if input.take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(Headers::End);
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        match line.split_once(':') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            // An empty line ends the headers; between two messages it is nothing.
            None if line.is_empty() && 0 < n_lines => {
                return Ok(length.map_or(Headers::NoLength, Headers::Length));
            }
            Some(_) | None => {}
        }
        n_lines += usize::from(!line.is_empty());
    }
}

fn message(value: Value) -> Incoming {
    let Value::Object(mut fields) = value else {
        return malformed(INVALID_REQUEST, "a message is a JSON object");
    };
    let id = fields.remove("id");
    let params = fields.remove("params").unwrap_or(Value::Null);
    match (fields.remove("method"), id) {
        (Some(Value::String(method)), Some(id)) if id.is_string() || id.is_number() => {
            Incoming::Request { id, method, params }
        }
        (Some(Value::String(method)), None) => Incoming::Notification { method, params },
        (None, Some(_)) if fields.contains_key("result") || fields.contains_key("error") => {
            Incoming::Answer
        }
        (_, id) => {
            let fault = Fault::new(INVALID_REQUEST, "a message has a method, and perhaps an id");
            Incoming::Malformed { fault, id: id.unwrap_or(Value::Null) }
        }
    }
}

fn malformed(code: i32, message: impl Into<String>) -> Incoming {
    Incoming::Malformed { fault: Fault::new(code, message), id: Value::Null }
}

/// Writes one message with its header.
///
/// # Errors
/// If the output cannot be written.
pub(crate) fn write(output: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    write!(output, "Content-Length: {}\r\n\r\n", body.len())?;
    output.write_all(&body)?;
    output.flush()
}

/// Larger messages are skipped; a circuit has at most 16 MB.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Longer header lines are cut.
const HEADER_BYTES_MAX: u64 = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &str) -> Vec<Incoming> {
        let mut input = input.as_bytes();
        std::iter::from_fn(|| read(&mut input).unwrap()).collect()
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_is_no_message_is_passed_over() {
        let good = framed("{\"jsonrpc\":\"2.0\",\"method\":\"a\"}");
        let told = Incoming::Notification { method: "a".to_owned(), params: Value::Null };
        for odd in [
            framed("{"),
            framed("[]"),
            framed("{\"method\":7}"),
            "Content-Length: x\r\n\r\n".to_owned(),
            "Other: 1\r\n\r\n".to_owned(),
            format!("Content-Length: 99999999999\r\n\r\n{good}")[..30].to_owned() + "\r\n\r\n",
        ] {
            let found = all(&format!("{odd}{good}"));
            assert!(matches!(found[0], Incoming::Malformed { .. }), "{odd}: {found:?}");
        }
        for odd in [framed("{"), framed("[]"), "Content-Length: x\r\n\r\n".to_owned()] {
            assert_eq!(all(&format!("{odd}{good}")).last(), Some(&told), "{odd}");
        }
    }

    #[test]
    fn messages_are_told_apart() {
        let one = |body: &str| all(&framed(body)).remove(0);
        assert!(matches!(one("{\"id\":1,\"method\":\"a\"}"), Incoming::Request { .. }));
        assert_eq!(one("{\"id\":1,\"result\":null}"), Incoming::Answer);
        let odd = one("{\"id\":1,\"method\":{}}");
        assert!(matches!(odd, Incoming::Malformed { id: Value::Number(_), .. }), "{odd:?}");
        assert_eq!(all("Content-Length: 10\r\n\r\n{}"), [], "cut at the end of the input");
    }

    #[test]
    fn written_messages_can_be_read() {
        let mut out = Vec::new();
        write(&mut out, &serde_json::json!({ "method": "µ" })).unwrap();
        let read = all(&String::from_utf8(out).unwrap());
        let told = Incoming::Notification { method: "µ".to_owned(), params: Value::Null };
        assert_eq!(read, [told]);
    }
}
