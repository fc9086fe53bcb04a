//! `arqon ps`, `install`, `replace` and `drop`: the circuits of a running server.

use std::path::Path;

use arqon_plan::{Artifact, encode};
use serde_json::Value as Json;

use crate::arguments::{
    BusArguments, CompilerArguments, DropArguments, GlobalArguments, InstallArguments, PsArguments,
    ReplaceArguments,
};
use crate::bus::place;
use crate::circuit::load;
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};
use crate::http::{Ask, ask};
use crate::report::count;
use crate::run::durations::{bytes_text, number_text};
use crate::table::{headed, lines};

/// Shows the circuits of a server, or one of them.
///
/// # Errors
/// A [`Failure`] if the server cannot be reached, or refuses.
pub(crate) fn ps(arguments: &PsArguments, console: Console) -> Result<Exit, Failure> {
    let path = match &arguments.circuit {
        Some(name) => format!("/v1/circuits/{name}"),
        None => "/v1/circuits".to_owned(),
    };
    let document = send(&arguments.bus, Ask { method: "GET", path: &path, body: b"" })?;
    if !console.is_human() {
        console.out(&format!("{document}\n"))?;
        return Ok(Exit::Success);
    }
    let text = match (&arguments.circuit, document["circuits"].as_array()) {
        (None, Some(circuits)) => list(circuits, console),
        _ => one(&document, console),
    };
    console.out(&text)?;
    Ok(Exit::Success)
}

/// Installs a circuit.
///
/// # Errors
/// A [`Failure`] if the circuit has errors, or the server refuses it.
pub(crate) fn install(
    arguments: &InstallArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let (_, body) = compiled(&arguments.file, global, &arguments.compiler, console)?;
    let ask = Ask { method: "POST", path: "/v1/circuits", body: &body };
    let document = send(&arguments.bus, ask)?;
    told(&document, "installed", console)
}

/// Puts a circuit in the place of the one of its name.
///
/// # Errors
/// A [`Failure`] if the circuit has errors, or the server refuses it; with exit code 5 if clients
/// could not follow.
pub(crate) fn replace(
    arguments: &ReplaceArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let (name, body) = compiled(&arguments.file, global, &arguments.compiler, console)?;
    let query = if arguments.force { "?force=true" } else { "" };
    let path = format!("/v1/circuits/{name}{query}");
    let document = send(&arguments.bus, Ask { method: "PUT", path: &path, body: &body })?;
    told(&document, "replaced", console)
}

/// Takes a circuit away.
///
/// # Errors
/// A [`Failure`] if the server refuses.
pub(crate) fn drop_circuit(arguments: &DropArguments, console: Console) -> Result<Exit, Failure> {
    let path = format!("/v1/circuits/{}", arguments.circuit);
    let document = send(&arguments.bus, Ask { method: "DELETE", path: &path, body: b"" })?;
    told(&document, "dropped", console)
}

fn send(bus: &BusArguments, request: Ask<'_>) -> Result<Json, Failure> {
    let (url, token) = place(bus)?;
    ask(&url, &token, request)
}

/// The circuit's name, and its artifact.
fn compiled(
    file: &Path,
    global: &GlobalArguments,
    compiler: &CompilerArguments,
    console: Console,
) -> Result<(String, Vec<u8>), Failure> {
    let artifact: Artifact = load(file, global, compiler, console)?;
    let bytes = encode(&artifact).map_err(|error| Failure::internal(Failure::chain(&error)))?;
    Ok((artifact.dataflow.circuit, bytes))
}

