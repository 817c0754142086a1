//! The report as a whole: multiplicity, findings and the audit.
//!
//! Read `aggregate` (merging shards, false discoveries, the placebo audit), `findings` and `hints`; `placebo` draws
//! made-up deploys for `doctor`. This room must not look at values of series, only at comparisons.

pub mod aggregate;
pub mod findings;
pub mod hints;
pub mod placebo;
