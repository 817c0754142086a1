//! MiniStack, a server of somebody else that speaks CloudWatch and STS, from the Python registry.
//!
//! `tests/run` installs it into `target/ministack`, and Debian's `faketime`: it forgets points older than 14 days by its
//! own clock, which therefore begins a day before the tests' [`NOW`](super::NOW) unless a test says otherwise.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; killed when dropped.
pub struct MiniStack {
    pub url: String,
    child: Child,
}

impl MiniStack {
    /// Starts one on a free port and waits until it answers.
    pub fn start(log: &Path) -> Self {
        Self::start_at(log, "2026-11-22 09:00:00")
    }

    /// Starts one whose clock begins at a time of UTC.
    pub fn start_at(log: &Path, time: &str) -> Self {
        let program = venv().join("ministack");
        assert!(program.is_file(), "{} is not there: tests/run installs it", program.display());
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let log = std::fs::File::create(log).expect("a log");
        // Not by the program `faketime`: it stays in between, and would be killed instead of the server.
        let child = Command::new(program)
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("LD_PRELOAD", faketime())
            .env("TZ", "UTC")
            .env("FAKETIME", format!("@{time}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("starts");
        let mut server = Self { url: format!("http://127.0.0.1:{port}"), child };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().expect("a child");
            assert!(ended.is_none(), "MiniStack ended with {ended:?}; its log is in target/");
            assert!(start.elapsed() < Duration::from_secs(60), "MiniStack does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Returns the largest memory that the server took, kB.
    pub fn memory_kb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the folder of programs of the virtual environment.
pub fn venv() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack/bin")
}

/// Returns the library that gives a process another clock.
pub fn faketime() -> PathBuf {
    let found = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").expect("a pattern").filter_map(Result::ok).next();
    found.expect("Debian's `faketime` is not installed: tests/run does it")
}