fn told(document: &Json, verb: &str, console: Console) -> Result<Exit, Failure> {
    if !console.is_human() {
        console.out(&format!("{document}\n"))?;
        return Ok(Exit::Success);
    }
    let number = |key: &str| usize::try_from(document[key].as_u64().unwrap_or(0)).unwrap_or(0);
    let name = console.paint_out(Style::Bold, &text(&document["circuit"]));
    let came = if verb == "dropped" {
        String::new()
    } else {
        let (rows, updates) = (count(number("rows"), "row"), number("updates"));
        format!(": {rows} taken in, {} to its topics", count(updates, "change"))
    };
    console.out(&format!("{verb} {name} at epoch {}{came}\n", number("epoch")))?;
    for topic in document["starts_without"].as_array().into_iter().flatten() {
        let topic = topic.as_str().unwrap_or_default();
        console
            .note(&format!("note: it starts without the past of `{topic}`, which nobody holds\n"));
    }
    Ok(Exit::Success)
}

fn list(circuits: &[Json], console: Console) -> String {
    if circuits.is_empty() {
        return "no circuit is installed\n".to_owned();
    }
    let rows = circuits.iter().map(|circuit| {
        let number = |key: &str| number(&circuit[key]);
        [
            text(&circuit["name"]),
            text(&circuit["state"]),
            number("since"),
            number("epochs"),
            number("rows_in"),
            number("rows_held"),
            bytes(&circuit["state_bytes"]),
        ]
    });
    let header = ["circuit", "is", "since", "epochs", "rows in", "rows held", "state"];
    let stopped = circuits.iter().filter_map(|circuit| {
        let reason = circuit["reason"].as_str()?;
        let line = format!("{} has stopped: {reason}", text(&circuit["name"]));
        Some(console.paint_out(Style::Red, &line) + "\n")
    });
    table(header, rows) + &stopped.collect::<String>()
}

fn one(circuit: &Json, console: Console) -> String {
    let head = format!(
        "{} is {} since epoch {}, from {}\n",
        console.paint_out(Style::Bold, &text(&circuit["name"])),
        text(&circuit["state"]),
        number(&circuit["since"]),
        text(&circuit["file"]),
    );
    let reason = circuit["reason"].as_str();
    let reason = reason.map(|reason| console.paint_out(Style::Red, reason) + "\n");
    let shares = ["tables", "steps"].map(|kind| {
        let shares = circuit["in_common"][kind].as_object().into_iter().flatten();
        let line = |(of, with): (&String, &Json)| {
            let with = with.as_array().into_iter().flatten().filter_map(Json::as_str);
            let with: Vec<&str> = with.collect();
            let what = if kind == "tables" { "table" } else { "state" };
            format!("its {what} of {of} is that of {} as well\n", with.join(", "))
        };
        shares.map(line).collect::<String>()
    });
    let last = Some(&circuit["last"]).filter(|last| last.is_object()).map(last);
    let steps = circuit["steps"].as_array().into_iter().flatten().map(|step| {
        [
            text(&step["step"]),
            number(&step["in"]["changes"]),
            number(&step["out"]["changes"]),
            number(&step["touched"]),
            number(&step["held"]),
            bytes(&step["state_bytes"]),
        ]
    });
    let header = ["step", "rows in", "deltas out", "rows touched", "rows held", "state"];
    head + &reason.unwrap_or_default()
        + &shares.concat()
        + &last.unwrap_or_default()
        + "\n"
        + &table(header, steps)
}

/// The newest epoch of a circuit.
fn last(epoch: &Json) -> String {
    let churn = epoch["churn"].as_f64();
    format!(
        "epoch {}: {} in, {} out, {} touched, churn {}, {} µs\n",
        number(&epoch["epoch"]),
        number(&epoch["rows_in"]),
        number(&epoch["deltas_out"]),
        number(&epoch["rows_touched"]),
        churn.map_or_else(|| "n/a".to_owned(), |churn| format!("{churn:.4}")),
        number(&epoch["elapsed_us"]),
    )
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = headed(header);
    for row in rows {
        table.add_row(row);
    }
    lines(&table) + "\n"
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Json) -> String {
    number_text(value.as_u64().unwrap_or(0))
}

fn bytes(value: &Json) -> String {
    bytes_text(value.as_u64().unwrap_or(0))
}
