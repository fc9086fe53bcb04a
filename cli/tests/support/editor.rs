//! An editor: the client side of the language server, over the pipes of the real command.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// A running `arqon lsp` with what it has said.
pub(crate) struct Editor {
    process: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next_id: i64,
    /// Notifications that nobody has asked for yet.
    pub(crate) told: Vec<Value>,
}

impl Editor {
    /// Starts the server with flags, without a word.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_arqon"))
            .args(["lsp", "--stdio"])
            .args(flags)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { process, input, messages, next_id: 0, told: Vec::new() }
    }

    /// Starts the server and says hello.
    pub(crate) fn ready(folder: &Path) -> Self {
        Self::ready_with(folder, &[])
    }

    /// Starts the server with flags and says hello.
    pub(crate) fn ready_with(folder: &Path, flags: &[&str]) -> Self {
        let mut editor = Self::start(folder, flags);
        let hello = editor.ask("initialize", &json!({ "capabilities": {} }));
        assert_eq!(hello["result"]["serverInfo"]["name"], "arqon");
        editor.tell("initialized", &json!({}));
        editor
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.write(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub(crate) fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The whole answer to a request.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.post(method, params);
        self.answer_to(&json!(id))
    }

    /// Sends a request and does not wait.
    pub(crate) fn post(&mut self, method: &str, params: &Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    pub(crate) fn answer_to(&mut self, id: &Value) -> Value {
        loop {
            let message = self.next();
            if message.get("method").is_some() {
                self.told.push(message);
            } else if message["id"] == *id {
                return message;
            }
        }
    }

    /// The result of a request that succeeds.
    pub(crate) fn result(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub(crate) fn next(&self) -> Value {
        self.messages.recv_timeout(Duration::from_secs(60)).expect("the server answers")
    }

    /// Opens a text; what is found in it.
    pub(crate) fn open(&mut self, uri: &str, text: &str) -> Vec<Value> {
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
        self.found(uri, 1)
    }

    /// Another text of an open document; what is found in it.
    pub(crate) fn change(&mut self, uri: &str, version: i64, text: &str) -> Vec<Value> {
        let document = json!({ "uri": uri, "version": version });
        self.tell(
            "textDocument/didChange",
            &json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
        );
        self.found(uri, version)
    }

    /// What is shown of a version of a document.
    pub(crate) fn found(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let is_it = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        };
        loop {
            if let Some(at) = self.told.iter().position(is_it) {
                let message = self.told.remove(at);
                return message["params"]["diagnostics"].as_array().unwrap().clone();
            }
            let message = self.next();
            self.told.push(message);
        }
    }

    /// Says goodbye; the exit code.
    pub(crate) fn leave(mut self) -> Option<i32> {
        assert_eq!(self.result("shutdown", &Value::Null), Value::Null);
        self.tell("exit", &Value::Null);
        self.process.wait().unwrap().code()
    }

    /// Closes the input without a word; the exit code.
    pub(crate) fn vanish(mut self) -> Option<i32> {
        self.input = None;
        self.process.wait().unwrap().code()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A request's place: the document, and where `‸` stands before or behind `needle`.
pub(crate) fn place(uri: &str, text: &str, needle: &str) -> Value {
    let bare = needle.replace('‸', "");
    let start = text.find(&bare).unwrap_or_else(|| panic!("`{bare}` is not in:\n{text}"));
    let offset = start + needle.find('‸').unwrap();
    json!({ "textDocument": { "uri": uri }, "position": position(text, offset) })
}

/// A byte of a text as line and column.
pub(crate) fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    json!({ "line": line, "character": before[start..].encode_utf16().count() })
}

/// The text of a range.
pub(crate) fn slice<'t>(text: &'t str, range: &Value) -> &'t str {
    &text[offset(text, &range["start"])..offset(text, &range["end"])]
}

fn offset(text: &str, place: &Value) -> usize {
    let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut units = usize::try_from(place["character"].as_u64().unwrap()).unwrap();
    let mut at = start;
    for character in text[start..].chars() {
        if units == 0 {
            break;
        }
        units -= character.len_utf16();
        at += character.len_utf8();
    }
    at
}

/// A text after the edits of a workspace edit.
pub(crate) fn edited(text: &str, uri: &str, edit: &Value) -> String {
    let mut edits = edit["changes"][uri].as_array().unwrap().clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(offset(text, &edit["range"]["start"])));
    let mut now = text.to_owned();
    for edit in edits {
        let (start, end) =
            (offset(text, &edit["range"]["start"]), offset(text, &edit["range"]["end"]));
        now.replace_range(start..end, edit["newText"].as_str().unwrap());
    }
    now
}
