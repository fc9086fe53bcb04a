//! `arqon run --config FILE`: what an operator of the server may set, in YAML.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use arqon_shield::{Settings, TokenError, TokenSecret};
use arqon_spine::Limits;
use serde::Deserialize;

/// The settings of a server; what is left out keeps its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where clients connect; a loopback address, port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Threads of the engine.
    pub workers: Option<usize>,
    /// A file whose bytes sign tokens; without it a random secret lasts as long as the process.
    pub token_secret_file: Option<PathBuf>,
    /// Origins of web pages that may connect.
    pub origins: Vec<String>,
    /// Maxima of the bus and its edge.
    pub limits: ConfigLimits,
}

/// Maxima that may be set; each is explained at [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigLimits {
    /// Bytes of one frame.
    pub message_bytes_max: Option<usize>,
    /// Messages of one batch.
    pub batch_messages_max: Option<usize>,
    /// Sessions at once.
    pub sessions_max: Option<usize>,
    /// Subscriptions of one session.
    pub subscriptions_max: Option<usize>,
    /// Rows that wait for the engine.
    pub queue_rows_max: Option<usize>,
    /// Message ids remembered per topic.
    pub dedupe_ids_max: Option<usize>,
    /// Changes kept per topic.
    pub history_rows_max: Option<usize>,
    /// Bytes that may wait for a slow client.
    pub outbox_bytes_max: Option<usize>,
    /// Changes that wait for one subscription before they are merged or dropped.
    pub pending_rows_max: Option<usize>,
    /// How often the edge pings.
    pub ping_interval_ms: Option<u64>,
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Text that is no configuration; the message shows the place.
    #[error("{} is no configuration: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong where.
        message: String,
    },
    /// A secret that can be guessed.
    #[error("the token secret is not used")]
    Secret(#[from] TokenError),
}

impl Config {
    /// Reads a configuration from a file.
    ///
    /// # Errors
    /// If it cannot be read, or holds what is unknown.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|message| ConfigError::Parse { path: path.to_owned(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    /// The settings of the edge.
    pub fn settings(&self) -> Settings {
        let set = &self.limits;
        let default = Limits::default();
        let limits = Limits {
            message_bytes_max: set.message_bytes_max.unwrap_or(default.message_bytes_max),
            batch_messages_max: set.batch_messages_max.unwrap_or(default.batch_messages_max),
            sessions_max: set.sessions_max.unwrap_or(default.sessions_max),
            subscriptions_max: set.subscriptions_max.unwrap_or(default.subscriptions_max),
            queue_rows_max: set.queue_rows_max.unwrap_or(default.queue_rows_max),
            dedupe_ids_max: set.dedupe_ids_max.unwrap_or(default.dedupe_ids_max),
            history_rows_max: set.history_rows_max.unwrap_or(default.history_rows_max),
            outbox_bytes_max: set.outbox_bytes_max.unwrap_or(default.outbox_bytes_max),
            pending_rows_max: set.pending_rows_max.unwrap_or(default.pending_rows_max),
            ping_interval_ms: set.ping_interval_ms.unwrap_or(default.ping_interval_ms).max(1),
            ..default
        };
        // Whoever may have more waiting is closed at four times that.
        let outbox_bytes_close =
            limits.outbox_bytes_close.max(limits.outbox_bytes_max.saturating_mul(4));
        let limits = Limits { outbox_bytes_close, ..limits };
        Settings {
            limits,
            connections_max: limits.sessions_max.saturating_add(64),
            origins: self.origins.clone(),
            ..Settings::default()
        }
    }

    /// The secret of the file that the configuration names, if it names one.
    ///
    /// # Errors
    /// If the file cannot be read, or holds too few bytes.
    pub fn secret(&self) -> Result<Option<TokenSecret>, ConfigError> {
        let Some(path) = &self.token_secret_file else { return Ok(None) };
        let bytes = std::fs::read(path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Ok(Some(TokenSecret::new(bytes.trim_ascii_end().to_vec())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_keeps_its_default() {
        let config = Config::parse(
            "listen: 127.0.0.1:0\nworkers: 2\norigins: [\"https://example.org\"]\n\
             limits:\n  message_bytes_max: 1000\n  outbox_bytes_max: 9000000\n",
        )
        .unwrap();
        let settings = config.settings();
        assert_eq!(settings.limits.message_bytes_max, 1000);
        assert_eq!(settings.limits.outbox_bytes_close, 36_000_000);
        assert_eq!(settings.limits.sessions_max, Limits::default().sessions_max);
        assert_eq!(config.workers, Some(2));
        assert_eq!(Config::parse("\n").unwrap(), Config::default());
        assert_eq!(config.secret().unwrap().map(|_| ()), None);
    }

    /// The page shows every word with what it is where nobody sets it.
    #[test]
    fn the_page_shows_the_defaults() {
        let page = include_str!("../../../docs/SERVER.md");
        let shown =
            page.split_once("```yaml config\n").and_then(|(_, rest)| rest.split_once("```"));
        let (text, _) = shown.expect("docs/SERVER.md shows a configuration");
        let config = Config::parse(text).unwrap();
        assert_eq!(config.settings().limits, Limits::default());
        let shown = format!("{:?}", config.limits);
        assert!(!shown.contains("None"), "a limit that the page does not show: {shown}");
        assert!(config.listen.is_some_and(|listen| listen.ip().is_loopback()));
        assert!(config.workers.is_some() && config.token_secret_file.is_some());
    }

    #[test]
    fn unknown_words_are_refused_where_they_stand() {
        for odd in ["lisen: 127.0.0.1:0", "limits: { message: 1 }", "workers: many", "listen: here"]
        {
            let message = Config::parse(odd).unwrap_err();
            assert!(message.contains('1'), "names the line: {message}");
        }
    }
}
