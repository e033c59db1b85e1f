//! What a measurement was taken on: without it a figure means nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use artifact::runtime::RuntimeOrigin;
use artifact::{Digest, FileError, sha256_file};
use serde::{Deserialize, Serialize};

use crate::gpus::Gpus;

/// The machine, the program and the files of a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The machine.
    pub machine: Machine,
    /// The version of this program.
    pub program: String,
    /// The files that were measured, by what they are: `model`, `weights`.
    pub files: BTreeMap<String, FileMark>,
}

/// A machine, as far as it decides how fast a network runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The CPU by its own name.
    pub cpu: String,
    /// The vector extensions that matter for networks, such as `avx2` and `avx512f`.
    pub features: Vec<String>,
    /// The cores that this process may use, the limit of its container respected.
    pub cores: usize,
    /// The memory that this process may use in bytes, the limit of its container respected; `None` if it is unknown.
    pub memory: Option<u64>,
    /// The operating system's kernel: `Linux 6.1.0`.
    pub kernel: String,
    /// The architecture: `x86_64`.
    pub architecture: String,
    /// NVIDIA's driver and its GPUs; `None` where there is none, and in reports older than this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Gpus>,
}

/// A runtime library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The file.
    pub path: PathBuf,
    /// The SHA-256 of the file.
    pub sha256: Digest,
    /// How it came here, for a library of ONNX Runtime: `fetched` if it is what a manifest declares; absent in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RuntimeOrigin>,
}

impl Library {
    /// What is to be said of a library that no manifest declares, in a sentence without its full stop.
    pub fn own(&self) -> Option<String> {
        let origin = self.origin.filter(|origin| *origin != RuntimeOrigin::Fetched)?;
        Some(format!(
            "{} {} at {} is {origin}, and no manifest declares it",
            self.name,
            self.version,
            self.path.display()
        ))
    }
}

/// A file and the SHA-256 of what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// The path as it was given.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl FileMark {
    /// Hashes a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        Ok(Self { path: path.to_owned(), sha256: sha256_file(path)? })
    }
}

impl Fingerprint {
    /// Of this machine and the files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn take(files: &[(&str, &Path)]) -> Result<Self, FileError> {
        let files = files.iter().map(|(role, path)| Ok(((*role).to_owned(), FileMark::of(path)?)));
        Ok(Self {
            machine: Machine::this(),
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            files: files.collect::<Result<_, FileError>>()?,
        })
    }
}

impl Machine {
    /// The one that this runs on.
    pub fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            cpu: cpu_name(&cpuinfo).or_else(system_cpu_name).unwrap_or_else(|| "unknown".to_owned()),
            features: features(&cpuinfo),
            cores: cores(),
            memory: memory(),
            kernel: kernel(),
            architecture: std::env::consts::ARCH.to_owned(),
            gpus: Gpus::of_this_machine(),
        }
    }

    /// The machine in a few words: CPU, cores, kernel, GPUs.
    pub fn in_words(&self) -> String {
        let gpus = self.gpus.as_ref().map_or_else(String::new, |gpus| format!(", {gpus}"));
        format!("{}, {} cores, {}{gpus}", self.cpu, self.cores, self.kernel)
    }
}

/// The cores that this process may use: affinity and the quota of its control group are respected. At least 1.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu_name(cpuinfo: &str) -> Option<String> {
    field(cpuinfo, "model name").map(str::to_owned)
}

/// Where there is no `/proc`.
fn system_cpu_name() -> Option<String> {
    let output = std::process::Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
    let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !name.is_empty()).then_some(name)
}

fn features(cpuinfo: &str) -> Vec<String> {
    const TELLING: [&str; 14] = [
        "sse4_2",
        "avx",
        "f16c",
        "fma",
        "avx2",
        "avx_vnni",
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512_vnni",
        "avx512_bf16",
        "amx_int8",
        "amx_bf16",
        "sve",
    ];
    let flags = field(cpuinfo, "flags").or_else(|| field(cpuinfo, "Features")).unwrap_or_default();
    let present = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
    TELLING.iter().filter(|name| present(name)).map(|name| (*name).to_owned()).collect()
}

/// The value of the first line `name : value`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn memory() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok();
    let machine = meminfo.as_deref().and_then(total_memory);
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    match (machine, limit) {
        (Some(machine), Some(limit)) => Some(machine.min(limit)),
        (machine, limit) => machine.or(limit),
    }
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let kibibytes = field(meminfo, "MemTotal")?.strip_suffix("kB")?.trim();
    kibibytes.parse::<u64>().ok()?.checked_mul(1024)
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    match std::env::consts::OS {
        "linux" => format!("Linux {}", release.trim()).trim().to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nmodel name\t: Example CPU @ 2.10GHz\nflags\t\t: fpu avx avx2 avx512f\n\n\
                           processor\t: 1\nmodel name\t: Another\n";

    #[test]
    fn the_cpu_is_read_from_the_kernel() {
        assert_eq!(cpu_name(CPUINFO).as_deref(), Some("Example CPU @ 2.10GHz"));
        assert_eq!(features(CPUINFO), ["avx", "avx2", "avx512f"]);
        assert_eq!(cpu_name(""), None);
        assert!(features("").is_empty());
        assert_eq!(total_memory("MemTotal:       24576 kB\nMemFree: 1 kB\n"), Some(24576 * 1024));
        assert_eq!(total_memory("MemTotal: many kB"), None);
    }

    #[test]
    fn a_report_without_gpus_is_that_of_a_machine_without_them() {
        let mut machine = Machine { gpus: None, ..Machine::this() };
        let json = serde_json::to_string(&machine).unwrap();
        assert!(!json.contains("gpus"), "{json}");
        assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
        let without = machine.in_words();
        machine.gpus = Some(Gpus { driver: "580.65.06".to_owned(), names: vec!["NVIDIA L4".to_owned()] });
        assert_eq!(machine.in_words(), format!("{without}, NVIDIA L4 with driver 580.65.06"));
        let json = serde_json::to_string(&machine).unwrap();
        assert!(json.contains(r#""gpus":{"driver":"580.65.06","names":["NVIDIA L4"]}"#), "{json}");
        assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
    }

    #[test]
    fn this_machine_has_cores() {
        let machine = Machine::this();
        assert!(machine.cores >= 1);
        assert!(!machine.cpu.is_empty() && !machine.kernel.is_empty());
    }
}
