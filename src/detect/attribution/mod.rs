//! Which deploy a step belongs to: a posterior probability of each deploy group and of every other moment near it.
//!
//! This room knows of no series; it is told how likely a step is at a bucket.

pub mod posterior;
pub mod transition;
