//! `arqon pub` and `arqon sub`: a running circuit from the shell, through the Rust client.

use std::io::{self, BufRead};

use arqon_client::{
    Ack, AckMode, As, Begin, Client, ConnectError, Delivery, ErrorCode, Message, SessionError,
    Subscribe, connect as connect_to,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::arguments::{BusArguments, PubArguments, SubArguments, SubscribeAs};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::report::count;

/// Publishes a row, or one row a line from stdin.
///
/// # Errors
/// A [`Failure`] if the circuit cannot be reached, or refuses a row.
pub(crate) fn publish(arguments: &PubArguments, console: Console) -> Result<Exit, Failure> {
    block_on(async {
        let client = connect(&arguments.bus).await?;
        let mode = if arguments.applied { AckMode::Applied } else { AckMode::Accepted };
        let (mut n_rows, mut n_refused) = (0_usize, 0_usize);
        for line in lines(arguments.row.as_deref()) {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            n_rows += 1;
            let message = message(&arguments.topic, &line)?.with_ack(mode);
            match client.publish(message).await {
                Ok(ack) => print_ack(console, &ack)?,
                Err(error @ SessionError::Refused(_)) => {
                    n_refused += 1;
                    console.report(&client_failure(&error));
                }
                Err(error) => return Err(client_failure(&error)),
            }
        }
        client.close().await;
        if n_refused > 0 && n_rows > 1 {
            let refused = format!("{n_refused} of {} refused", count(n_rows, "row"));
            return Err(Failure::errors(refused));
        }
        Ok(if n_refused > 0 { Exit::Errors } else { Exit::Success })
    })
}

/// Prints what a topic brings, until it ends or the reader has enough.
///
/// # Errors
/// A [`Failure`] if the circuit cannot be reached, or refuses the subscription.
pub(crate) fn subscribe(arguments: &SubArguments, console: Console) -> Result<Exit, Failure> {
    let from = match (arguments.since, arguments.now) {
        (Some(epoch), _) => Begin::Epoch(epoch),
        (None, true) => Begin::Now,
        (None, false) => Begin::Snapshot,
    };
    let form = match arguments.kind {
        SubscribeAs::Deltas => As::Deltas,
        SubscribeAs::Snapshot => As::Snapshot,
        SubscribeAs::Upserts => As::Upserts,
    };
    let mut request = Subscribe::to(&arguments.topic).from(from).deliver(form);
    if let Some(filter) = &arguments.filter {
        request = request.filter(filter);
    }
    block_on(async {
        let client = connect(&arguments.bus).await?;
        let mut subscription =
            client.subscribe(request).await.map_err(|error| client_failure(&error))?;
        let mut left = arguments.count.unwrap_or(u64::MAX);
        loop {
            let delivery = tokio::select! {
                delivery = subscription.next() => match delivery {
                    Some(delivery) => delivery.map_err(|error| client_failure(&error))?,
                    None => return Ok(Exit::Success),
                },
                _ = tokio::signal::ctrl_c() => {
                    client.close().await;
                    return Ok(Exit::Interrupted);
                }
            };
            for line in printed(&delivery) {
                console.out(&line)?;
                left -= 1;
                if left == 0 {
                    client.close().await;
                    return Ok(Exit::Success);
                }
            }
        }
    })
}

/// The lines of a delivery, in the form of `run`'s outputs.
fn printed(delivery: &Delivery) -> Vec<String> {
    match delivery {
        Delivery::Delta { changes, .. } => changes
            .iter()
            .map(|change| {
                let (epoch, diff, row) = (change.epoch, change.diff, &change.row);
                format!("{{\"$epoch\":{epoch},\"$diff\":{diff},\"$row\":{row}}}\n")
            })
            .collect(),
        Delivery::Snapshot { rows, .. } => rows
            .iter()
            .flat_map(|counted| (0..counted.count).map(|_| format!("{}\n", counted.row)))
            .collect(),
        Delivery::Upserts { upserts, .. } => upserts
            .iter()
            .map(|upsert| match &upsert.row {
                Some(row) => format!("{row}\n"),
                None => format!("{{\"$delete\":{}}}\n", upsert.key),
            })
            .collect(),
        Delivery::Event { row, .. } => vec![format!("{row}\n")],
        Delivery::Gap { after, next } => {
            vec![format!("{}\n", json!({ "$gap": { "after": after, "next": next } }))]
        }
        Delivery::Progress { .. } => Vec::new(),
    }
}

/// What a line says: a row, `{"$delete": {key}}`, or `{"$diff": -1, "$row": {…}}`.
fn message(topic: &str, line: &str) -> Result<Message, Failure> {
    #[derive(serde::Deserialize)]
    struct Special<'a> {
        #[serde(borrow, rename = "$delete")]
        delete: Option<&'a RawValue>,
        #[serde(rename = "$diff")]
        diff: Option<i64>,
        #[serde(borrow, rename = "$row")]
        row: Option<&'a RawValue>,
    }
    let line = line.trim();
    // The server reads the row by the topic's schema; here it only has to be an object.
    if !matches!(serde_json::from_str(line), Ok(Value::Object(_))) {
        return Err(Failure::errors(format!("not a JSON object: {line}")));
    }
    Ok(match serde_json::from_str(line) {
        Ok(Special { delete: Some(key), .. }) => Message::delete(topic, key.get()),
        Ok(Special { diff: Some(diff), row: Some(row), .. }) => {
            Message::changes(topic, [(diff, row.get())])
        }
        Ok(_) | Err(_) => Message::row(topic, line),
    })
}

