//! The command line of benches that run sides in processes of their own.

use std::error::Error;
use std::process::ExitCode;

/// How a bench ends.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How often, with what, and over how much.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Runs of each side.
    pub repeat: usize,
    /// Of each circuit.
    pub workers: usize,
    /// Of each topic.
    pub rows: u64,
}

impl Settings {
    /// What is said by `--repeat`, `--workers` and `--rows`; none if something else is.
    fn read(mut settings: Self, args: &[String]) -> Option<Self> {
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let number: u32 = args.next()?.parse().ok().filter(|number| *number > 0)?;
            match flag.as_str() {
                "--repeat" => settings.repeat = number.try_into().ok()?,
                "--workers" => settings.workers = number.try_into().ok()?,
                "--rows" => settings.rows = number.into(),
                _ => return None,
            }
        }
        Some(settings)
    }
}

/// Does what this process was started for: one run, of which the words behind `--one` say more, or
/// all of them, `repeat` times unless the command line says otherwise.
#[expect(clippy::print_stdout, reason = "a bench says how it ended")]
pub fn run(
    name: &str,
    repeat: usize,
    one: fn(&[String]) -> Outcome<()>,
    all: fn(Settings) -> Outcome<()>,
) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let defaults = Settings { repeat, workers: 1, rows: 1_000_000 };
    let ended = if let Some((flag, words)) = args.split_first()
        && flag == "--one"
    {
        one(words)
    } else if let Some(settings) = Settings::read(defaults, &args) {
        all(settings)
    } else {
        println!("usage: {name} [--repeat N] [--workers N] [--rows N]");
        return ExitCode::from(2);
    };
    exit(ended)
}

/// Says why it did not end well, if it did not.
#[expect(clippy::print_stdout, reason = "a bench says how it ended")]
pub fn exit(ended: Outcome<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
