//! Brings finished reports to where they are read. Sees bytes and names only, never what they mean.

pub mod file;

use std::io;
use std::path::PathBuf;

/// Why a report did not get to its place. Every text continues "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder cannot be made.
    #[error("make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written or moved to its name.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of that name is there, and may be worth keeping.
    #[error("{} is there already", path.display())]
    There {
        /// The file.
        path: PathBuf,
    },
}
