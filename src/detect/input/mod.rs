//! What is judged: series brought onto one grid, with the requests and the load behind them.
//!
//! Read `calendar` (the grid), `grid` (a series on it), `load`, `requests`, then `deploy_window`; `summary` is what the
//! report draws of a series. This room knows of no level, step or verdict.

pub mod calendar;
pub mod coverage;
pub mod deploy_window;
pub mod grid;
pub mod load;
pub mod requests;
pub mod resolution;
pub mod summary;
pub mod unit_doubt;
pub mod usual_hours;
