//! The NVIDIA GPUs of a machine, by what their driver tells below `/proc`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fingerprint::field;

/// Where the driver tells.
const FOLDER: &str = "/proc/driver/nvidia";

/// NVIDIA's driver and the GPUs that it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpus {
    /// The version of the driver: `580.65.06`.
    pub driver: String,
    /// The GPUs by their own names, in the order of their places on the bus.
    pub names: Vec<String>,
}

impl Gpus {
    /// Those of the machine that this runs on; `None` where NVIDIA's driver is not loaded.
    pub fn of_this_machine() -> Option<Self> {
        Self::told_in(Path::new(FOLDER))
    }

    fn told_in(folder: &Path) -> Option<Self> {
        let driver = driver(&fs::read_to_string(folder.join("version")).ok()?)?.to_owned();
        let entries = fs::read_dir(folder.join("gpus")).into_iter().flatten().flatten();
        let mut places: Vec<_> = entries.map(|entry| entry.path()).collect();
        places.sort();
        let name = |place: &PathBuf| {
            let information = fs::read_to_string(place.join("information")).ok()?;
            field(&information, "Model").map(str::to_owned)
        };
        Some(Self { driver, names: places.iter().filter_map(name).collect() })
    }
}

/// The version in the driver's own sentence, which names it in the midst of other words: the first that is made of numbers with
/// full stops.
fn driver(version: &str) -> Option<&str> {
    let line = field(version, "NVRM version")?;
    let is_version = |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok());
    line.split_whitespace().find(is_version)
}

impl fmt::Display for Gpus {
    /// `2 x NVIDIA A100-SXM4-40GB with driver 580.65.06`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            f.write_str("no GPU")?;
        }
        for (position, alike) in self.names.chunk_by(|one, next| one == next).enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            match alike {
                [name] => f.write_str(name)?,
                several => write!(f, "{} x {}", several.len(), several.first().map_or("", String::as_str))?,
            }
        }
        write!(f, " with driver {}", self.driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the driver writes it: version 535 as NVIDIA ships it, and 580 from its open source.
    const CLOSED: &str = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n\
                          GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n";
    const OPEN: &str = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  \
                        (dvs-builder@U22-I3-AF01-05-3)  Sun Jul 27 07:08:53 UTC 2025\n\
                        GCC version:  gcc version 13.3.0\n";

    fn information(model: &str, minor: usize) -> String {
        format!(
            "Model: \t\t {model}\nIRQ:   \t\t 98\nGPU UUID: \t GPU-01234567-89ab-cdef-0123-456789abcdef\n\
             Video BIOS: \t 94.02.42.00.a9\nBus Type: \t PCIe\nDMA Size: \t 47 bits\nDMA Mask: \t 0x7fffffffffff\n\
             Bus Location: \t 0000:0{minor}:00.0\nDevice Minor: \t {minor}\nGPU Firmware: \t N/A\nGPU Excluded:\t No\n"
        )
    }

    fn told(version: &str, models: &[&str]) -> Option<Gpus> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("version"), version).unwrap();
        for (minor, model) in models.iter().enumerate() {
            let place = folder.path().join(format!("gpus/0000:0{minor}:00.0"));
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("information"), information(model, minor)).unwrap();
        }
        Gpus::told_in(folder.path())
    }

    #[test]
    fn the_driver_tells_its_version_and_its_gpus() {
        let gpus = told(CLOSED, &["NVIDIA GeForce RTX 3090"]).unwrap();
        assert_eq!(
            (gpus.driver.as_str(), gpus.names.as_slice()),
            ("535.183.01", &["NVIDIA GeForce RTX 3090".to_owned()][..])
        );
        assert_eq!(gpus.to_string(), "NVIDIA GeForce RTX 3090 with driver 535.183.01");
        let several = told(OPEN, &["NVIDIA L4", "NVIDIA L4", "NVIDIA T400 4GB"]).unwrap();
        assert_eq!(several.to_string(), "2 x NVIDIA L4, NVIDIA T400 4GB with driver 580.65.06");
        assert_eq!(told(OPEN, &[]).unwrap().to_string(), "no GPU with driver 580.65.06");
    }

    #[test]
    fn where_there_is_no_driver_there_are_no_gpus() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Gpus::told_in(folder.path()), None);
        assert_eq!(told("something else\n", &["NVIDIA L4"]), None);
    }
}
