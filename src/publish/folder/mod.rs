//! The place kind `folder`: a folder of this machine, such as one that a web server shows or that is synchronised.
//!
//! Files are written beside their name and moved into place. `replace` compares versions by digest under a lock, so that
//! two runs at once do not lose each other's entries.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::descriptor::{OpenTarget, TargetDescriptor, TargetSettings};
use super::{Parcel, Place, PublishError, Signed, Stored, Version, file};
use crate::config::{Config, ConfigError, EntryTable};

/// What the program has to know of this kind.
pub static DESCRIPTOR: TargetDescriptor = TargetDescriptor {
    kind: "folder",
    about: "A folder, such as one that a web server shows",
    keeps_files: true,
    example: include_str!("example.toml"),
    schema: || schemars::schema_for!(RawFolder).to_value(),
    settings: |table| Ok(Box::new(FolderSettings::of(table)?)),
};

/// Name of the lock of a place; hidden, so that no server shows it.
const LOCK: &str = ".fortnight.lock";

/// A folder that keeps reports.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawFolder {
    /// The folder, relative to this file. Needed. Example: `dir = "/srv/www/performance"`
    dir: Option<String>,
    /// The address under which people open that folder, for links. Default: none.
    /// Example: `url = "https://reports.example.com/performance"`
    url: Option<String>,
}

/// A folder that keeps reports, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSettings {
    /// The folder.
    pub dir: PathBuf,
    /// Its address, without a slash at the end; empty for none.
    pub url: String,
}

impl FolderSettings {
    /// Checks the table of a place.
    ///
    /// # Errors
    /// [`ConfigError`] for no folder, or an address that is none.
    pub fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawFolder = table.read()?;
        let Some(dir) = table.folder("dir", raw.dir)? else {
            return Err(table.wrong("dir", "is missing", "name the folder, such as dir = \"/srv/www/performance\""));
        };
        Ok(Self { dir, url: table.url("url", raw.url)? })
    }
}

impl TargetSettings for FolderSettings {
    fn url(&self) -> &str {
        &self.url
    }

    fn open(&self, _id: &str, _config: &Config) -> Result<OpenTarget, PublishError> {
        Ok(OpenTarget::Place(Box::new(FolderPlace { dir: self.dir.clone() })))
    }
}

/// An opened folder.
#[derive(Debug, Clone)]
pub struct FolderPlace {
    dir: PathBuf,
}

impl FolderPlace {
    /// Opens a folder, which is made when the first file is written.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn put(&self, parcel: Parcel<'_>) -> Result<(), PublishError> {
        file::write_tree(&self.dir, &[(parcel.name, parcel.bytes)], true).map(drop)
    }

    fn get(&self, name: &str) -> Result<Option<Stored>, PublishError> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(Stored { version: version(&bytes), bytes })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PublishError::Read { path, source }),
        }
    }

    /// Takes the lock of the place; it ends with the file handle, also when the process is killed.
    fn lock(&self) -> Result<File, PublishError> {
        let wrong = |source| PublishError::Write { path: self.dir.join(LOCK), source };
        std::fs::create_dir_all(&self.dir).map_err(|source| PublishError::Folder { path: self.dir.clone(), source })?;
        let file = File::options().create(true).truncate(false).write(true).open(self.dir.join(LOCK)).map_err(wrong)?;
        file.lock().map_err(wrong)?;
        Ok(file)
    }
}

fn version(bytes: &[u8]) -> Version {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Version { tag: Some(digest), generation: None }
}

#[async_trait]
impl Place for FolderPlace {
    async fn read(&self, name: &str) -> Result<Option<Stored>, PublishError> {
        self.get(name)
    }

    async fn write(&self, parcel: Parcel<'_>) -> Result<(), PublishError> {
        self.put(parcel)
    }

    async fn replace(&self, parcel: Parcel<'_>, version: Option<&Version>) -> Result<(), PublishError> {
        let _lock = self.lock()?;
        let now = self.get(parcel.name)?.map(|stored| stored.version);
        if now.as_ref() != version {
            return Err(PublishError::Changed { name: parcel.name.to_owned() });
        }
        self.put(parcel)
    }

    async fn signed(&self, name: &str, _seconds: u64) -> Result<Signed, PublishError> {
        Err(PublishError::NoLink { name: name.to_owned(), reason: "a folder signs no links; give it `url`" })
    }
}
