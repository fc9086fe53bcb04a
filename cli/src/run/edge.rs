//! The edge of a run: its options, and the line that says where it is.

use std::net::SocketAddr;
use std::path::Path;

use arqon_server::{Config, EdgeOptions, random_secret};
use serde_json::json;

use crate::console::{Console, OutputFormat, Style};
use crate::exit::Failure;

/// The configuration file's settings, or the defaults.
///
/// # Errors
/// A [`Failure`] if the file cannot be read, or is no configuration.
pub(crate) fn config(path: Option<&Path>) -> Result<Config, Failure> {
    let Some(path) = path else { return Ok(Config::default()) };
    Config::load(path).map_err(|error| {
        let text = Failure::chain(&error);
        match error {
            arqon_server::ConfigError::Read { .. } => Failure::unreachable(text),
            _ => Failure::errors(text),
        }
    })
}

/// What the edge needs; the flag goes before the file, and the file before the default.
///
/// # Errors
/// A [`Failure`] if the secret cannot be read.
pub(crate) fn options(listen: Option<SocketAddr>, config: &Config) -> Result<EdgeOptions, Failure> {
    let secret = match config.secret() {
        Ok(Some(secret)) => secret,
        Ok(None) => random_secret().map_err(|error| Failure::internal(Failure::chain(&error)))?,
        Err(error) => return Err(Failure::unreachable(Failure::chain(&error))),
    };
    let listen = listen.or(config.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    Ok(EdgeOptions { listen, settings: config.settings(), secret })
}

/// Where clients connect.
#[derive(Debug)]
pub(crate) struct Place {
    /// For websockets.
    pub(crate) ws: String,
    /// For requests in HTTP, if there is a control API.
    pub(crate) http: Option<String>,
    /// What both take.
    pub(crate) token: String,
}

/// Who hears of the place, beside people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hearers<'a> {
    /// Whether stdout carries rows.
    pub(crate) stdout_is_data: bool,
    /// Whether somebody waits for the end of the run, and does not connect to it.
    pub(crate) is_waited_for: bool,
    /// A file that gets the line, too.
    pub(crate) ready_file: Option<&'a Path>,
}

/// Says where clients connect: the ready line for programs, an address and a token for people.
///
/// # Errors
/// A [`Failure`] if the line cannot be written.
pub(crate) fn announce(
    console: Console,
    Place { ws, http, token }: &Place,
    Hearers { stdout_is_data, is_waited_for, ready_file }: Hearers<'_>,
) -> Result<(), Failure> {
    let line = format!("{}\n", json!({ "ws": ws, "http": http, "token": token }));
    match console.format {
        OutputFormat::Json if stdout_is_data => console.err(&line),
        OutputFormat::Json => console.out(&line)?,
        OutputFormat::Human | OutputFormat::Sarif if is_waited_for => {}
        OutputFormat::Human | OutputFormat::Sarif => console.note(&format!(
            "listening on {}\ntoken {}\n\
             nothing is kept on disk: an ack says that a message is accepted, not that it is durable\n",
            console.paint_err(Style::Bold, ws),
            console.paint_err(Style::Dim, token),
        )),
    }
    match ready_file {
        Some(path) => write_whole(path, &line),
        None => Ok(()),
    }
}

/// Writes the file under another name first, so that whoever waits for it never sees half of it.
fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    write_private(Path::new(&beside), text)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| Failure::unwritable(path.display(), error))
}

/// Writes a file that holds a token: where the system knows owners, for its owner alone.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}
