//! Servers that speak a vendor's language, on a free port of this machine, for tests and for trying the program out.
#![allow(dead_code, reason = "each test program and the example use a part of this")]

pub mod cloudwatch;
pub mod ministack;
pub mod nerdgraph;
pub mod nrql;
pub mod process;
pub mod raw;
pub mod slack;
pub mod world;

/// The midnight of UTC at which the made-up worlds stand: 2026-11-23.
pub const TODAY: i64 = 1_795_392_000_000;
/// The time of day of sources that are opened and of programs that are run: nine in the morning.
pub const NOW: i64 = TODAY + 9 * world::HOUR;

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
