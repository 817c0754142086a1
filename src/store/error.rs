//! Why a store cannot be read or written, in words.

use std::io;

use crate::format::RecordError;
use crate::model::diagnostic::{Diagnostic, Severity, Stage};

use super::encode::VERSION;
use super::layout::DAMAGED_EVENTS;

/// Why a store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another run is writing.
    #[error("store {folder}: another run is writing to it")]
    Locked {
        /// The store's folder.
        folder: String,
    },
    /// The folder cannot be listed.
    #[error("store {folder}: cannot be read")]
    Read {
        /// The folder.
        folder: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{file}: cannot be written")]
    Write {
        /// The file.
        file: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Written by a newer program.
    #[error("{file}: has store format {version}, this program knows up to {}", VERSION)]
    Newer {
        /// The file.
        file: String,
        /// Its format version.
        version: u32,
    },
    /// Not one of the store's files.
    #[error("{file}: not written by fortnight")]
    Foreign {
        /// The file.
        file: String,
    },
    /// A segment that is not what was written.
    #[error("{file}: damaged; it held {held} of source `{id}` on {day}")]
    Damaged {
        /// The file.
        file: String,
        /// The source whose points it held.
        id: String,
        /// The UTC day of its points.
        day: chrono::NaiveDate,
        /// What it held, as far as it still says.
        held: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Lines of the events that are not what was written.
    #[error("{file}: damaged: {named}; the other events are read")]
    DamagedEvents {
        /// The file.
        file: String,
        /// How many lines cannot be read.
        lines: usize,
        /// The first of them with their numbers and what is wrong with each.
        named: String,
    },
    /// Events are missing from the end of their file.
    #[error("{file}: incomplete; {found} events are read, others may be lost")]
    EventsCutOff {
        /// The file.
        file: String,
        /// Events that are there.
        found: usize,
    },
    /// Damaged events were set aside, and not every source was requested for its events since.
    #[error("store {folder}: events were lost, and not all sources were requested for them again")]
    EventsLacking {
        /// The store's folder.
        folder: String,
    },
    /// It could not be read when its day was written again.
    #[error("{file}: was damaged and set aside; it held {held}")]
    SetAside {
        /// The file.
        file: String,
        /// What it held, as far as it was known.
        held: String,
    },
    /// A snapshot cannot be read or holds something else.
    #[error("{file}: {reason}")]
    Snapshot {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The points of a segment cannot be decoded.
    #[error("store")]
    Segment(#[source] RecordError),
}

impl StoreError {
    /// Returns what to do next, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Locked { .. } => "wait until it is done",
            Self::Read { .. } | Self::Write { .. } => "check the folder's owner and the space on the disk",
            Self::Newer { .. } => "use the newer fortnight that wrote it, or another store folder",
            Self::Foreign { .. } => "move the file out of the store",
            Self::EventsLacking { .. } => "run `fortnight collect` with all sources: it requests their events again",
            Self::Damaged { .. } | Self::DamagedEvents { .. } | Self::EventsCutOff { .. } => {
                "run `fortnight collect`: it sets the damaged part aside and requests it again where the source still \
                 has it"
            }
            Self::SetAside { file, .. } if file.ends_with(DAMAGED_EVENTS) => {
                return Some(format!(
                    "lines that are right as they are come back with `fortnight marker import {file}`; then move the \
                     file out of the store"
                ));
            }
            Self::SetAside { .. } => "look at the file, then move it out of the store",
            Self::Snapshot { .. } => "export it again and carry the whole file over; nothing was changed here",
            Self::Segment(_) => "move the file out of the store, then run `fortnight collect`",
        };
        Some(text.to_owned())
    }

    /// Returns whether a file is not what was written, whoever reads it; a file that cannot be read now is no such file.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Foreign { .. })
    }

    /// Returns whether events of the store are lost that their source may still have.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::DamagedEvents { .. } | Self::EventsCutOff { .. } | Self::EventsLacking { .. })
    }

    /// Returns what people should know of it.
    pub fn diagnostic(&self) -> Diagnostic {
        let code = match self {
            Self::Damaged { .. } => "segment_damaged",
            Self::DamagedEvents { .. } | Self::EventsCutOff { .. } | Self::EventsLacking { .. } => "events_damaged",
            Self::SetAside { .. } => "set_aside",
            Self::Foreign { .. } => "foreign_file",
            _ => "failed",
        };
        let severity = if matches!(self, Self::SetAside { .. }) { Severity::Warning } else { Severity::Error };
        let made = Diagnostic::of_error(Stage::Store, "store", self);
        Diagnostic { code: code.to_owned(), severity, help: self.help().into_iter().collect(), ..made }
    }
}
