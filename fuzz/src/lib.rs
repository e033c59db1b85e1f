//! What the fuzz targets share. Each target hands whatever the fuzzer made to one reader of Kiln's, as a file where it reads files,
//! and uses what comes back as a command would. A panic that leaves the reader, a sum that overflows, ten seconds without an answer
//! and a gibibyte in one piece are finds.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

/// What parts the files of an input that is several.
const BETWEEN: &[u8] = b"\n=====\n";

/// The bytes in which tensors of a file are read; larger ones are only looked at.
pub const MOST_ELEMENTS: usize = 1 << 20;

/// Makes the panics that Kiln contains harmless: the fuzzer's own hook ends the process before they could be contained.
pub fn contain() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|info| eprintln!("{info}"))));
}

/// A file of this process, with these bytes.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, bytes).expect("the temporary folder can be written");
    path
}

/// A folder of this process that holds these files and no others. An empty file is left out.
pub fn folder_of(files: &[(&str, &[u8])]) -> PathBuf {
    let folder = folder().join("folder");
    for (name, bytes) in files {
        let path = folder.join(name);
        match bytes.is_empty() {
            true => drop(fs::remove_file(path)),
            false => {
                fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder can be made");
                fs::write(path, bytes).expect("the temporary folder can be written");
            }
        }
    }
    folder
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("kiln-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}

/// An input as so many parts; those that it has not are empty.
pub fn parts<const N: usize>(mut data: &[u8]) -> [&[u8]; N] {
    let mut parts = [&data[..0]; N];
    for (index, part) in parts.iter_mut().enumerate() {
        let end = data.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        match end.filter(|_| index + 1 < N) {
            Some(end) => (*part, data) = (&data[..end], &data[end + BETWEEN.len()..]),
            None => (*part, data) = (data, &data[..0]),
        }
    }
    parts
}
