//! The command line, as `arqon --help` tells it.

#![expect(clippy::doc_markdown, reason = "these comments are what the shell shows")]

use std::net::SocketAddr;
use std::path::PathBuf;

use arqon_engine::BackendChoice;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::console::{ColorChoice, OutputFormat, Verbosity};

/// What the shell sees at the end; `docs/CIRCUITS.md` has the same table.
const EXIT_CODES: &str = "\
Exit codes:
  0    all is well
  1    errors found, tests failed, or bad lines in an input
  2    the command line is not understood
  3    something cannot be read, written or reached
  5    a change that clients cannot follow
  70   a fault in arqon itself
  130  interrupted";

/// Compiles declarative circuits, keeps their answers up to date by deltas, and carries them
/// over websockets.
#[derive(Debug, Parser)]
#[command(name = "arqon", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArguments {
    /// How results are written
    #[arg(long, global = true, value_enum, default_value_t, hide_possible_values = false)]
    pub(crate) format: OutputFormat,
    /// When colours are used
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Only errors on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// What the parts are doing, too
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Apply the profile of this name, as `profiles:` of the circuit has it
    #[arg(long, global = true, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) profile: Option<String>,
    /// Let an operator use this one of its implementations
    #[arg(
        long = "use",
        global = true,
        value_name = "OPERATOR=IMPL",
        value_parser = pair,
        value_hint = ValueHint::Other
    )]
    pub(crate) uses: Vec<(String, String)>,
    /// Give a parameter of the circuit this value; it goes before that of a profile
    #[arg(
        long,
        global = true,
        value_name = "NAME=VALUE",
        value_parser = setting,
        value_hint = ValueHint::Other
    )]
    pub(crate) set: Vec<(String, String)>,
}

impl GlobalArguments {
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the main job: a year of flights, corrected while you watch (about 20 seconds)
    Demo(DemoArguments),
    /// Check a circuit and write its plan
    Compile(CompileArguments),
    /// Check circuits, all faults in one run
    Check(CheckArguments),
    /// Evaluate one expression: its value and its type
    Eval(EvalArguments),
    /// Write circuits in canonical form, their comments kept
    Fmt(FmtArguments),
    /// Serve an editor with the language server protocol, over stdin and stdout
    Lsp(LspArguments),
    /// Explain a diagnostic code at length, or a part of a circuit
    Explain(ExplainArguments),
    /// Draw a circuit
    Graph(GraphArguments),
    /// Run the examples that circuits hold
    Test(TestArguments),
    /// Make a project: a circuit with examples, and what a build server runs
    Init(InitArguments),
    /// Say what replacing one circuit by another keeps, builds anew or refuses
    Diff(DiffArguments),
    /// Run a circuit: files in and out, and websocket clients at its edge
    Run(RunArguments),
    /// Run a server for circuits that come and go while clients are connected
    Serve(ServeArguments),
    /// Show the circuits of a server
    Ps(PsArguments),
    /// Install a circuit on a server
    Install(InstallArguments),
    /// Put a circuit in the place of the one of its name on a server
    Replace(ReplaceArguments),
    /// Take a circuit from a server
    Drop(DropArguments),
    /// Publish rows to a topic of a running circuit
    Pub(PubArguments),
    /// Follow a topic of a running circuit
    Sub(SubArguments),
    /// Make and check tokens for clients
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print the JSON Schema of circuit files, for editors
    Schema,
    /// Print a shell's completion script
    Completions(CompletionsArguments),
}

/// What is accepted that would else be an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Allowance {
    /// State without a bound
    Unbounded,
}

/// Circuits are compiled alike by every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompilerArguments {
    /// Accept what would else be an error
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) allow: Vec<Allowance>,
    /// The folder that imports may not leave [default: the circuit's own]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompileArguments {
    /// The circuit; `-` reads stdin
    pub(crate) file: PathBuf,
    /// Write the artifact here
    #[arg(short, long, value_name = "OUT.arqon")]
    pub(crate) output: Option<PathBuf>,
    /// Print this to stdout
    #[arg(long, value_enum)]
    pub(crate) emit: Option<Emission>,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

