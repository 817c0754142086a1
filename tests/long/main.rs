//! What takes minutes and seldom changes: shares over hundreds of simulated reports, and hundreds of killed collectors.

#[path = "../support/mod.rs"]
mod support;

mod kill;
mod simulation;
