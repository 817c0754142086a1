//! The model of one series over its whole history: what is usual, how it scatters, and where its level stepped.
//!
//! Read `seasonality`, `noise`, `steps`, `drift` and `episodes`, then `series_model`, which lets them settle together;
//! `error_rates` is the model of failed shares, by counts. `common_mode` takes out what the operations of a service
//! share, and `joint_localization` lets the latencies of one operation agree on when their steps began.
//!
//! This room must not know limits or verdicts.

pub mod common_mode;
pub mod drift;
pub mod episodes;
pub mod error_rates;
pub mod joint_localization;
pub mod noise;
pub mod ramps;
pub mod seasonality;
pub mod series_model;
pub mod steps;
