//! publish/mod
