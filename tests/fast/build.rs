//! What `cargo run` has compiled, `cargo test` uses: no dependency is built twice because a test's dependency switches
//! one of its features on.

use std::collections::BTreeSet;
use std::process::Command;

/// Returns every crate with its version and features, as Cargo resolves them over these kinds of dependencies.
fn crates(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} [{f}]", "--edges", edges])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn tests_switch_on_no_feature_that_the_program_is_built_without() {
    let (program, tests) = (crates("normal,build"), crates("normal,build,dev"));
    let differ: Vec<&String> = program.difference(&tests).collect();
    assert!(program.len() > 100, "{} crates", program.len());
    assert!(
        differ.is_empty(),
        "built again for tests, with other features: {differ:#?}\nsee the end of [dependencies]"
    );
}
