//! `fortnight` writes the performance review of a software team.
//!
//! Data flows one way, and a room never imports a room to its right:
//!
//! ```text
//! model -> config -> format -> source -> store -> detect -> review -> render -> publish -> command
//!                                           ^          ^         ^
//!                                         stats   report.json  templates/
//! ```
//!
//! [`command`] is the story: one file a command, the only place that knows all the rooms. [`cli`] is what can be typed.
pub mod cli;
pub mod command;
pub mod config;
pub mod detect;
pub mod format;
pub mod model;
pub mod publish;
pub mod render;
pub mod review;
pub mod source;
pub mod stats;
pub mod store;
