//! The threads that carry websockets: a session stays on its own.
//!
//! Threads that share their sessions wake each other to look for more work whenever one of them is
//! woken, and that costs more than most frames do. Sessions are many and alike, so they are dealt
//! out in turn instead.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads that carry websockets.
const EDGE_THREADS: usize = 2;
/// What still runs at the end has so long.
const END_WAIT: Duration = Duration::from_secs(1);

/// The threads, until they end.
#[derive(Debug)]
pub(crate) struct EdgeThreads {
    threads: Vec<EdgeThread>,
}

#[derive(Debug)]
struct EdgeThread {
    runtime: Handle,
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl EdgeThread {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread =
            std::thread::Builder::new().name("arqon:edge".to_owned()).spawn(move || {
                // Whoever has dropped the other end wants the end, too.
                let _ = runtime.block_on(ended);
                runtime.shutdown_timeout(END_WAIT);
            })?;
        Ok(Self { runtime: handle, end, thread })
    }
}

impl EdgeThreads {
    /// Starts them.
    pub(crate) fn start() -> io::Result<Self> {
        let threads = (0..EDGE_THREADS).map(|_| EdgeThread::start()).collect::<io::Result<_>>()?;
        Ok(Self { threads })
    }

    /// What runs on the first of them; the listener does.
    pub(crate) fn first(&self) -> &Handle {
        &self.threads[0].runtime
    }

    /// What runs on each.
    pub(crate) fn runtimes(&self) -> Vec<Handle> {
        self.threads.iter().map(|thread| thread.runtime.clone()).collect()
    }
}

impl Drop for EdgeThreads {
    fn drop(&mut self) {
        let mut ended = Vec::new();
        for EdgeThread { end, thread, .. } in self.threads.drain(..) {
            // One that is gone has ended.
            let _ = end.send(());
            ended.push(thread);
        }
        for thread in ended {
            // A panic of a session is the session's alone, and has been told.
            let _ = thread.join();
        }
    }
}
