//! Servers that speak a vendor's language, on a free port of this machine, for tests and for trying the program out.

pub mod nerdgraph;
pub mod nrql;
pub mod world;
