//! One series against one deploy group: effect, interval, limit and the verdict of the table.
//!
//! Read `verdict` (the table), `effect` (estimate and interval), `adjustment` (how a part is taken out of an effect),
//! then `small_sample` and `tail`; `burst` measures spells right after a deploy and `unattributed` what changed at no deploy.
//! This room must not look at other series.

pub mod adjustment;
pub mod burst;
pub mod effect;
pub mod shape;
pub mod small_sample;
pub mod tail;
pub mod unattributed;
pub mod verdict;
