//! Turns a judgement into forms that people and programs read.

pub mod json;
pub mod text;
