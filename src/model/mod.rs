//! The vocabulary that every room shares: measured things, events, time, effects and verdicts. Imports no other room.
//!
//! Read `metric`, `time` and `clock` first, then `event`, `effect` and `verdict`; `diagnostic` carries what went wrong,
//! `sanitize` makes text from outside harmless, `scrub` takes personal data and credentials out of it.

pub mod clock;
pub mod diagnostic;
pub mod effect;
pub mod event;
pub mod metric;
pub mod missing;
pub mod sanitize;
pub mod scrub;
pub mod secret;
pub mod time;
pub mod verdict;
