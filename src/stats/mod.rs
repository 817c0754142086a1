//! Statistics: pure functions on slices. Calls nobody, knows nothing of series, deploys or verdicts.
//!
//! Missing values are NaN where a function says that it takes them, and absent everywhere else.

pub mod autocovariance;
pub mod binomial;
pub mod counts;
pub mod describe;
pub mod distribution;
pub mod fdr;
pub mod linalg;
pub mod slope;
pub mod structural;
