//! Stores carried elsewhere in one file: nothing of a hostile one may land outside the store or replace what is there.
#![no_main]

use fortnight::store::Store;
use fortnight_fuzz::{WHENEVER, as_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&folder.path().join("store")).expect("opened");
    as_file("snapshot.tar", bytes, |path| {
        let _ = store.import(path);
    });
    let beside = std::fs::read_dir(folder.path()).expect("listed").count();
    assert!(beside <= 1, "nothing lands beside the store");
    let _ = store.read(WHENEVER);
    let _ = store.events();
});
