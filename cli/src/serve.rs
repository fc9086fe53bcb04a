//! `arqon serve`: a server for circuits that come and go while clients are connected.

use std::path::{Path, PathBuf};
use std::time::Duration;

use arqon_engine::{Clock, EngineOptions, Pace};
use arqon_plan::Artifact;
use arqon_server::{
    Addition, Change, Idle, Replacing, Server, ServerOptions, StartError, writers_first,
};

use crate::arguments::{GlobalArguments, ServeArguments};
use crate::circuit::load;
use crate::console::{Console, OutputFormat, Style};
use crate::exit::{Exit, Failure};
use crate::run::edge::{self, Hearers, Place};
use crate::run::signals::{Signal, Signals};
use crate::run::since_start;
use crate::source::find;

/// Close code of sessions when the server goes: RFC 6455, "going away".
const GOING_AWAY: u16 = 1001;

/// Runs a server until it is told to end.
///
/// # Errors
/// A [`Failure`] if the directory cannot be read, or the server cannot listen.
pub(crate) fn serve(
    arguments: &ServeArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let files = match &arguments.directory {
        Some(directory) => files(directory)?,
        None => Vec::new(),
    };
    let signals = Signals::listen()?;
    let config = edge::config(arguments.config.as_deref())?;
    // Circuits run beside one another: one thread for each is enough to begin with.
    let workers = arguments.workers.map_or(config.workers, |workers| Some(workers.into()));
    let n_workers = workers.unwrap_or(1);
    let backend = arguments.backend.into();
    let pace = Pace { clock: Some(Clock(since_start)), journal: None };
    let engine = EngineOptions { n_workers, backend, pace, ..EngineOptions::default() };
    let edge = Some(edge::options(arguments.listen, &config)?);
    let options = ServerOptions { engine, edge, clock: None, idle: Idle::Tick };
    let server = Server::open(options).map_err(|error| {
        let text = Failure::chain(&error);
        match error {
            StartError::Listen(_) => Failure::unreachable(text),
            _ => Failure::internal(text),
        }
    })?;
    let mut exit = Exit::Success;
    let mut failed = |failure: &Failure| {
        // What is wrong with one circuit is told, and the others run.
        console.report(failure);
        exit = exit.and(failure.exit);
    };
    let mut found = Vec::new();
    for file in files {
        match load(&file, global, &arguments.compiler, console) {
            Ok(artifact) => found.push((file, artifact)),
            Err(failure) => failed(&failure),
        }
    }
    for (file, artifact) in writers_first(found, |(_, artifact)| &artifact.dataflow) {
        if let Err(failure) = install(&server, &file, artifact, console) {
            failed(&failure);
        }
    }
    if exit != Exit::Success {
        console.err("warning: not all circuits are installed\n");
    }
    if let (Some(address), Some(token)) = (server.address(), server.token()) {
        let place = Place {
            ws: format!("ws://{address}"),
            http: Some(format!("http://{address}")),
            token: token.to_owned(),
        };
        let ready_file = arguments.ready_file.as_deref();
        let hearers = Hearers { stdout_is_data: false, is_waited_for: false, ready_file };
        edge::announce(console, &place, hearers)?;
    }
    while signals.wait(Duration::from_secs(3600)).is_none() {}
    server.finish(GOING_AWAY).map_err(|error| Failure::internal(Failure::chain(&error)))?;
    Ok(match signals.received() {
        Some(Signal::Interrupt) => Exit::Interrupted,
        Some(Signal::Terminate) | None => exit,
    })
}

/// The circuits of a directory; one that has none yet is no fault.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_empty = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
    if is_empty { Ok(Vec::new()) } else { find(directory) }
}

fn install(
    server: &Server,
    file: &Path,
    artifact: Artifact,
    console: Console,
) -> Result<(), Failure> {
    let name = artifact.dataflow.circuit.clone();
    let (replacing, on_output) = (Replacing::Never, Box::new(|_: &_| {}));
    let addition = Box::new(Addition { artifact, replacing, on_output });
    server.change(Change::Install(addition)).map_err(|error| {
        Failure::errors(format!("{}: {}", file.display(), Failure::chain(&error)))
    })?;
    if console.format == OutputFormat::Human {
        let name = console.paint_err(Style::Bold, &name);
        console.note(&format!("installed {name}, {}\n", file.display()));
    }
    Ok(())
}
