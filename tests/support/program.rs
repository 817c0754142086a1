//! Running the program as others call it: what every test of a command needs.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Variables that would change the program's answer.
const UNSET: [&str; 8] = [
    "FORTNIGHT_CONFIG",
    "SOURCE_DATE_EPOCH",
    "NO_COLOR",
    "TERM",
    "NEW_RELIC_API_KEY",
    "FORTNIGHT_EXTERNAL_ID",
    "HTTPS_PROXY",
    "AWS_PROFILE",
];

/// Prepares the program in a folder, without the environment that would change its answer.
pub fn command(folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
    command.current_dir(folder);
    for name in UNSET {
        command.env_remove(name);
    }
    command
}

/// Runs the program in a folder.
pub fn run(folder: impl AsRef<Path>, args: &[&str]) -> Output {
    command(folder).args(args).output().expect("runs")
}

/// Returns the exit code.
pub fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

/// Returns what went to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Returns what went to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Returns what went to standard output of a run that must have gone well.
pub fn told(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", stderr(output));
    stdout(output)
}

/// Writes a file into a folder.
pub fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).expect("written");
}
