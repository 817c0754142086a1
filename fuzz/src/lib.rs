//! What the fuzz targets share: bytes as a file, and bytes as the answer of a server.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fortnight::source::registry;
use fortnight::source::CollectedSource;
use fortnight::config::Config;
use fortnight::model::clock::Clock;
use fortnight::model::time::{DAY, Window};
use tempfile::TempDir;

/// All of time that a file can speak of.
pub const WHENEVER: Window = Window { start: i64::MIN, end: i64::MAX };

/// Gives bytes to a reader as a file of this name.
pub fn as_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    }
    let path: PathBuf = FOLDER.with_borrow_mut(|folder| {
        folder.get_or_insert_with(|| tempfile::tempdir().expect("temporary folder")).path().join(name)
    });
    std::fs::write(&path, bytes).expect("written");
    read(&path);
}

/// A server that answers every request with the same bytes.
pub struct Server {
    body: Arc<Mutex<Vec<u8>>>,
    /// Its address.
    pub url: String,
}

impl Server {
    /// Starts it; `head`: further lines of the head of its answers.
    pub fn start(head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let body = Arc::new(Mutex::new(Vec::new()));
        let shared = body.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = vec![0; 65_536];
                let _ = stream.read(&mut request);
                let body = shared.lock().expect("not poisoned").clone();
                let head = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        });
        Self { body, url }
    }

    /// Sets what it answers.
    pub fn answers(&self, body: &[u8]) {
        *self.body.lock().expect("not poisoned") = body.to_vec();
    }
}

/// The day that sources are asked for.
pub const ASKED: Window = Window { start: 20_779 * DAY, end: 20_780 * DAY };

/// A source of the configuration at such a server.
pub struct Answered {
    server: Server,
    source: CollectedSource,
    runtime: tokio::runtime::Runtime,
}

impl Answered {
    /// Starts the server and opens the source; `more`: further lines of its configuration.
    pub fn new(kind: &str, more: &str, head: &'static str) -> Self {
        let server = Server::start(head);
        let text = format!("[[source]]\nkind = \"{kind}\"\nendpoint = \"{}\"\n{more}", server.url);
        let config = Config::parse(&text, Path::new("fortnight.toml")).expect("valid");
        let source = registry::open(&config, &config.sources[0], Clock::Fixed(20_781 * DAY)).expect("opens").expect("over the network");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { server, source, runtime }
    }

    /// Asks for a day and for its deploys.
    pub fn ask(&self, answer: &[u8]) {
        self.server.answers(answer);
        let _ = self.runtime.block_on(self.source.series(ASKED));
        let _ = self.runtime.block_on(self.source.events(ASKED));
    }
}
