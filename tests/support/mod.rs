//! What several tests need: running the program, servers that speak a vendor's protocol, made-up series.
#![allow(dead_code, reason = "each test program uses a part of this")]

pub mod page;
pub mod program;
pub mod redact;
pub mod series;
pub mod servers;
