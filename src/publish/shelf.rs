//! The order in which the files of a report are written at a place.
//!
//! 1. The report's own files in its folder, and their digests last.
//! 2. The archive (`index.json`), only if it is still the one that was read: two runs at once lose nothing.
//! 3. What is made from the archive, the index page last. So no index ever names a report that is not whole, whenever the
//!    run is killed, and the next run goes on where this one ended.

use sha2::{Digest, Sha256};

use super::{Parcel, Place, PublishError};

/// Name of the archive at a place.
pub const ARCHIVE: &str = "index.json";
/// Name of the list of digests in a report's folder, as `sha256sum -c` reads it.
pub const DIGESTS: &str = "SHA256SUMS";
/// How often the archive is read again when another run wrote it meanwhile.
const TRIES: usize = 5;

/// A file with its name and bytes.
pub type NamedFile = (String, Vec<u8>);

/// What is made from the archive as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The new archive.
    pub archive: Vec<u8>,
    /// Files around it, such as the index page, in the order in which they are written.
    pub around: Vec<NamedFile>,
}

/// Makes the new archive from the bytes of the old one, if there is one.
pub type Compose<'a> = dyn Fn(Option<&[u8]>) -> Result<Composed, PublishError> + Sync + 'a;

/// Returns a digest in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the list of digests of files, as `sha256sum` writes it.
pub fn digests(files: &[NamedFile]) -> String {
    files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect()
}

/// Returns what is at a place already.
///
/// # Errors
/// The place cannot be read.
pub async fn archive(place: &dyn Place) -> Result<Option<Vec<u8>>, PublishError> {
    Ok(place.read(ARCHIVE).await?.map(|stored| stored.bytes))
}

/// Writes a report, then the archive and what is made from it.
///
/// `key`: name of the report's folder. `compose`: makes the new archive from the old one; it is called before anything is
/// written, and again whenever another run changed the archive.
///
/// # Errors
/// What `compose` refuses; the place cannot be read or written; others keep writing the archive.
pub async fn publish(
    place: &dyn Place,
    key: &str,
    files: &[NamedFile],
    compose: &Compose<'_>,
) -> Result<(), PublishError> {
    compose(archive(place).await?.as_deref())?;
    for (name, bytes) in files {
        place.write(Parcel { name: &format!("{key}/{name}"), bytes }).await?;
    }
    let digests = digests(files);
    place.write(Parcel { name: &format!("{key}/{DIGESTS}"), bytes: digests.as_bytes() }).await?;
    update(place, compose).await
}

