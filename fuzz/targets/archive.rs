//! Archives and packed files that data sets come in.

#![no_main]

use artifact::manifest::FileEntry;
use fetch::{Archive, unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else { return };
    let kind = match kind % 3 {
        0 => Archive::Tar,
        1 => Archive::Zip,
        _ => Archive::Gzip,
    };
    let archive = fuzz::file("archive", bytes);
    let folder = fuzz::folder_of(&[("kept", b"kept")]);
    let entry = FileEntry {
        name: "images".to_owned(),
        bytes: None,
        sha256: None,
        at_most: Some(1 << 16),
        executable: false,
        platform: None,
    };
    let _ = unpack(kind, &archive, "package/data", &[entry], &folder);
    let there = std::fs::read_dir(&folder).expect("the folder is there");
    for entry in there {
        let name = entry.expect("the folder can be read").file_name();
        assert!(name == "kept" || name == "images", "{name:?} was written");
    }
    let images = folder.join("images");
    assert!(images.metadata().map_or(0, |about| about.len()) <= 1 << 16, "more was written than is allowed");
    let _ = std::fs::remove_file(images);
});