/// What `compile` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emission {
    /// The typed graph, as text
    Plan,
    /// The executable steps, as text
    Dataflow,
    /// The graph for Graphviz
    Dot,
    /// The graph for Markdown
    Mermaid,
    /// The graph for browsers and papers
    Svg,
    /// Typed graph and steps as JSON
    Json,
    /// The JSON Schema of circuit files, for editors
    Schema,
    /// The rows of topics as protobuf messages
    Proto,
    /// The kernels as jobs, `arqonbus.itmd.job.v1` in JSON
    Itmd,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Circuits, or directories of circuits
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Mend what can be mended by machine, in the files themselves
    #[arg(long, conflicts_with = "explain")]
    pub(crate) fix: bool,
    /// Print what `--fix` would change, and change nothing
    #[arg(long, requires = "fix")]
    pub(crate) dry_run: bool,
    /// Print the proof of a property that holds
    #[arg(long, value_enum, value_name = "PROPERTY")]
    pub(crate) explain: Option<Property>,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArguments {
    /// Circuits, or directories of circuits; `-` formats stdin to stdout
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Print what would change, change nothing, and end with 1 if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LspArguments {
    /// Over stdin and stdout, as always; some editors say so
    #[arg(long, hide = true)]
    pub(crate) stdio: bool,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

/// What `check` can prove in print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Property {
    /// No path from a client to an operator, or between operators, but through topics
    NoBypass,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArguments {
    /// The expression, such as '1 + 2' or 'upper(name)'
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) expression: String,
    /// The row it is over, as JSON; `-` reads rows from stdin, `@FILE` from a file
    #[arg(long, value_name = "JSON")]
    pub(crate) row: Option<String>,
    /// The types of the row's fields, such as 'x: int64, at: timestamp' [default: as the JSON
    /// looks]
    #[arg(long, value_name = "FIELDS")]
    pub(crate) schema: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Where; made if it is not there
    #[arg(default_value = ".")]
    pub(crate) directory: PathBuf,
    /// The circuit to begin with
    #[arg(long, value_enum, default_value_t, value_name = "EXAMPLE")]
    pub(crate) from: Beginning,
}

/// Circuits to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Beginning {
    /// Customers and orders, joined and summed
    #[default]
    Shop,
    /// A year of flights: delays per carrier, weather and route
    Flights,
    /// One topic in, one out
    Small,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The circuit that runs, or its artifact
    pub(crate) old: PathBuf,
    /// The circuit that is to take its place, or its artifact
    pub(crate) new: PathBuf,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The code, such as E0302; or a circuit
    #[arg(required_unless_present = "list", value_name = "CODE|FILE")]
    pub(crate) subject: Option<String>,
    /// What to explain of the circuit: a node, a step such as `revenue[1]`, a topic, an operator
    #[arg(requires = "subject", value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// List all codes
    #[arg(long, conflicts_with = "subject")]
    pub(crate) list: bool,
    /// The list as a Markdown page, each code explained
    #[arg(long, requires = "list")]
    pub(crate) markdown: bool,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// The circuit; `-` reads stdin
    pub(crate) file: PathBuf,
    /// The kind of drawing
    #[arg(long = "as", value_enum, default_value_t)]
    pub(crate) kind: GraphKind,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

/// Kinds of drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum GraphKind {
    /// With box characters
    #[default]
    Terminal,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// For browsers and papers
    Svg,
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Circuits, or directories of circuits
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Try what holds for every circuit, too, with generated inputs
    #[arg(long)]
    pub(crate) laws: bool,
    /// The first seed of the generated inputs
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many inputs are generated, a seed each
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) cases: u64,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// A circuit, or an artifact of `arqon compile`
    pub(crate) file: PathBuf,
    /// Read a topic's messages from a file (.csv, .ndjson, each also .gz or .zst; .parquet) or
    /// stdin (`-`); files are read in the order of the flags
    #[arg(long, value_name = "TOPIC=PATH", value_parser = pair)]
    pub(crate) input: Vec<(String, String)>,
    /// Write a topic to a file or stdout (`-`)
    #[arg(long, value_name = "TOPIC=PATH", value_parser = pair)]
    pub(crate) output: Vec<(String, String)>,
    /// What is written of a topic [default: snapshot for .csv and .parquet, else deltas]
    #[arg(long = "as", value_enum)]
    pub(crate) kind: Option<OutputAs>,
    /// Close an epoch every N records of all inputs together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) epoch_rows: Option<u64>,
    /// Take the times of epochs (`epoch_time()`) from FILE, and add those that it has not yet
    #[arg(long, value_name = "FILE")]
    pub(crate) times: Option<PathBuf>,
    /// Take the modes of kernels from FILE, and add those that it has not yet
    #[arg(long, value_name = "FILE")]
    pub(crate) decisions: Option<PathBuf>,
    /// Threads of the dataflow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
    /// How state is kept
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: Backend,
    /// End when all inputs are read and all epochs are out
    #[arg(long)]
    pub(crate) until_idle: bool,
    /// Bad lines do not make the run fail
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Skip CSV columns that are no field
    #[arg(long)]
    pub(crate) ignore_extra: bool,
    /// Where websocket clients connect; loopback only, port 0 picks a free one
    /// [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Write the ready line here as well, once clients may connect
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Limits, listen address and token secret from a YAML file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

