//! A test's body in a process of its own: credentials come from the environment, and a test may not change its own.

use std::process::Command;

const INSIDE: &str = "FORTNIGHT_TEST_INSIDE";

/// Runs a body in a child process that has these variables; none of AWS's and no proxy besides.
///
/// `module` is the caller's `module_path!()`, `name` the test's name in it. Returns what the child printed, `None` inside
/// of it.
pub fn run(module: &str, name: &str, variables: &[(&str, &str)], body: impl AsyncFnOnce()) -> Option<String> {
    // The test runner leaves the program's own name out.
    let name = &module.split_once("::").map_or(name.to_owned(), |(_, module)| format!("{module}::{name}"));
    if std::env::var(INSIDE).is_ok_and(|inside| &inside == name) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(body());
        return None;
    }
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args([name.as_str(), "--exact", "--nocapture"]).env(INSIDE, name);
    environment(&mut child, variables);
    let output = child.output().expect("runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Some(said)
}

/// Gives a command the time of day and these variables, and nothing of AWS that the machine may have.
pub fn environment(command: &mut Command, variables: &[(&str, &str)]) {
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("SOURCE_DATE_EPOCH", (super::NOW / 1000).to_string());
    command
        .env("AWS_CONFIG_FILE", "/nonexistent/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
    command.envs(variables.iter().copied());
}
