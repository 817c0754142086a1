//! Collecting from a server that somebody else wrote, and beside a client that somebody else wrote. `tests/run` installs
//! both; without them these tests fail.

#[path = "../support/mod.rs"]
mod support;

mod end_to_end;
mod ministack;
mod object_store;
mod throughput;
