//! Publishing to a real server that speaks S3: what is written, how it is served, what a run beside it and a kill do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{code, command, stderr, stdout, told};
use crate::support::servers::ministack::{MiniStack, faketime, venv};
use crate::support::servers::process;
use fortnight::config::Config;
use fortnight::publish::object_store::{Bucket, ObjectStoreSettings};
use fortnight::publish::{Parcel, Place, PublishError};

const BUCKET: &str = "team-reports";
/// The server checks what is signed by this secret.
const VARIABLES: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "111111111111"), ("AWS_SECRET_ACCESS_KEY", "test")];
/// When the demo's period has just ended.
const NOW: &str = "1795402800";

/// Asks Amazon's own client for Python about the bucket.
fn s3(server: &MiniStack, script: &str) -> String {
    let python = format!(
        "import botocore.session\n\
         s3 = botocore.session.Session().create_client('s3', region_name='us-east-1', endpoint_url='{}', \
         aws_access_key_id='111111111111', aws_secret_access_key='test')\n{script}",
        server.url
    );
    let output = Command::new(venv().join("python")).args(["-c", &python]).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns key, content type, cache rule and entity tag of every object.
fn objects(server: &MiniStack) -> BTreeMap<String, (String, String, String)> {
    let script = format!(
        "for o in s3.list_objects_v2(Bucket='{BUCKET}').get('Contents', []):\n    \
         h = s3.head_object(Bucket='{BUCKET}', Key=o['Key'])\n    \
         print(o['Key'], h['ContentType'], h.get('CacheControl', '-'), o['ETag'], sep='\\t')"
    );
    let text = s3(server, &script);
    let line = |line: &str| {
        let words: Vec<&str> = line.split('\t').collect();
        let [key, kind, cache, tag] = words[..] else { panic!("{line}") };
        (key.to_owned(), (kind.to_owned(), cache.to_owned(), tag.to_owned()))
    };
    text.lines().map(line).collect()
}

fn config(server: &MiniStack) -> String {
    format!(
        "[[publish]]\nkind = \"object_store\"\nbucket = \"s3://{BUCKET}/performance/api\"\nregion = \"us-east-1\"\n\
         endpoint = \"{}\"\n",
        server.url
    )
}

/// The sample data with a place, and its report.
fn team(server: &MiniStack) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data");
    for name in ["series.parquet", "deploys.jsonl"] {
        std::fs::copy(sample.join(name), folder.path().join(name)).expect("copied");
    }
    let text = std::fs::read_to_string(sample.join("fortnight.toml")).expect("there");
    std::fs::write(folder.path().join("fortnight.toml"), format!("{text}\n{}", config(server))).expect("written");
    told(&program(&folder, &["report"]).output().expect("runs"));
    folder
}

fn program(folder: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = command(folder.path());
    process::environment(&mut command, &VARIABLES);
    command.args(args).env("SOURCE_DATE_EPOCH", NOW);
    command
}

fn make_bucket(server: &MiniStack) {
    s3(server, &format!("s3.create_bucket(Bucket='{BUCKET}')"));
}

fn place(server: &MiniStack) -> Bucket {
    let text = format!("[[source]]\nkind = \"files\"\nseries = [\"a\"]\n{}", config(server));
    let config = Config::parse(&text, Path::new("fortnight.toml")).expect("valid");
    let settings = ObjectStoreSettings::of(&config.targets[0].table).expect("valid");
    Bucket::open("bucket", &settings).expect("opens")
}