/// Writes the archive and what is made from it.
///
/// # Errors
/// As [`publish`].
pub async fn update(place: &dyn Place, compose: &Compose<'_>) -> Result<(), PublishError> {
    let mut changed = PublishError::Changed { name: ARCHIVE.to_owned() };
    for _ in 0..TRIES {
        let old = place.read(ARCHIVE).await?;
        let composed = compose(old.as_ref().map(|stored| stored.bytes.as_slice()))?;
        let is_same = old.as_ref().is_some_and(|stored| stored.bytes == composed.archive);
        if !is_same {
            let parcel = Parcel { name: ARCHIVE, bytes: &composed.archive };
            match place.replace(parcel, old.as_ref().map(|stored| &stored.version)).await {
                Ok(()) => {}
                Err(error @ PublishError::Changed { .. }) => {
                    changed = error;
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        for (name, bytes) in &composed.around {
            place.write(Parcel { name, bytes }).await?;
        }
        // Another run may have written the archive while this one wrote the pages, and the pages before this one did.
        if place.read(ARCHIVE).await?.is_some_and(|stored| stored.bytes == composed.archive) {
            return Ok(());
        }
    }
    Err(changed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::publish::{Signed, Stored, Version};

    /// A place in memory that stops working after some writes, as a killed run does.
    #[derive(Default)]
    struct Memory {
        files: Mutex<BTreeMap<String, Vec<u8>>>,
        left: Mutex<usize>,
        /// Another run's archive, put in just before the first conditional write.
        meanwhile: Mutex<Option<Vec<u8>>>,
    }

    impl Memory {
        fn with(writes: usize) -> Self {
            Self { left: Mutex::new(writes), ..Self::default() }
        }

        fn spend(&self, name: &str) -> Result<(), PublishError> {
            let mut left = self.left.lock().expect("alone");
            *left =
                left.checked_sub(1).ok_or_else(|| PublishError::NoLink { name: name.to_owned(), reason: "killed" })?;
            Ok(())
        }

        fn text(&self, name: &str) -> Option<String> {
            let files = self.files.lock().expect("alone");
            files.get(name).map(|bytes| String::from_utf8(bytes.clone()).expect("UTF-8"))
        }
    }

    fn version(bytes: &[u8]) -> Version {
        Version { tag: Some(sha256(bytes)), generation: None }
    }

    #[async_trait]
    impl Place for Memory {
        async fn read(&self, name: &str) -> Result<Option<Stored>, PublishError> {
            let files = self.files.lock().expect("alone");
            Ok(files.get(name).map(|bytes| Stored { bytes: bytes.clone(), version: version(bytes) }))
        }

        async fn write(&self, parcel: Parcel<'_>) -> Result<(), PublishError> {
            self.spend(parcel.name)?;
            self.files.lock().expect("alone").insert(parcel.name.to_owned(), parcel.bytes.to_vec());
            Ok(())
        }

        async fn replace(&self, parcel: Parcel<'_>, expected: Option<&Version>) -> Result<(), PublishError> {
            if let Some(bytes) = self.meanwhile.lock().expect("alone").take() {
                self.files.lock().expect("alone").insert(parcel.name.to_owned(), bytes);
            }
            let now = self.read(parcel.name).await?.map(|stored| stored.version);
            if now.as_ref() != expected {
                return Err(PublishError::Changed { name: parcel.name.to_owned() });
            }
            self.write(parcel).await
        }

        async fn signed(&self, name: &str, _seconds: u64) -> Result<Signed, PublishError> {
            Err(PublishError::NoLink { name: name.to_owned(), reason: "none" })
        }
    }

    /// An archive that is a list of keys, and an index that names them.
    fn compose(key: &'static str) -> impl Fn(Option<&[u8]>) -> Result<Composed, PublishError> + Sync {
        move |old| {
            let old = old.map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8")).unwrap_or_default();
            let mut keys: Vec<&str> = old.split_whitespace().collect();
            if !keys.contains(&key) {
                keys.push(key);
            }
            keys.sort_unstable();
            let archive = keys.join("\n").into_bytes();
            let around = vec![("feed.xml".to_owned(), archive.clone()), ("index.html".to_owned(), archive.clone())];
            Ok(Composed { archive, around })
        }
    }

    fn files() -> Vec<NamedFile> {
        [("report.html", "page"), ("report.json", "{}")].map(|(name, text)| (name.to_owned(), text.into())).to_vec()
    }

    async fn run(place: &Memory, key: &'static str) -> Result<(), PublishError> {
        publish(place, key, &files(), &compose(key)).await
    }

    #[tokio::test]
    async fn an_index_never_names_a_report_that_is_not_whole_wherever_the_run_ends() {
        let whole = 6;
        for writes in 0..whole {
            let place = Memory::with(writes);
            assert!(run(&place, "2026-11-09").await.is_err(), "{writes} writes are not enough");
            for page in ["index.html", "feed.xml", ARCHIVE] {
                let named = place.text(page).is_some_and(|text| text.contains("2026-11-09"));
                let is_whole =
                    place.text(&format!("2026-11-09/{DIGESTS}")).is_some_and(|list| list == digests(&files()));
                assert!(!named || is_whole, "{page} names a report that is not whole after {writes} writes");
            }
            // The next run goes on where this one ended.
            *place.left.lock().expect("alone") = usize::MAX;
            run(&place, "2026-11-09").await.expect("goes on");
            assert_eq!(place.text("index.html").as_deref(), Some("2026-11-09"));
        }
        run(&Memory::with(whole), "2026-11-09").await.expect("enough");
    }

    #[tokio::test]
    async fn two_runs_at_once_lose_nothing() {
        let place = Memory::with(usize::MAX);
        *place.meanwhile.lock().expect("alone") = Some(b"2026-10-26".to_vec());
        run(&place, "2026-11-09").await.expect("tried again");
        assert_eq!(place.text("index.html").as_deref(), Some("2026-10-26\n2026-11-09"));
    }

    #[tokio::test]
    async fn publishing_again_writes_the_same() {
        let place = Memory::with(usize::MAX);
        run(&place, "2026-11-09").await.expect("first");
        let before = place.files.lock().expect("alone").clone();
        run(&place, "2026-11-09").await.expect("second");
        assert_eq!(*place.files.lock().expect("alone"), before);
    }

    #[tokio::test]
    async fn what_is_refused_writes_nothing() {
        let place = Memory::with(usize::MAX);
        let refuse = |_: Option<&[u8]>| -> Result<Composed, PublishError> {
            Err(PublishError::Archive { reason: "another format".to_owned() })
        };
        assert!(publish(&place, "2026-11-09", &files(), &refuse).await.is_err());
        assert!(place.files.lock().expect("alone").is_empty());
    }
}
