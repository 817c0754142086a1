//! Credentials that cannot be had: "none found" is said only where nothing is set up. Whatever hands them out and fails –
//! STS, SSO, the container, the machine, a process – is not nothing.

use std::path::Path;
use std::time::Duration;

use super::*;

const HTML: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 26\r\nconnection: close\r\n\r\n<html>please log in</html>";
const BROKEN: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops";
const NO_JSON: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const REFUSED: &str = "http://127.0.0.1:1";

const ROLE: &str = "role_arn = \"arn:aws:iam::222222222222:role/fortnight-read\"\n";
const NOT_NONE: &str = "no credentials found";

/// What is set up, and how it fails.
struct Case {
    name: &'static str,
    /// Further lines of the source.
    source: String,
    /// Content of the shared config file.
    profile: String,
    variables: Vec<(&'static str, String)>,
    has_keys: bool,
    /// A single sign-on that has not expired.
    has_session: bool,
}

impl Case {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            source: String::new(),
            profile: String::new(),
            variables: Vec::new(),
            has_keys: false,
            has_session: false,
        }
    }

    fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    fn role(mut self, endpoint: &str) -> Self {
        self.source = format!("endpoint = \"{endpoint}\"\n{ROLE}");
        self.has_keys = true;
        self
    }

    fn profile(mut self, text: impl Into<String>) -> Self {
        self.profile = text.into();
        self
    }

    /// Runs `collect` and returns what it said; it must have failed.
    fn run(&self) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let source = if self.source.is_empty() { "endpoint = \"http://127.0.0.1:1\"\n" } else { &self.source };
        let text = format!("[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\n{source}");
        std::fs::write(folder.path().join("fortnight.toml"), text).expect("written");
        let shared = folder.path().join("config");
        std::fs::write(&shared, &self.profile).expect("written");
        if self.has_session {
            let cache = folder.path().join(".aws/sso/cache");
            std::fs::create_dir_all(&cache).expect("made");
            let token = "{\"accessToken\": \"canary-session-token\", \"expiresAt\": \"2099-01-01T00:00:00Z\"}";
            std::fs::write(cache.join(SESSION), token).expect("written");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
        command.current_dir(folder.path()).args(["collect", "--since", "2026-11-21", "--until", "2026-11-22"]);
        let keys = variables();
        process::environment(&mut command, if self.has_keys { &keys } else { &[] });
        command.env("AWS_CONFIG_FILE", &shared).env("HOME", folder.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{}: {said}", self.name);
        no_canary(&said);
        said
    }
}

/// Runs cases at once, because the SDK tries each of them for seconds.
fn all(cases: &[(Case, &str)]) {
    std::thread::scope(|scope| {
        let runs: Vec<_> = cases.iter().map(|(case, words)| (case, words, scope.spawn(|| case.run()))).collect();
        for (case, words, run) in runs {
            let said = run.join().expect("ran");
            assert!(said.contains(*words), "{}: {said}", case.name);
            assert!(*words == NOT_NONE || !said.contains(NOT_NONE), "{}: {said}", case.name);
            assert!(said.contains("help: "), "{}: {said}", case.name);
        }
    });
}

const FAILED: &str = "what hands out the credentials failed";

/// The file of the session in the cache: SHA-1 of the start address.
const SESSION: &str = "e8be5486177c5b5392bd9aa76563515b29358e6e.json";

/// A profile with a single sign-on.
fn sso(endpoint: &str) -> String {
    format!(
        "[default]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n\
         sso_account_id = 111122223333\nsso_role_name = reader\nservices = local\n\
         [services local]\nsso =\n  endpoint_url = {endpoint}\n"
    )
}

#[test]
fn an_sts_that_fails_is_not_the_lack_of_credentials() {
    let (broken, html, empty) = (Raw::start(BROKEN.into()), Raw::start(HTML.into()), Raw::start(NO_JSON.into()));
    all(&[
        (Case::new("STS answers 500").role(&broken.url), FAILED),
        (Case::new("STS answers HTML").role(&html.url), FAILED),
        (Case::new("STS answers something else").role(&empty.url), FAILED),
        (Case::new("STS is not there").role(REFUSED), FAILED),
    ]);
}

#[test]
fn a_container_or_machine_that_fails_is_not_the_lack_of_credentials() {
    let silent = Raw::silent();
    let (broken, html, empty) = (Raw::start(BROKEN.into()), Raw::start(HTML.into()), Raw::start(NO_JSON.into()));
    let container = |name, url: &str| Case::new(name).with("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    let machine = |name, url: &str| {
        Case::new(name).with("AWS_EC2_METADATA_DISABLED", "false").with("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    };
    all(&[
        (container("container answers 500", &broken.url), FAILED),
        (container("container answers HTML", &html.url), FAILED),
        (container("container answers {}", &empty.url), FAILED),
        (container("container is not there", REFUSED), FAILED),
        (machine("machine answers 500", &broken.url), FAILED),
        (machine("machine answers HTML", &html.url), FAILED),
        (machine("machine hangs", &silent.url), FAILED),
        (machine("machine is not there", REFUSED), FAILED),
        (container("container hangs", &silent.url), FAILED),
    ]);
}

#[test]
fn a_process_a_token_or_a_sign_on_that_fails_is_not_the_lack_of_credentials() {
    let process = |name, command: &str| Case::new(name).profile(format!("[default]\ncredential_process = {command}\n"));
    let token = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let identity = |name, file: &str| {
        Case::new(name)
            .with("AWS_WEB_IDENTITY_TOKEN_FILE", file)
            .with("AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/x")
            .with("AWS_REGION", "eu-west-1")
    };
    all(&[
        (process("process fails", "/bin/false"), FAILED),
        (process("process is not there", "/nonexistent/helper"), FAILED),
        (process("process prints no JSON", "/bin/echo hello"), FAILED),
        (identity("token file is not there", "/nonexistent/token"), FAILED),
        (identity("STS for the token is not there", &token.to_string_lossy()).with("AWS_ENDPOINT_URL", REFUSED), FAILED),
        (Case::new("sign-on without a session").profile(sso(REFUSED)), FAILED),
        (Case::new("profile that is none").with("AWS_PROFILE", "nowhere"), "no credentials found"),
        (
            Case::new("profile that names itself").profile("[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::1:role/y\nsource_profile = default\n"),
            "the settings for the credentials are wrong",
        ),
        (Case::new("nothing at all"), NOT_NONE),
    ]);
}

#[test]
fn a_sign_on_whose_server_fails_is_not_the_lack_of_credentials() {
    let (broken, html) = (Raw::start(BROKEN.into()), Raw::start(HTML.into()));
    let session = |name, url: &str| Case { has_session: true, ..Case::new(name).profile(sso(url)) };
    all(&[
        (session("sign-on answers 500", &broken.url), FAILED),
        (session("sign-on answers HTML", &html.url), FAILED),
        (session("sign-on is not there", REFUSED), FAILED),
    ]);
    assert!(broken.count() > 0 && html.count() > 0, "the session was used");
}

#[test]
fn what_hands_out_credentials_and_hangs_is_reported_within_a_minute() {
    let silent = Raw::silent();
    let begun = std::time::Instant::now();
    let said = Case::new("STS hangs").role(&silent.url).run();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(
        said.contains("no answer yet waiting_for=credentials by sts:AssumeRole of arn:aws:iam::222222222222"),
        "{said}"
    );
    assert!(said.contains("what hands out the credentials does not answer"), "{said}");
}
