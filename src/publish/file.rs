//! Writes files into a folder so that a reader sees the old file or the whole new one, never a half.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::PublishError;

/// Writes one file; see [`write_all`].
///
/// # Errors
/// [`PublishError`] with the folder or file.
pub fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, PublishError> {
    let mut paths = write_all(folder, &[(name, bytes)])?;
    Ok(paths.pop().unwrap_or_else(|| folder.join(name)))
}

/// Writes files `(name, bytes)` into a folder, which is made if it is not there, and returns their paths.
///
/// All are written under hidden names beside their place first, and get their names only when every one
/// of them is complete on disk: a full disk leaves the reports of the last run untouched.
///
/// # Errors
/// [`PublishError`] with the folder or file.
pub fn write_all(folder: &Path, files: &[(&str, &[u8])]) -> Result<Vec<PathBuf>, PublishError> {
    std::fs::create_dir_all(folder).map_err(|source| PublishError::Folder { path: folder.to_owned(), source })?;
    let mut staged = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        let path = folder.join(name);
        match stage(folder, name, bytes) {
            Ok(file) => staged.push((file, path)),
            Err(source) => return Err(PublishError::Write { path, source }),
        }
    }
    staged
        .into_iter()
        .map(|(file, path)| match file.persist(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(PublishError::Write { path, source: error.error }),
        })
        .collect()
}

/// Writes files `(path, bytes)` below a folder, which may lie in folders of their own, and returns their paths.
///
/// All or none: they are written whole under hidden names first. Without `overwrite`, a file that is there is an
/// error and nothing is written; one that comes into being meanwhile is kept, and those written before it are removed.
///
/// # Errors
/// [`PublishError`] with the folder or file; [`PublishError::There`] names the first file that is there.
pub fn write_tree(folder: &Path, files: &[(&str, &[u8])], overwrite: bool) -> Result<Vec<PathBuf>, PublishError> {
    let places: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    if let Some(path) = places.iter().find(|path| !overwrite && path.symlink_metadata().is_ok()) {
        return Err(PublishError::There { path: path.clone() });
    }
    let mut staged = Vec::with_capacity(files.len());
    for ((_, bytes), path) in files.iter().zip(&places) {
        let parent = path.parent().unwrap_or(folder);
        make_folder(parent).map_err(|source| PublishError::Folder { path: parent.to_owned(), source })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = stage(parent, &name, bytes);
        staged.push((file.map_err(|source| PublishError::Write { path: path.clone(), source })?, path));
    }
    let mut written: Vec<&PathBuf> = Vec::with_capacity(places.len());
    for (file, path) in staged {
        let outcome = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
        match outcome {
            Ok(_) => written.push(path),
            Err(error) => {
                if !overwrite {
                    // What cannot be removed either is left; the error below is the one to tell.
                    written.iter().for_each(|path| drop(std::fs::remove_file(path)));
                }
                return Err(PublishError::Write { path: path.clone(), source: error.error });
            }
        }
    }
    Ok(places)
}

/// Makes a folder; a hidden one, such as the store's, is for its owner alone.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    builder.create(folder)
}

/// Writes beside the place, with the mode that a plain new file would have.
fn stage(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; a report is for others to read. The umask still applies.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_file_replaces_the_old_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let deep = folder.path().join("a/b");
        write_file(&deep, "report.json", b"old").expect("written");
        let path = write_file(&deep, "report.json", b"new").expect("written");
        assert_eq!(std::fs::read(path).expect("readable"), b"new");
        assert_eq!(std::fs::read_dir(&deep).expect("folder").count(), 1);
    }

    #[test]
    fn a_file_in_the_way_of_the_folder_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = write_file(folder.path(), "taken", b"x").expect("written");
        let error = write_file(&path, "report.json", b"x").expect_err("not a folder");
        assert!(error.to_string().contains("taken"), "{error}");
    }

    #[test]
    fn nothing_is_replaced_when_one_cannot_be_written() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write_file(folder.path(), "report.html", b"old").expect("written");
        let files: [(&str, &[u8]); 2] = [("report.html", b"new"), ("no/such/folder", b"x")];
        assert!(write_all(folder.path(), &files).is_err());
        assert_eq!(std::fs::read(folder.path().join("report.html")).expect("readable"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
    }

    #[test]
    fn a_tree_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let files: [(&str, &[u8]); 2] = [("a/b/one", b"1"), ("two", b"2")];
        assert_eq!(write_tree(folder.path(), &files, false).expect("written").len(), 2);
        std::fs::remove_file(folder.path().join("a/b/one")).expect("removed");
        std::fs::write(folder.path().join("two"), b"mine").expect("written");
        let error = write_tree(folder.path(), &files, false).expect_err("there already");
        assert!(matches!(&error, PublishError::There { path } if path.ends_with("two")), "{error}");
        assert!(!folder.path().join("a/b/one").exists(), "nothing beside it was written");
        write_tree(folder.path(), &files, true).expect("overwritten");
        assert_eq!(std::fs::read(folder.path().join("two")).expect("readable"), b"2");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_umask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = write_file(folder.path(), "report.html", b"x").expect("written");
        std::fs::write(folder.path().join("plain"), b"x").expect("written");
        let mode = |path: &Path| std::fs::metadata(path).expect("present").permissions().mode();
        assert_eq!(mode(&path), mode(&folder.path().join("plain")));
    }
}
