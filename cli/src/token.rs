//! `arqon token`: tokens for clients of a running circuit, made and looked at.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arqon_shield::{TokenRequest, TokenSecret, install_crypto};
use arqon_types::{format_duration, format_timestamp, parse_duration};
use serde_json::json;

use crate::arguments::{MintArguments, TokenCheckArguments, TokenCommand};
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};

/// Makes or checks a token.
///
/// # Errors
/// A [`Failure`] if the secret cannot be read, or the token is not accepted.
pub(crate) fn token(command: &TokenCommand, console: Console) -> Result<Exit, Failure> {
    install_crypto();
    match command {
        TokenCommand::Mint(arguments) => mint(arguments, console),
        TokenCommand::Check(arguments) => check(arguments, console),
    }
}

fn mint(arguments: &MintArguments, console: Console) -> Result<Exit, Failure> {
    let flag = format!("--expires-in {}", arguments.expires_in);
    let nanoseconds = parse_duration(&arguments.expires_in)
        .map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
    let valid_seconds = u64::try_from(nanoseconds)
        .map(|nanoseconds| Duration::from_nanos(nanoseconds).as_secs())
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| Failure::usage(format!("{flag}: a token holds for a second at least")))?;
    let request = TokenRequest {
        principal: arguments.subject.clone(),
        grants: arguments.grants.clone(),
        issued_at: seconds_now(),
        valid_seconds,
    };
    let token = secret(&arguments.secret.secret_file)?
        .mint(&request)
        .map_err(|error| Failure::usage(Failure::chain(&error)))?;
    if console.is_human() {
        console.out(&format!("{token}\n"))?;
    } else {
        let expires_at = request.issued_at.saturating_add(valid_seconds);
        console.out(&format!("{}\n", json!({ "token": token, "expires_at": expires_at })))?;
    }
    Ok(Exit::Success)
}

fn check(arguments: &TokenCheckArguments, console: Console) -> Result<Exit, Failure> {
    let mut token = arguments.token.clone();
    if token == "-" {
        token.clear();
        std::io::stdin()
            .take(64 << 10)
            .read_to_string(&mut token)
            .map_err(|error| Failure::unreachable(format!("cannot read stdin: {error}")))?;
    }
    let now = seconds_now();
    let identity = secret(&arguments.secret.secret_file)?
        .check(token.trim(), now)
        .map_err(|error| Failure::errors(Failure::chain(&error)))?;
    let grants: Vec<String> = identity.principal.grants.iter().map(ToString::to_string).collect();
    let expires = identity.expires_at;
    if !console.is_human() {
        let document =
            json!({ "subject": identity.principal.name, "grants": grants, "expires_at": expires });
        console.out(&format!("{document}\n"))?;
        return Ok(Exit::Success);
    }
    let nanoseconds =
        |seconds: u64| i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    let left = format_duration(nanoseconds(expires.saturating_sub(now)));
    console.out(&format!(
        "{}\nexpires {} (in {left})\n{}\n",
        console.paint_out(Style::Bold, &identity.principal.name),
        format_timestamp(nanoseconds(expires)),
        grants.join("\n"),
    ))?;
    Ok(Exit::Success)
}

fn secret(path: &Path) -> Result<TokenSecret, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::unreachable(format!("cannot read `{}`: {error}", path.display()))
    })?;
    // A line break at the end is the editor's, not the secret's.
    let trimmed = bytes.trim_ascii_end().to_vec();
    TokenSecret::new(trimmed)
        .map_err(|error| Failure::errors(format!("{}: {error}", path.display())))
}

#[expect(clippy::disallowed_methods, reason = "tokens hold for a time that clocks agree on")]
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
