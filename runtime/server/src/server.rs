//! Running circuits with their edge.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread::JoinHandle;

use arqon_engine::{Dataflow, EngineOptions, RowOutput, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_shield::{
    Bell, ListenError, Listener, Rooms, Settings, TO_BUS_MAX, ToBus, TokenError, TokenRequest,
    TokenSecret, install_crypto,
};
use arqon_spine::{Bus, BusOptions, Limits};
use arqon_types::{Epoch, TopicName};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::circuit::{EngineLine, OnOutput};
use crate::clock::{EpochClock, UnixClock, unix_nanoseconds};
use crate::command::{Change, ChangeError, Changed, Command, FeedError};
use crate::control::attend;
use crate::edge::EdgeThreads;
use crate::entrance::{Ears, Entrance};
use crate::hub::{Fate, Hub, HubOptions, Idle};
use crate::report::ServerReport;
use crate::topics::{edge_grants, filter_compiler};

/// Seconds that a ready-made token is good for.
const TOKEN_SECONDS: u64 = 12 * 3600;
/// Feeds that may wait for the hub.
const COMMANDS_MAX: usize = 4;
/// Requests that may wait to be looked at; when it is full, those who ask wait.
const REQUESTS_MAX: usize = 64;

/// How a server is to run.
#[derive(Debug)]
pub struct ServerOptions {
    /// The engine's options.
    pub engine: EngineOptions,
    /// The edge; without it no client can connect.
    pub edge: Option<EdgeOptions>,
    /// Says the time of each epoch; the machine's clock if there is none.
    pub clock: Option<Box<dyn EpochClock>>,
    /// What it does while nothing comes.
    pub idle: Idle,
}

/// How clients reach a server.
#[derive(Debug)]
pub struct EdgeOptions {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Maxima and waits.
    pub settings: Settings,
    /// What tokens are signed with; [`random_secret`] if nobody else is to make any.
    pub secret: TokenSecret,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The engine.
    #[error("the circuit does not start")]
    Engine(#[from] arqon_engine::StartError),
    /// The edge.
    #[error("the edge does not listen")]
    Listen(#[from] ListenError),
    /// The system gives no threads.
    #[error("no thread can be started")]
    Thread(#[from] std::io::Error),
}

/// Why a server did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the circuit has stopped: {reason}")]
pub struct FinishError {
    /// The engine's words.
    pub reason: String,
}

/// Circuits, fed by files and by clients.
///
/// Dropping it ends it as [`Server::finish`] does, and forgets the outcome.
#[derive(Debug)]
pub struct Server {
    commands: mpsc::Sender<Command>,
    running: Mutex<Option<Running>>,
    address: Option<SocketAddr>,
    token: Option<String>,
}

#[derive(Debug)]
struct Running {
    hub: JoinHandle<Vec<Dataflow>>,
    edge: Option<EdgeThreads>,
}

impl Server {
    /// Starts a server for one circuit, which ends with it.
    ///
    /// `on_output` is called from one thread, once per epoch, in order, before clients hear of it.
    ///
    /// # Errors
    /// If the engine cannot build the circuit, or the edge cannot listen.
    pub fn start(
        plan: DataflowPlan,
        options: ServerOptions,
        on_output: impl FnMut(&RowOutput) + Send + 'static,
    ) -> Result<Self, StartError> {
        let grants = edge_grants(&plan);
        let principal = format!("{}.edge", plan.namespace);
        let own = Some((plan, Box::new(on_output) as OnOutput));
        Self::build(own, options, &Holder { principal, grants })
    }

    /// Starts a server for circuits that come and go, with none of them.
    ///
    /// # Errors
    /// If the edge cannot listen.
    pub fn open(options: ServerOptions) -> Result<Self, StartError> {
        let grants = ["can_publish:>", "can_subscribe:>", "can_admin:>"];
        let grants = grants.map(str::to_owned).to_vec();
        Self::build(None, options, &Holder { principal: "admin".to_owned(), grants })
    }

    fn build(
        own: Option<(DataflowPlan, OnOutput)>,
        options: ServerOptions,
        holder: &Holder,
    ) -> Result<Self, StartError> {
        install_crypto();
        let limits =
            options.edge.as_ref().map_or_else(Limits::default, |edge| edge.settings.limits);
        let topics = Vec::new();
        let bus = Bus::new(BusOptions { topics, limits, filters: filter_compiler(), seed: seed() });
        let token = options.edge.as_ref().and_then(|edge| holder.token(&edge.secret));
        let door = options.edge.map(Door::new).transpose()?;
        let (to_bus, edge) = mpsc::channel(TO_BUS_MAX);
        let (told, engines) = mpsc::unbounded_channel();
        let (commands, commands_ear) = mpsc::channel(COMMANDS_MAX);
        // The circuit of a server that ends with it is nobody's to change.
        let control = own.is_none().then(|| commands.clone());
        let own_runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let mut begun = Ok(());
        let entrance = Entrance::new(Ears::new(edge, engines), |entrance| {
            let mut hub = Hub::new(
                bus,
                HubOptions {
                    shutdown: door.as_ref().map(|door| door.listener.shutdown_handle()),
                    clock: options.clock.unwrap_or_else(|| Box::<UnixClock>::default()),
                    idle: options.idle,
                    fate: if own.is_some() { Fate::EndsWithIt } else { Fate::GoesOn },
                    engine: options.engine,
                    line: EngineLine { hub: told, bell: Entrance::engine_bell(entrance) },
                    aside: own_runtime.handle().clone(),
                },
            );
            if let Some((plan, on_output)) = own {
                begun = hub.begin_with(plan, on_output);
            }
            hub
        });
        begun?;
        let door = door.map(|door| door.open(to_bus, Entrance::edge_bell(&entrance), control));
        let hub = std::thread::Builder::new()
            .name("arqon:hub".to_owned())
            .spawn(move || own_runtime.block_on(entrance.run(commands_ear)))?;
        let address = door.as_ref().map(|(address, _)| *address);
        let running = Mutex::new(Some(Running { hub, edge: door.map(|(_, threads)| threads) }));
        Ok(Self { commands, running, address, token })
    }

    /// Installs, replaces or drops a circuit, in an epoch of its own. Not to be called from an
    /// async task.
    ///
    /// # Errors
    /// If the change cannot be made; then nothing has changed.
    pub fn change(&self, change: Change) -> Result<Changed, ChangeError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Change { change, reply };
        self.commands.blocking_send(command).map_err(|_| ChangeError::Ended)?;
        answer.blocking_recv().unwrap_or(Err(ChangeError::Ended))
    }

    /// What is there; none once the server has ended. Not to be called from an async task.
    pub fn report(&self) -> Option<ServerReport> {
        let (reply, answer) = oneshot::channel();
        self.commands.blocking_send(Command::Report { reply }).ok()?;
        answer.blocking_recv().ok()
    }

    /// Where clients connect: `ws://` and this.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// A token that may publish and subscribe on every topic of the edge.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes changes as one epoch, after everything that came before; waits while the engine is
    /// busy. Not to be called from an async task.
    ///
    /// # Errors
    /// If a topic is no input, or the circuit has stopped.
    pub fn feed(&self, topics: Vec<TopicInput>) -> Result<Epoch, FeedError> {
        let stopped = || FeedError::Stopped("the server has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        let command = Command::Feed { topics, reply };
        self.commands.blocking_send(command).map_err(|_| stopped())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// Says that event time has come to its end: all windows close, in an epoch of their own. Not
    /// to be called from an async task.
    ///
    /// # Errors
    /// If the circuit has stopped.
    pub fn end_time(&self) -> Result<Epoch, FeedError> {
        let stopped = || FeedError::Stopped("the server has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.commands.blocking_send(Command::EndTime { reply }).map_err(|_| stopped())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// Says that whatever was to be fed in order is fed. From now on what the flow writes to
    /// control topics goes back by itself whenever nothing else comes; waits until nothing does,
    /// and gives the topics that go on changing. Not to be called from an async task.
    ///
    /// # Errors
    /// If the circuit has stopped.
    pub fn settle(&self) -> Result<Vec<TopicName>, FeedError> {
        let stopped = || FeedError::Stopped("the server has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.commands.blocking_send(Command::Settle { reply }).map_err(|_| stopped())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// Brings out what is under way, closes the sessions with `code` (1001: going away, 1012:
    /// restart), and ends. Not to be called from an async task.
    ///
    /// # Errors
    /// If the engine had stopped before.
    pub fn finish(self, code: u16) -> Result<(), FinishError> {
        self.end(code)
    }

    fn end(&self, code: u16) -> Result<(), FinishError> {
        let running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(Running { hub, edge }) = running else { return Ok(()) };
        // A hub that is gone needs no telling.
        let _ = self.commands.blocking_send(Command::Finish { code });
        let outcome = match hub.join() {
            Ok(dataflows) => {
                let finish = |dataflow: Dataflow| dataflow.finish();
                // All of them end; the first that had stopped is told of.
                let ends: Vec<_> = dataflows.into_iter().map(finish).collect();
                let first = ends.into_iter().find_map(Result::err);
                first.map_or(Ok(()), |error| Err(FinishError { reason: error.reason }))
            }
            Err(_) => Err(FinishError { reason: "the hub has panicked".to_owned() }),
        };
        drop(edge);
        outcome
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end(1001);
    }
}

/// The edge, bound and not open yet.
struct Door {
    threads: EdgeThreads,
    listener: Listener,
    settings: Settings,
    secret: TokenSecret,
}

impl Door {
    fn new(EdgeOptions { listen, settings, secret }: EdgeOptions) -> Result<Self, StartError> {
        let threads = EdgeThreads::start()?;
        let listener = threads.first().block_on(Listener::bind(listen))?;
        Ok(Self { threads, listener, settings, secret })
    }

    /// Lets clients in: where they find it, and what carries them.
    fn open(
        self,
        bus: mpsc::Sender<ToBus>,
        bell: Bell,
        hub: Option<mpsc::Sender<Command>>,
    ) -> (SocketAddr, EdgeThreads) {
        let Self { threads, listener, settings, secret } = self;
        let address = listener.address();
        let first = threads.first();
        let control = hub.map(|hub| {
            let (control, requests) = mpsc::channel(REQUESTS_MAX);
            first.spawn(attend(requests, hub));
            control
        });
        let listener = listener.with_bell(bell).on_runtimes(threads.runtimes());
        first.spawn(listener.run(settings, secret, Rooms { bus, control }));
        (address, threads)
    }
}

/// Who holds the token that a server makes for its owner.
struct Holder {
    principal: String,
    grants: Vec<String>,
}

impl Holder {
    /// The token; none if there is nothing to be granted.
    fn token(&self, secret: &TokenSecret) -> Option<String> {
        let request = TokenRequest {
            principal: self.principal.clone(),
            grants: self.grants.clone(),
            issued_at: u64::try_from(unix_nanoseconds() / 1_000_000_000).unwrap_or(0),
            valid_seconds: TOKEN_SECONDS,
        };
        secret.mint(&request).ok()
    }
}

/// A secret that nobody has seen, for as long as the process lives.
///
/// # Errors
/// Never, as it is long enough; the type is that of [`TokenSecret::new`].
pub fn random_secret() -> Result<TokenSecret, TokenError> {
    let halves = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    TokenSecret::new(halves.iter().flat_map(|half| half.as_bytes().to_vec()).collect())
}

fn seed() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}