#[test]
fn a_report_is_published_served_found_again_and_linked() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack-s3.log");
    let server = MiniStack::start(&log);
    // Without the bucket it is an error that names it, and never a place where nothing was published yet.
    let folder = team(&server);
    let output = program(&folder, &["publish"]).output().expect("runs");
    assert!(code(&output) == 1 && stderr(&output).contains("the bucket is not there"), "{}", stderr(&output));

    make_bucket(&server);
    let out = told(&program(&folder, &["publish"]).output().expect("runs"));
    assert_eq!(out, "object_store: 2026-11-09/report.html\n");
    let first = objects(&server);
    let served: BTreeMap<&str, (&str, &str)> = first
        .iter()
        .map(|(key, (kind, cache, _))| (key.trim_start_matches("performance/api/"), (kind.as_str(), cache.as_str())))
        .collect();
    let fresh = "private, no-cache";
    assert_eq!(
        served,
        BTreeMap::from([
            ("2026-11-09/SHA256SUMS", ("text/plain; charset=utf-8", fresh)),
            ("2026-11-09/report.html", ("text/html; charset=utf-8", fresh)),
            ("2026-11-09/report.json", ("application/json", fresh)),
            ("2026-11-09/report.md", ("text/markdown; charset=utf-8", fresh)),
            ("feed.xml", ("application/atom+xml; charset=utf-8", fresh)),
            ("index.html", ("text/html; charset=utf-8", fresh)),
            ("index.json", ("application/json", fresh)),
            ("latest.html", ("text/html; charset=utf-8", fresh)),
        ])
    );
    told(&program(&folder, &["publish"]).output().expect("runs"));
    assert_eq!(objects(&server), first);

    // Memory needs no disk: another machine knows that nothing is due.
    std::fs::remove_dir_all(folder.path().join("fortnight-report")).expect("removed");
    let output = program(&folder, &["due", "--exit-not-due"]).output().expect("runs");
    assert_eq!(code(&output), 6, "{}", stderr(&output));

    // An address that needs no key, with what ends it.
    told(&program(&folder, &["report"]).output().expect("runs"));
    // Both by one clock: the server refuses what was signed in its future.
    let mut signs = program(&folder, &["publish", "--link", "12h"]);
    signs.env("LD_PRELOAD", faketime()).env("TZ", "UTC").env("FAKETIME", "@2026-11-22 09:00:00");
    let output = signs.output().expect("runs");
    let address = told(&output).trim().to_owned();
    let said = stderr(&output);
    assert!(address.starts_with(&server.url) && address.contains("X-Amz-Expires=43200"), "{address}");
    assert!(said.contains("12 h at most") && said.contains("ends earlier"), "{said}");
    let fetched = Command::new("curl").args(["-sS", "--fail-with-body", &address]).output().expect("curl");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stdout));
    assert!(fetched.stdout == std::fs::read(folder.path().join("fortnight-report/report.html")).expect("there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_beside_another_is_noticed_and_our_own_lost_answer_is_not_one() {
    let name = "a_write_beside_another_is_noticed_and_our_own_lost_answer_is_not_one";
    let inside = std::thread::spawn(move || {
        process::run(module_path!(), name, &VARIABLES, async || {
            let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack-conditional.log");
            let server = MiniStack::start(&log);
            make_bucket(&server);
            let place = place(&server);
            let parcel = |bytes: &'static [u8]| Parcel { name: "index.json", bytes };
            assert_eq!(place.read("index.json").await.expect("asked"), None);
            place.replace(parcel(b"one"), None).await.expect("new");
            let first = place.read("index.json").await.expect("asked").expect("there");
            // Somebody else's bytes are a conflict; our own, whose answer was lost, are not.
            let taken = place.replace(parcel(b"two"), None).await;
            assert!(matches!(taken, Err(PublishError::Changed { .. })), "{taken:?}");
            place.replace(parcel(b"one"), None).await.expect("ours");
            place.replace(parcel(b"two"), Some(&first.version)).await.expect("unchanged since");
            let stale = place.replace(parcel(b"three"), Some(&first.version)).await;
            assert!(matches!(stale, Err(PublishError::Changed { .. })), "{stale:?}");
            place.replace(parcel(b"two"), Some(&first.version)).await.expect("ours");
            assert_eq!(place.read("index.json").await.expect("asked").expect("there").bytes, b"two");
        });
    });
    inside.join().expect("no panic");
}

/// Kills a publish at many moments; after each the index names whole reports only, and the next run goes on.
#[test]
fn a_publish_killed_at_any_moment_leaves_an_index_of_whole_reports() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack-kill.log");
    let server = MiniStack::start(&log);
    make_bucket(&server);
    let folder = team(&server);
    let start = Instant::now();
    told(&program(&folder, &["publish", "--dry-run"]).output().expect("runs"));
    let before = start.elapsed();
    let start = Instant::now();
    told(&program(&folder, &["publish"]).output().expect("runs"));
    let whole = start.elapsed().max(before + Duration::from_millis(100));
    let moments: u32 = std::env::var("FORTNIGHT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let clear = format!(
        "for o in s3.list_objects_v2(Bucket='{BUCKET}').get('Contents', []): s3.delete_object(Bucket='{BUCKET}', Key=o['Key'])"
    );
    let mut unfinished = 0;
    for moment in 0..moments {
        s3(&server, &clear);
        let mut child =
            program(&folder, &["publish"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        // From the moment when nothing is written to the moment when all of it is.
        std::thread::sleep(before.mul_f64(0.5) + (whole - before.mul_f64(0.5)) * moment / moments);
        let _ = child.kill();
        let _ = child.wait();
        let there = objects(&server);
        let names = |name: &str| there.contains_key(&format!("performance/api/{name}"));
        let parts = ["report.html", "report.json", "report.md", "SHA256SUMS"].map(|name| format!("2026-11-09/{name}"));
        let is_whole = parts.iter().all(|name| names(name));
        for page in ["index.html", "index.json", "feed.xml"] {
            assert!(!names(page) || is_whole, "{page} names a report that is not whole: {:?}", there.keys());
        }
        unfinished += u32::from(!names("index.html"));
        told(&program(&folder, &["publish"]).output().expect("runs"));
        assert_eq!(objects(&server).len(), 8);
    }
    assert!(unfinished > 0, "no kill came before the end");
    assert_eq!(stdout(&program(&folder, &["due", "--exit-not-due"]).output().expect("runs")).lines().count(), 3);
}
