//! What one worker reads at once.

/// A share of the work on a file: a row group with its first row, or all of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share {
    RowGroup { index: usize, first_row: u64, rows: u64 },
    All,
}
