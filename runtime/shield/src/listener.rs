//! The door: accepts connections and gives each a session of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arqon_spine::SessionId;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::http::{Asked, Desk};
use crate::port::{Bell, ToBus, Way};
use crate::session::{Surroundings, closing, run};
use crate::settings::Settings;
use crate::token::TokenSecret;
use crate::upgrade::upgrade;

/// Why the edge does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Without TLS only this machine may connect.
    #[error(
        "{0} is not a loopback address; there is no TLS yet, so the edge stays on this machine"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken, or forbidden.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// The rooms behind the door.
#[derive(Debug)]
pub struct Rooms {
    /// Where frames go.
    pub bus: mpsc::Sender<ToBus>,
    /// Where requests in HTTP go; without it they are refused with 400.
    pub control: Option<mpsc::Sender<Asked>>,
}

/// A bound port that does not accept yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    shutdown: watch::Sender<Option<u16>>,
    bell: Option<Bell>,
    /// Those that carry sessions, in turn; if none, the listener's own does.
    runtimes: Vec<Handle>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Ends a listener and its sessions.
#[derive(Debug, Clone)]
pub struct ShutdownHandle(watch::Sender<Option<u16>>);

impl ShutdownHandle {
    /// Closes every session with `code` after what is in its outbox, and accepts no more.
    pub fn shut_down(&self, code: u16) {
        self.0.send_replace(Some(code));
    }
}

impl Listener {
    /// Binds a port of a loopback address; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address is not loopback, or cannot be bound.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let bind = |source| ListenError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let shutdown = watch::Sender::new(None);
        Ok(Self { socket: listener, address, shutdown, bell: None, runtimes: Vec::new() })
    }

    /// Rings when a session has put something into the bus's queue.
    #[must_use]
    pub fn with_bell(self, bell: Bell) -> Self {
        Self { bell: Some(bell), ..self }
    }

    /// Lets these runtimes carry the sessions, in turn. Each should have one thread.
    #[must_use]
    pub fn on_runtimes(self, runtimes: Vec<Handle>) -> Self {
        Self { runtimes, ..self }
    }

    /// Where clients find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What ends it.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(self.shutdown.clone())
    }

    /// Accepts until it is shut down and every session has ended.
    pub async fn run(self, settings: Settings, secret: TokenSecret, rooms: Rooms) {
        let settings = Arc::new(settings);
        let Rooms { bus, control } = rooms;
        let desk = control.map(|control| Desk { control, secret: secret.clone() });
        let desk = Arc::new(desk);
        let slots = Arc::new(Semaphore::new(settings.connections_max));
        let mut ending = self.shutdown.subscribe();
        let mut sessions = JoinSet::new();
        let mut n_sessions = 0;
        let own = vec![Handle::current()];
        let runtimes = if self.runtimes.is_empty() { own } else { self.runtimes };
        let mut runtimes = runtimes.iter().cycle();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = ending.wait_for(Option::is_some) => break,
                Some(_) = sessions.join_next() => continue,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, for instance: others may end soon.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tracing::warn!("all connections are taken");
                continue;
            };
            // Small frames must not wait for large ones.
            let _ = stream.set_nodelay(true);
            n_sessions += 1;
            let session = SessionId(n_sessions);
            let (settings, secret) = (Arc::clone(&settings), secret.clone());
            let (bus, desk) = (Way::new(bus.clone(), self.bell.clone()), Arc::clone(&desk));
            let mut shutdown = self.shutdown.subscribe();
            let runtime = runtimes.next().expect("there is at least one");
            // It is the runtime's that carries it.
            let Ok(stream) = stream.into_std() else { continue };
            let session = async move {
                let _slot = slot;
                let Ok(stream) = TcpStream::from_std(stream) else { return };
                let upgraded = tokio::select! {
                    upgraded = Box::pin(upgrade(stream, &settings, desk.as_ref().as_ref())) => {
                        upgraded
                    }
                    () = closing(&mut shutdown) => None,
                };
                if let Some((socket, encoding)) = upgraded {
                    let around =
                        Surroundings { session, encoding, settings, secret, bus, shutdown };
                    Box::pin(run(socket, around)).await;
                }
            };
            sessions.spawn_on(session, runtime);
        }
        drop(self.socket);
        while sessions.join_next().await.is_some() {}
    }
}
