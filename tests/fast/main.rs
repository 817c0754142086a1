//! Everything that a change is tried against every few minutes: no server of somebody else, no browser.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod build;
mod causes;
mod channels;
mod cli;
mod cloudwatch;
mod collect;
mod contract;
mod demo;
mod deploy;
mod detect;
mod doctor;
mod evidence;
mod explain;
mod faults;
mod hostile;
mod intake;
mod newrelic;
mod notices;
mod open_days;
mod parquet;
mod publish;
mod refresh;
mod scrubbed;
mod setup;
mod snapshots;
mod statistics;
mod store;
