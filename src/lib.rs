//! `fortnight` writes the performance review of a software team.
//!
//! Data flows one way, and a room never calls a room to its left:
//!
//! ```text
//! config -> collect -> store -> detect -> report -> publish
//!                                 ^          ^
//!                               stats    templates/
//! ```
//!
//! [`recorded`] is the long form on disk, which `collect` and `store` share. [`metric`], [`time`],
//! [`deploy`], [`secret`] and [`stats`] are the vocabulary and call nobody. [`pipeline`] is the story: one function a
//! command, the only place that knows all the rooms.
pub mod cli;
pub mod collect;
pub mod config;
pub mod deploy;
pub mod detect;
pub mod metric;
pub mod pipeline;
pub mod publish;
pub mod query;
pub mod recorded;
pub mod report;
pub mod sample;
pub mod secret;
pub mod stats;
pub mod store;
pub mod time;
