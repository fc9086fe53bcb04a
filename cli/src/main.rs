//! The `arqon` command: where files, terminals and clocks meet the pure rooms.
//!
//! Each command is a module with one entry that returns how the process ends; `main` reads the
//! command line, runs it, and turns a panic into exit code 70 with a short message.

mod exit;
mod console;
mod table;
mod arguments;
mod source;
mod imports;
mod report;
mod circuit;
mod parallel;
mod diff;
mod fix;
mod picture;
mod schema;
mod messages;
mod jobs;
mod compile;
mod graph;
mod check;
mod difference;
mod init;
mod fmt;
mod lsp;
mod run;
mod examples;
mod serve;
mod token;
mod bus;
mod http;
mod circuits;
mod demo;
mod eval;
mod explain;
mod completions;

use std::panic;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::console::Console;
use crate::exit::{Exit, Failure};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Clap itself ends with 2 for a command line that it does not understand, 0 for help.
    let arguments = Arguments::parse();
    let console =
        Console::new(arguments.global.format, arguments.global.verbosity(), arguments.global.color);
    panic::set_hook(Box::new(move |info| {
        // What the decoder of a damaged file says becomes an error of the file.
        if !arqon_formats::is_guarded() {
            console.err(&format!("error: a fault in arqon itself: {info}\n"));
        }
    }));
    ended(|| dispatch(&arguments, console), console).into()
}

/// How a command ends, also one that panics.
fn ended(command: impl FnOnce() -> Result<Exit, Failure>, console: Console) -> Exit {
    match panic::catch_unwind(panic::AssertUnwindSafe(command)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            console.report(&failure);
            failure.exit
        }
        Err(_) => Exit::Internal,
    }
}

fn dispatch(arguments: &Arguments, console: Console) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Eval(command) => eval::evaluate(command, console),
        Command::Explain(command) => explain::explain(command, &arguments.global, console),
        Command::Schema => schema::schema(console),
        Command::Completions(command) => completions::completions(command, console),
        Command::Compile(command) => compile::compile(command, &arguments.global, console),
        Command::Graph(command) => graph::graph(command, &arguments.global, console),
        Command::Check(command) => check::check(command, &arguments.global, console),
        Command::Init(command) => init::init(command, console),
        Command::Diff(command) => difference::diff(command, &arguments.global, console),
        Command::Fmt(command) => fmt::fmt(command, console),
        Command::Lsp(command) => lsp::lsp(command, &arguments.global),
        Command::Test(command) => examples::test(command, &arguments.global, console),
        Command::Run(command) => run::run(command, &arguments.global, console),
        Command::Serve(command) => serve::serve(command, &arguments.global, console),
        Command::Ps(command) => circuits::ps(command, console),
        Command::Install(command) => circuits::install(command, &arguments.global, console),
        Command::Replace(command) => circuits::replace(command, &arguments.global, console),
        Command::Drop(command) => circuits::drop_circuit(command, console),
        Command::Token(command) => token::token(command, console),
        Command::Pub(command) => bus::publish(command, console),
        Command::Sub(command) => bus::subscribe(command, console),
        Command::Demo(command) => demo::demo(command, console),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{ColorChoice, OutputFormat, Verbosity};

    #[test]
    fn a_fault_of_ours_ends_with_70() {
        let console = Console::new(OutputFormat::Human, Verbosity::Quiet, ColorChoice::Never);
        let of_panic = ended(|| panic!("an invariant is broken"), console);
        let of_failure = ended(|| Err(Failure::internal("no thread can be started")), console);
        assert_eq!([of_panic, of_failure].map(Exit::code), [70, 70]);
    }
}
