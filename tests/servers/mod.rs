//! Servers that speak a vendor's language, on a free port of this machine, for tests and for trying the program out.
#![allow(dead_code, reason = "each test file is a program of its own and uses a part of this")]

pub mod cloudwatch;
pub mod ministack;
pub mod nerdgraph;
pub mod nrql;
pub mod process;
pub mod raw;
pub mod world;
