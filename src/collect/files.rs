//! collect/files
