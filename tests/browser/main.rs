//! The page in a real browser: Chromium without a window, driven over its debugging pipe. The tests need
//! `chromium` on the machine and fail without it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for one answer: a cold start on a busy machine takes many seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running browser with one page.
struct Browser {
    process: Child,
    commands: File,
    messages: Receiver<Value>,
    next_id: u64,
    session: String,
    events: Vec<Value>,
    _folder: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        // The shell ties the two pipes to the descriptors that the browser listens on.
        let process = Command::new("sh")
            .arg("-c")
            .arg(
                "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                 --disable-background-networking --disable-component-update --disable-extensions \
                 --user-data-dir=\"$1/profile\" --remote-debugging-pipe 3<\"$1/to\" 4>\"$1/from\" about:blank",
            )
            .arg("browser")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell runs");
        let commands = OpenOptions::new().write(true).open(&to).expect("chromium is installed and opens its pipe");
        let answers = File::open(from).expect("pipe opens");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let Ok(bytes) = message else { return };
                let Ok(value) = serde_json::from_slice(&bytes) else { return };
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            commands,
            messages,
            next_id: 0,
            session: String::new(),
            events: Vec::new(),
            _folder: folder,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().expect("a target").to_owned();
        let session = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Sends a command and returns its result; everything else that arrives is kept as an event.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let mut message = json!({"id": self.next_id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("the browser listens");
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self.messages.recv_timeout(left).expect("the browser answers in time");
            if answer["id"] == json!(self.next_id) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn wait_for(&mut self, method: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.events.iter().any(|event| event["method"] == method) {
            let left = until.saturating_duration_since(Instant::now());
            self.events.push(self.messages.recv_timeout(left).expect("the browser gets there in time"));
        }
    }

    fn open(&mut self, page: &Path) {
        self.events.clear();
        self.call("Page.navigate", json!({"url": format!("file://{}", page.display())}));
        self.wait_for("Page.loadEventFired");
    }

    fn eval(&mut self, script: &str) -> Value {
        let result = self.call("Runtime.evaluate", json!({"expression": script, "returnByValue": true}));
        assert!(result["exceptionDetails"].is_null(), "{script}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    fn size(&mut self, width: u32) {
        let params = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 640});
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    fn prefer(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes the demo's report and returns its folder and page.
fn demo() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let status = Command::new(env!("CARGO_BIN_EXE_fortnight"))
        .args(["demo", "--out"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("runs");
    assert!(status.success());
    let page = folder.path().join("report.html");
    (folder, page)
}

#[test]
fn the_page_is_silent_self_contained_and_fits() {
    let (_folder, page) = demo();
    let mut browser = Browser::start();
    browser.open(&page);

    let spoke: Vec<&Value> = browser
        .events
        .iter()
        .filter(|event| {
            let method = event["method"].as_str().unwrap_or_default();
            method.starts_with("Log.entryAdded")
                || method.starts_with("Runtime.consoleAPI")
                || method == "Runtime.exceptionThrown"
        })
        .collect();
    assert!(spoke.is_empty(), "the page spoke to the console: {spoke:?}");
    let asked: Vec<&str> = browser
        .events
        .iter()
        .filter(|event| event["method"] == "Network.requestWillBeSent")
        .filter_map(|event| event["params"]["request"]["url"].as_str())
        .filter(|url| !url.ends_with("/report.html"))
        .collect();
    assert!(asked.is_empty(), "the page asked for {asked:?}");

    for width in [1366, 360] {
        browser.size(width);
        let wide = browser.eval("document.documentElement.scrollWidth").as_u64().expect("a number");
        assert!(wide <= u64::from(width), "{wide} px wide at {width}");
    }
    assert_eq!(browser.eval("document.querySelectorAll('h1').length"), json!(1));
    assert_eq!(browser.eval("document.querySelectorAll('script').length"), json!(0));
    let mute = "[...document.querySelectorAll('svg:not([aria-hidden])')].filter(s => !s.querySelector('title') || !s.querySelector('path, polyline, line, circle, rect, text')).map(s => s.outerHTML)";
    assert_eq!(browser.eval(mute), json!([]), "every chart has a title and marks");
    assert!(browser.eval("document.querySelectorAll('svg').length").as_u64() > Some(10));
}

#[test]
fn the_numbers_of_a_finding_unfold_and_fit() {
    let (_folder, page) = demo();
    let mut browser = Browser::start();
    browser.open(&page);
    browser.eval("document.querySelectorAll('details.numbers').forEach(d => d.open = true)");
    let empty = "[...document.querySelectorAll('.sheet th, .sheet td')].filter(c => c.getClientRects().length && !c.innerText.trim()).length";
    for pick in ["en", "ja"] {
        browser.eval(&format!("document.querySelector('#pick-{pick}').click()"));
        assert_eq!(browser.eval(empty), json!(0), "{pick}: a cell without words");
        for width in [1366, 768, 360] {
            browser.size(width);
            let wide = browser.eval("document.documentElement.scrollWidth").as_u64().expect("a number");
            assert!(wide <= u64::from(width), "{pick}: {wide} px wide at {width}");
        }
    }
    let tables = browser.eval("document.querySelectorAll('.sheet')[0].querySelectorAll('table').length");
    assert_eq!(tables, json!(6));
    // What a reader unfolded is printed; what stayed folded is not.
    browser.eval("document.querySelectorAll('details.numbers')[1].open = false");
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let shown = "[0, 1].map(i => document.querySelectorAll('.sheet')[i].getClientRects().length > 0)";
    assert_eq!(browser.eval(shown), json!([true, false]));
}

#[test]
fn each_language_shows_alone_and_whole() {
    let (_folder, page) = demo();
    let mut browser = Browser::start();
    browser.open(&page);
    let visible = "(() => { const shown = e => e.getClientRects().length > 0; const count = l => \
                   [...document.querySelectorAll(`[lang=${l}]`)].filter(e => e !== document.documentElement && shown(e)).length; \
                   return [count('en'), count('ja')]; })()";
    let first = browser.eval(visible);
    assert!(first[0].as_u64() > Some(50), "English first: {first}");
    assert_eq!(first[1].as_u64().map(|shown| shown <= 2), Some(true), "only the switch speaks Japanese: {first}");
    browser.eval("document.querySelector('input[type=radio]:not(:checked)').click()");
    let second = browser.eval(visible);
    assert!(second[1].as_u64() > Some(50), "Japanese after the switch: {second}");
    assert_eq!(second[0].as_u64().map(|shown| shown <= 2), Some(true), "only the switch speaks English: {second}");
    let text = browser.eval("document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(text.contains("デプロイ") && text.contains("95%"), "Japanese sentences are there");
}

#[test]
fn dark_and_printed_pages_keep_their_contrast() {
    let (_folder, page) = demo();
    let mut browser = Browser::start();
    browser.open(&page);
    let luminance = "(() => { const c = getComputedStyle(document.body); const l = v => { const [r, g, b] = v.match(/[\\d.]+/g).map(Number); \
                     return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255; }; return [l(c.backgroundColor), l(c.color)]; })()";
    browser.prefer("light");
    let light = browser.eval(luminance);
    assert!(light[0].as_f64() > Some(0.85) && light[1].as_f64() < Some(0.3), "light: {light}");
    browser.prefer("dark");
    let dark = browser.eval(luminance);
    assert!(dark[0].as_f64() < Some(0.2) && dark[1].as_f64() > Some(0.7), "dark: {dark}");
    let pdf = browser.call("Page.printToPDF", json!({"paperWidth": 8.27, "paperHeight": 11.69}));
    assert!(pdf["data"].as_str().map_or(0, str::len) > 10_000, "prints");
}
