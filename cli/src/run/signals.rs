//! SIGINT and SIGTERM: the first asks for a clean end, a second SIGINT does not wait for it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::exit::{Exit, Failure};

/// Who asked for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Control-C.
    Interrupt,
    /// What a supervisor sends.
    Terminate,
}

/// Tells whether the process was asked to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    state: Arc<(Mutex<Option<Signal>>, Condvar)>,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// A [`Failure`] if the system does not let us.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let signals = Self::default();
        let other = signals.clone();
        let cannot = |error| Failure::internal(format!("cannot listen for signals: {error}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let (ready_in, ready) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name("arqon:signals".to_owned())
            .spawn(move || runtime.block_on(other.follow(&ready_in)))
            .map_err(cannot)?;
        match ready.recv() {
            Ok(Ok(())) => Ok(signals),
            Ok(Err(error)) => Err(cannot(error)),
            Err(_) => Err(Failure::internal("the signal thread has ended")),
        }
    }

    /// The signal that came, if one did.
    pub(crate) fn received(&self) -> Option<Signal> {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a signal comes, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Option<Signal> {
        let (signal, changed) = &*self.state;
        let guard = signal.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, at_most, |signal| signal.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }

    #[cfg(unix)]
    async fn follow(self, ready: &std::sync::mpsc::Sender<std::io::Result<()>>) {
        use tokio::signal::unix::{SignalKind, signal};
        let listened = signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
        let (mut interrupt, mut terminate) = match listened {
            Ok(streams) => streams,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        loop {
            tokio::select! {
                _ = interrupt.recv() => self.receive(Signal::Interrupt),
                _ = terminate.recv() => self.receive(Signal::Terminate),
            }
        }
    }

    #[cfg(not(unix))]
    async fn follow(self, ready: &std::sync::mpsc::Sender<std::io::Result<()>>) {
        let _ = ready.send(Ok(()));
        while tokio::signal::ctrl_c().await.is_ok() {
            self.receive(Signal::Interrupt);
        }
    }

    fn receive(&self, signal: Signal) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_some() && signal == Signal::Interrupt {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        state.get_or_insert(signal);
        changed.notify_all();
    }
}