/// How `run` keeps state; the answers are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Backend {
    /// As the engine chooses
    #[default]
    Auto,
    /// In hash tables
    Hash,
    /// In differential arrangements
    Arrangements,
}

impl From<Backend> for BackendChoice {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => Self::Auto,
            Backend::Hash => Self::Hash,
            Backend::Arrangements => Self::Arrangements,
        }
    }
}

/// What `run` writes of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputAs {
    /// Every change as it happens
    Deltas,
    /// The rows at the end
    Snapshot,
}

/// What there is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Show {
    /// A year of flights, corrected while you watch
    #[default]
    Flights,
    /// Attention whose tokens change, from one in ten thousand to all of them and back
    Itmd,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// What to show
    #[arg(value_enum, default_value_t)]
    pub(crate) show: Show,
    /// Draw what steps of `itmd` cost against the churn
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) svg: Option<PathBuf>,
    /// Stay up at the end of `flights`, so that clients can look around
    #[arg(long)]
    pub(crate) keep: bool,
    /// Threads of the dataflow of `flights`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Install every circuit at or under it [default: begin without circuits]
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Threads of each circuit's dataflow [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
    /// How state is kept
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: Backend,
    /// Where clients connect; loopback only, port 0 picks a free one [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Write the ready line here as well, once clients may connect
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Limits, listen address and token secret from a YAML file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PsArguments {
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// One circuit, with its newest epoch and its steps
    #[arg(value_name = "CIRCUIT", value_hint = ValueHint::Other)]
    pub(crate) circuit: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// A circuit, or an artifact of `arqon compile`
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ReplaceArguments {
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// A circuit, or an artifact of `arqon compile`
    pub(crate) file: PathBuf,
    /// Also if clients cannot follow: their subscriptions end
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) compiler: CompilerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DropArguments {
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// The circuit
    #[arg(value_name = "CIRCUIT", value_hint = ValueHint::Other)]
    pub(crate) circuit: String,
}

/// Where a running circuit is.
#[derive(Debug, Clone, Args)]
pub(crate) struct BusArguments {
    /// The address that `run` or `serve` prints [default: $ARQON_URL]
    #[arg(long, value_name = "WS://…")]
    pub(crate) url: Option<String>,
    /// The token that `run` or `serve` prints, or one of `arqon token mint` [default: $ARQON_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PubArguments {
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// The topic
    pub(crate) topic: String,
    /// One row as JSON; without it, or with `-`, one row a line from stdin
    pub(crate) row: Option<String>,
    /// Wait until every effect of the row is out
    #[arg(long)]
    pub(crate) applied: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SubArguments {
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// The topic
    pub(crate) topic: String,
    /// What is printed
    #[arg(long = "as", value_enum, default_value_t)]
    pub(crate) kind: SubscribeAs,
    /// Only changes after this epoch [default: begin with a snapshot]
    #[arg(long, value_name = "EPOCH", conflicts_with = "now")]
    pub(crate) since: Option<u64>,
    /// Only what comes from now on
    #[arg(long)]
    pub(crate) now: bool,
    /// Only rows for which this is true
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// End after so many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

/// What `sub` prints of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum SubscribeAs {
    /// Changes with their epoch and sign
    #[default]
    Deltas,
    /// The rows that are there now, and no more
    Snapshot,
    /// The newest row of each key
    Upserts,
}

/// `arqon token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token
    Mint(MintArguments),
    /// Say what a token grants
    Check(TokenCheckArguments),
}

/// The secret that signs tokens.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecretArguments {
    /// A file with the secret, at least 32 bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct MintArguments {
    #[command(flatten)]
    pub(crate) secret: SecretArguments,
    /// Who presents the token
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: String,
    /// What it grants: can_publish:TOPIC, can_subscribe:TOPIC or can_admin:CIRCUIT, with wildcards
    /// `*` and `>`
    #[arg(long = "grant", required = true, value_name = "GRANT")]
    pub(crate) grants: Vec<String>,
    /// How long it holds, such as 30m, 12h, 7d
    #[arg(long, value_name = "DURATION", default_value = "12h")]
    pub(crate) expires_in: String,
}

#[derive(Debug, Args)]
pub(crate) struct TokenCheckArguments {
    #[command(flatten)]
    pub(crate) secret: SecretArguments,
    /// The token; `-` reads stdin
    pub(crate) token: String,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

fn pair(text: &str) -> Result<(String, String), String> {
    setting(text).and_then(|(name, value)| {
        if value.is_empty() { Err(PAIR_SHAPE.to_owned()) } else { Ok((name, value)) }
    })
}

/// A name with a value that may be the empty text.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(PAIR_SHAPE.to_owned()),
    }
}

const PAIR_SHAPE: &str = "write it as NAME=VALUE";