fn lines(row: Option<&str>) -> Box<dyn Iterator<Item = Result<String, Failure>> + '_> {
    match row {
        Some(row) if row != "-" => Box::new(std::iter::once(Ok(row.to_owned()))),
        Some(_) | None => Box::new(io::stdin().lock().lines().map(|line| {
            line.map_err(|error| Failure::unreachable(format!("cannot read stdin: {error}")))
        })),
    }
}

fn print_ack(console: Console, ack: &Ack) -> Result<(), Failure> {
    if console.is_human() {
        console.note(&format!("offset {}, epoch {}\n", ack.offset, ack.epoch));
        return Ok(());
    }
    let document = json!({ "id": ack.id.to_string(), "offset": ack.offset, "epoch": ack.epoch.0 });
    console.out(&format!("{document}\n"))
}

/// The address and the token of a server.
///
/// # Errors
/// A [`Failure`] that says which of them is not given.
pub(crate) fn place(bus: &BusArguments) -> Result<(String, String), Failure> {
    let url = given(bus.url.as_deref(), "--url", "ARQON_URL")?;
    let token = given(bus.token.as_deref(), "--token", "ARQON_TOKEN")?;
    Ok((url, token))
}

async fn connect(bus: &BusArguments) -> Result<Client, Failure> {
    let (url, token) = place(bus)?;
    connect_to(&url, &token).await.map_err(|error| connect_failure(&url, &error))
}

#[expect(clippy::disallowed_methods, reason = "documented variables stand in for flags")]
fn given(flag: Option<&str>, name: &str, variable: &str) -> Result<String, Failure> {
    flag.map(str::to_owned)
        .or_else(|| std::env::var(variable).ok().filter(|value| !value.is_empty()))
        .ok_or_else(|| {
            Failure::usage(format!("{name} is needed"))
                .help(format!("`arqon run` prints it; or set {variable}"))
        })
}

/// A failure to connect, for people.
pub(crate) fn connect_failure(url: &str, error: &ConnectError) -> Failure {
    let message = format!("{url}: {}", Failure::chain(error));
    match error {
        ConnectError::Handshake(_) => Failure::nobody(message),
        _ => Failure::unreachable(message),
    }
}

/// A refusal, or the end of the session, for people.
pub(crate) fn client_failure(error: &SessionError) -> Failure {
    match error {
        SessionError::Refused(refusal) => {
            let unavailable = matches!(refusal.code, ErrorCode::Unavailable | ErrorCode::Internal);
            let exit = if unavailable { Exit::Unreachable } else { Exit::Errors };
            Failure { exit, message: refusal.to_string(), help: refusal.help.clone() }
        }
        SessionError::Ended(_) => Failure::unreachable(Failure::chain(error)),
        other => Failure::errors(Failure::chain(other)),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("no thread can be started: {error}")))?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_rows_deletes_or_signed_rows() {
        // Messages have ids of their own, so they are compared by how they are written.
        let check = |line: &str, expected: Message| {
            let id = expected.id();
            assert_eq!(message("t", line).map(|found| found.with_id(id)), Ok(expected));
        };
        check("{\"id\": 1} ", Message::row("t", "{\"id\": 1}"));
        check("{\"$delete\":{\"id\":1}}", Message::delete("t", "{\"id\":1}"));
        check(
            "{\"$diff\":-1,\"$row\":{\"a\":\"1.50\"}}",
            Message::changes("t", [(-1, "{\"a\":\"1.50\"}")]),
        );
        for odd in ["", "[1]", "{", "1", "null"] {
            assert!(message("t", odd).is_err(), "{odd}");
        }
    }
}
