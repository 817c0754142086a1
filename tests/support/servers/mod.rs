//! Servers that speak a vendor's language, on a free port of this machine, for tests and for trying the program out.
#![allow(dead_code, reason = "each test program and the example use a part of this")]

pub mod cloudwatch;
pub mod ministack;
pub mod nerdgraph;
pub mod nrql;
pub mod process;
pub mod raw;
pub mod world;

/// Tells an error with its causes, as the program does.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
