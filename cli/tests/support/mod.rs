//! A directory with the shop's circuit, and the built command to run in it.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The circuit of the README's tour.
pub(crate) const SHOP: &str = include_str!("../../../circuits/ok/shop_revenue.yaml");

/// A directory of a test; gone at its end.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    /// A directory that holds `shop.yaml`.
    pub(crate) fn new() -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        scene.write("shop.yaml", SHOP);
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Two customers and four orders, one of them not paid.
    pub(crate) fn shop_files(&self) {
        self.write("customers.csv", "id,region,name\n1,EU,\n2,US,Bo\n");
        self.write(
            "orders.csv",
            "status,amount,customer,id\npaid,30.00,1,10\npaid,12,2,11\nvoid,99,1,12\npaid,0.5,2,13\n",
        );
    }

    /// The command, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_arqon")));
        command
            .current_dir(self.directory.path())
            .args(arguments)
            .env_remove("ARQON_URL")
            .env_remove("ARQON_TOKEN")
            .stdin(Stdio::null());
        command
    }

    /// Waits for the ready file of a run; where it listens, and with which token.
    pub(crate) fn ready(&self, name: &str) -> (String, String) {
        let path = self.path(name);
        eventually(std::time::Duration::from_secs(20), || path.exists());
        let ready: serde_json::Value = serde_json::from_str(&self.read(name)).unwrap();
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        (text("ws"), text("token"))
    }

    /// Runs `pub` or `sub` against a running circuit.
    pub(crate) fn client(&self, (url, token): &(String, String), arguments: &[&str]) -> Ran {
        let output = self
            .command(arguments)
            .env("ARQON_URL", url)
            .env("ARQON_TOKEN", token)
            .output()
            .unwrap();
        Ran::of(output)
    }

    /// Runs the command to its end.
    pub(crate) fn arqon(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }
}

impl Ran {
    pub(crate) fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().expect("the command ends by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Looks again and again until `condition` holds.
///
/// # Panics
/// If it does not within `at_most`.
#[expect(clippy::disallowed_methods, reason = "a test of a process has to wait for it")]
pub(crate) fn eventually(at_most: std::time::Duration, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < at_most, "it did not happen within {at_most:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A started command that does not outlive its test.
pub(crate) struct Running {
    pub(crate) process: Child,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { process: command.spawn().unwrap() }
    }

    /// Waits for the end, and kills what does not come to it within 20 seconds.
    #[expect(clippy::disallowed_methods, reason = "a test of a process has to wait for it")]
    pub(crate) fn ends(&mut self) -> Option<i32> {
        let start = std::time::Instant::now();
        while start.elapsed() < std::time::Duration::from_secs(20) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
