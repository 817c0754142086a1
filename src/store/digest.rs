//! The digest of a segment: SHA-256 of the whole file, kept in its own footer.
//!
//! The footer is a part of the file, so the digest is taken with its own 64 characters set to `0` and then written over
//! them. Every bit of the file counts, the digest's own included, and a segment stays one file that takes its place in
//! one rename. `sha256sum` gives the same number once those characters are zeros.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

/// Key of the footer under which the digest is kept.
pub(super) const KEY: &str = "fortnight.sha256";

/// What is written in place of the digest before it is known.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What follows the key in Thrift's compact form: a field that holds a string of 64 bytes.
const VALUE_HEADER: [u8; 2] = [0x18, 0x40];

/// Bytes read at once.
const BUFFER_BY: usize = 1 << 18;

/// What the digest says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The file is what was written.
    Whole,
    /// The file has a digest and another content.
    Differs,
    /// The file has no digest, as earlier programs wrote it.
    Absent,
}

/// Writes the digest of a finished file into its place.
pub(super) fn stamp(file: &mut File) -> io::Result<()> {
    let Some(place) = find(file)? else { return Err(io::Error::other("no place for the digest")) };
    let digest = hash(file, place)?;
    file.seek(SeekFrom::Start(place))?;
    file.write_all(digest.as_bytes())?;
    file.flush()
}

/// Compares a file with its digest.
pub(super) fn check(file: &mut File) -> io::Result<Check> {
    let Some(place) = find(file)? else { return Ok(Check::Absent) };
    let mut written = [0; BLANK.len()];
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut written)?;
    Ok(if hash(file, place)?.as_bytes() == written { Check::Whole } else { Check::Differs })
}

/// Returns the place of the digest, if the file ends like Parquet and has one.
fn find(file: &mut File) -> io::Result<Option<u64>> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut end = [0; 8];
    let Some(before) = size.checked_sub(end.len() as u64) else { return Ok(None) };
    file.seek(SeekFrom::Start(before))?;
    file.read_exact(&mut end)?;
    let [a, b, c, d, ..] = end;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = before.checked_sub(length) else { return Ok(None) };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    Read::by_ref(file).take(length).read_to_end(&mut footer)?;
    let mark = [KEY.as_bytes(), &VALUE_HEADER].concat();
    let found = footer.windows(mark.len()).rposition(|window| window == mark);
    let place = found.map(|at| start + (at + mark.len()) as u64);
    Ok(place.filter(|place| place + BLANK.len() as u64 <= before))
}

/// Returns the digest of a file, the characters at `place` taken as zeros.
fn hash(file: &mut File, place: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    update(&mut hasher, &mut Read::by_ref(file).take(place))?;
    hasher.update(BLANK);
    file.seek(SeekFrom::Start(place + BLANK.len() as u64))?;
    update(&mut hasher, file)?;
    Ok(hex(&hasher.finalize()))
}

fn update(hasher: &mut Sha256, from: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BY];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

/// Returns the digest of a short text, as far as its first characters say it.
pub(super) fn short(text: &[u8], characters: usize) -> String {
    let mut digest = hex(&Sha256::digest(text));
    digest.truncate(characters);
    digest
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that ends as Parquet does, with a digest in its footer.
    fn sample() -> Vec<u8> {
        let footer = [b"before".as_slice(), KEY.as_bytes(), &VALUE_HEADER, BLANK.as_bytes(), b"after"].concat();
        let length = u32::try_from(footer.len()).expect("short").to_le_bytes();
        [b"PAR1 some pages".as_slice(), &footer, &length, b"PAR1"].concat()
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    #[test]
    fn every_bit_counts() {
        let mut stamped = file(&sample());
        stamp(&mut stamped).expect("stamped");
        assert_eq!(check(&mut stamped).expect("read"), Check::Whole);
        let mut bytes = Vec::new();
        stamped.rewind().expect("rewound");
        stamped.read_to_end(&mut bytes).expect("read");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(check(&mut file(&flipped)).expect("read"), Check::Whole, "bit {bit}");
        }
    }

    #[test]
    fn a_file_without_a_digest_is_known_as_such() {
        for bytes in [b"".as_slice(), b"PAR1", b"something else altogether"] {
            assert_eq!(check(&mut file(bytes)).expect("read"), Check::Absent);
        }
    }
}
