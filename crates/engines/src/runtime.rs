//! The ONNX Runtime library of this process.
//!
//! A process loads one library, once. The official libraries report usage to their maker and write below the home folder
//! unless `ORT_DISABLE_TELEMETRY` is `1` in the environment before they are loaded, so that is required here.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use artifact::runtime::{DYLIB_VARIABLE, RuntimeError, RuntimeLibrary, locate};
use artifact::{Digest, FileError};
use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::identity::{Identity, identify};

/// The variable that keeps the library from reporting usage.
pub const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// The loaded library. Clones are cheap and mean the same one.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    path: PathBuf,
    identity: Identity,
    version: String,
}

/// Why the ONNX Runtime library could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is none.
    #[error(transparent)]
    Missing(#[from] RuntimeError),
    /// It would report usage to its maker.
    #[error("the ONNX Runtime library is not loaded unless {TELEMETRY_VARIABLE}=1 is in the environment")]
    Telemetry,
    /// The file is not a library for this machine, is too old, or is damaged.
    #[error("{} cannot be used as the ONNX Runtime library: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The loader's or the library's reason.
        reason: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not what its manifest declares.
    #[error(
        "{} is not the file that {} declares, and was not loaded: its SHA-256 is {found} and not {declared}; `cargo xtask fetch {}` \
         brings the right one",
        path.display(),
        manifest.display(),
        manifest.file_stem().unwrap_or_default().display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The manifest.
        manifest: PathBuf,
        /// Its SHA-256 by the manifest.
        declared: Digest,
        /// Its SHA-256.
        found: Digest,
    },
    /// Another library is in use already.
    #[error("this process has loaded {} and cannot load {} as well", loaded.display(), wanted.display())]
    Another {
        /// The library in use.
        loaded: PathBuf,
        /// The library that was asked for.
        wanted: PathBuf,
    },
}

/// Forbids the library to report usage. For the start of `main`.
///
/// # Safety
/// No other thread may run: the environment of a process is not guarded against C code that reads it meanwhile.
pub unsafe fn forbid_telemetry() {
    // SAFETY: the caller promises that there is no other thread.
    unsafe { std::env::set_var(TELEMETRY_VARIABLE, "1") };
}

impl Runtime {
    /// Finds and loads the library: the one that `ORT_DYLIB_PATH` names, the one fetched into `fetched_root`
    /// (`datasets/onnxruntime`), or the system's.
    ///
    /// # Errors
    /// When there is none, when it is not usable here, or when another one is loaded already.
    pub fn load(fetched_root: &Path) -> Result<Self, LibraryError> {
        Self::open(locate(fetched_root)?)
    }

    /// Loads one library, if it is what its manifest declares, or nothing declares it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn open(library: RuntimeLibrary) -> Result<Self, LibraryError> {
        static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*loaded {
            Some(runtime) if runtime.path == library.path => Ok(runtime.clone()),
            Some(runtime) => Err(LibraryError::Another { loaded: runtime.path.clone(), wanted: library.path }),
            None => {
                let runtime = Self::initialize(library)?;
                *loaded = Some(runtime.clone());
                Ok(runtime)
            }
        }
    }

    fn initialize(library: RuntimeLibrary) -> Result<Self, LibraryError> {
        if std::env::var_os(TELEMETRY_VARIABLE).is_none_or(|value| value != "1") {
            return Err(LibraryError::Telemetry);
        }
        let path = library.path;
        let identity = identify(&path)?;
        let named = std::env::var_os(DYLIB_VARIABLE).is_some_and(|value| path.as_os_str() == value);
        let hint = if named { format!("; {DYLIB_VARIABLE} names it: correct it or unset it") } else { String::new() };
        let unusable =
            |reason: String| LibraryError::Unusable { path: path.clone(), reason: one_line(&reason) + &hint };
        let builder = ort::init_from(&path).map_err(|error| {
            unusable(match error {
                ort::LoadDynamicError::Dlopen { error, .. } => {
                    foreign(&path).unwrap_or_else(|| terminal::failure::sentence(&error))
                }
                ort::LoadDynamicError::MissingApi { .. } => "it is another library".to_owned(),
                ort::LoadDynamicError::InvalidVersionString => "it does not tell its version".to_owned(),
                ort::LoadDynamicError::BadVersion { version_str, .. } => {
                    format!(
                        "its version is {version_str}, and 1.{} is the oldest that is supported",
                        ort::MINOR_VERSION
                    )
                }
            })
        })?;
        let environment =
            builder.with_telemetry(false).build().map_err(|error| unusable(error.message().to_owned()))?;
        // What goes wrong arrives as an error; the library would print it as well. `ORT_LOG` asks for more.
        if std::env::var_os("ORT_LOG").is_none() {
            environment.set_log_level(LogLevel::Fatal);
        }
        let version = version(&path).ok_or_else(|| unusable("it does not tell its version".to_owned()))?;
        Ok(Self { environment, path, identity, version })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it was found to be before it was loaded.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its version: `1.32.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The second number of its version.
    pub(crate) fn minor(&self) -> u32 {
        self.version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
    }

    /// What sessions are created in.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// Asks the library, which is loaded already, for its full version.
fn version(path: &Path) -> Option<String> {
    use std::os::unix::ffi::OsStrExt;

    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: `path` ends in a zero byte; the library was loaded before, so nothing runs on loading it again.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    if library.is_null() {
        return None;
    }
    // SAFETY: `library` is a handle, and the name ends in a zero byte.
    let symbol = unsafe { libc::dlsym(library, c"OrtGetApiBase".as_ptr()) };
    if symbol.is_null() {
        return None;
    }
    // SAFETY: ONNX Runtime's C API declares this function so in every version.
    let base = unsafe {
        let get: unsafe extern "C" fn() -> *const ort::sys::OrtApiBase = std::mem::transmute(symbol);
        get().as_ref()?
    };
    // SAFETY: the function of the C API takes nothing and returns a constant text that ends in a zero byte.
    let text = unsafe { CStr::from_ptr((base.GetVersionString)()) };
    text.to_str().ok().map(str::to_owned)
}

/// For which other machine a library was built; `None` if it is for this one, or no library. The loader's own words can be that
/// there is no such file.
fn foreign(path: &Path) -> Option<String> {
    use std::io::Read;

    let mut start = [0; 20];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).ok()?;
    let this = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    let elsewhere = |(system, machine): &(&str, &str)| {
        *system != std::env::consts::OS || !["", std::env::consts::ARCH].contains(machine)
    };
    let other = built_for(&start).filter(elsewhere)?;
    Some(match other {
        (system, "") => format!("it was built for {system}, and this is {this}"),
        (system, machine) => format!("it was built for {system} on {machine}, and this is {this}"),
    })
}

/// The system and the processor that the first bytes of a library tell, by Rust's names; the processor is empty where it does
/// not matter. From the headers of ELF, Mach-O and PE files.
fn built_for(start: &[u8; 20]) -> Option<(&'static str, &'static str)> {
    match *start {
        [0x7f, b'E', b'L', b'F', _, 1, .., low, high] => {
            let machine = match u16::from_le_bytes([low, high]) {
                0x03 => "x86",
                0x3e => "x86_64",
                0x28 => "arm",
                0xb7 => "aarch64",
                0xf3 => "riscv64",
                _ => return None,
            };
            Some(("linux", machine))
        }
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => Some(("macos", "")),
        [b'M', b'Z', ..] => Some(("windows", "")),
        _ => None,
    }
}

/// A library's message without line breaks, at most 300 characters long.
pub fn one_line(message: &str) -> String {
    const LONGEST: usize = 300;
    let words: Vec<&str> = message.split_whitespace().collect();
    let text = words.join(" ");
    // ONNX Runtime puts the place in its own source, and the condition there, in front of some messages.
    let place = ["[ONNXRuntimeError] : ", " was false. "].into_iter().filter(|_| text.starts_with('/'));
    let text = place.filter_map(|end| text.split_once(end)).next().map_or(text.as_str(), |(_, message)| message);
    let text = without_place(text);
    let text = text.as_str();
    // What a call of CUDA says stands between the function's long signature and the names of machine and file.
    let text =
        text.split_once(" ; GPU=").map_or(text, |(said, _)| said.rsplit_once("] ").map_or(said, |(_, said)| said));
    // They end a sentence of ours, which has its own full stop.
    let text = text.trim_end_matches('.').to_owned();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}

/// A message of ONNX Runtime without the place in its source that stands in the middle: path and line, and the signature of a
/// function up to the `)` that closes it.
fn without_place(text: &str) -> String {
    let found = text.find(": /").filter(|start| text.get(*start..).is_some_and(|rest| rest.contains("onnxruntime")));
    let parts = found.and_then(|start| {
        let (before, rest) = text.split_at_checked(start + 2)?;
        let (path, rest) = rest.split_once(' ')?;
        let numbered = path.rsplit_once(':').is_some_and(|(_, line)| line.parse::<u32>().is_ok());
        let message = rest.get(closing(rest)? + 1..)?.trim_start();
        numbered.then(|| (before, message.strip_prefix("const ").unwrap_or(message)))
    });
    parts.map_or_else(|| text.to_owned(), |(before, message)| format!("{before}{message}"))
}

/// Where the first `(` of a text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(place),
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those of the ELF specification (e_machine), Apple's mach-o/loader.h and Microsoft's PE format.
    #[test]
    fn a_library_for_another_machine_is_told_by_its_first_bytes() {
        let elf = |machine: u8| {
            let mut start = [0; 20];
            start[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
            start[18] = machine;
            start
        };
        assert_eq!(built_for(&elf(0xb7)), Some(("linux", "aarch64")));
        assert_eq!(built_for(&elf(0x3e)), Some(("linux", "x86_64")));
        assert_eq!(built_for(b"\xcf\xfa\xed\xfe                "), Some(("macos", "")));
        assert_eq!(built_for(b"MZ                  "), Some(("windows", "")));
        assert_eq!(built_for(b"not a library at all"), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so");
        let other = if cfg!(target_arch = "aarch64") { ("x86_64", 0x3e) } else { ("aarch64", 0xb7) };
        std::fs::write(&path, elf(other.1)).unwrap();
        let told = foreign(&path).unwrap();
        assert!(told.starts_with(&format!("it was built for linux on {}, and this is ", other.0)), "{told}");
    }

    #[test]
    fn messages_become_one_line() {
        assert_eq!(one_line("a\n  b\tc "), "a b c");
        let failed = "Exception during initialization: /onnxruntime_src/core/a.cc:294 onnxruntime::common::Status \
                      onnxruntime::Save(const Env&, std::function<void(int)>) const no such file (2)";
        assert_eq!(one_line(failed), "Exception during initialization: no such file (2)");
        assert_eq!(one_line("cannot open: /models/onnxruntime.onnx (2)"), "cannot open: /models/onnxruntime.onnx (2)");
        let failed = "/src/core/a.cc:20 Get() [ONNXRuntimeError] : 1 : FAIL : no CUDA";
        assert_eq!(one_line(failed), "1 : FAIL : no CUDA");
        let failed = "/src/a.cc:65 Initialize()::<lambda()> status == Success was false. Failed to get an adapter";
        assert_eq!(one_line(failed), "Failed to get an adapter");
        assert_eq!(one_line("it was false. No."), "it was false. No");
        let failed = "/src/cuda_call.cc:154 Status CudaCall(ERRTYPE, int) [with ERRTYPE = cudaError; Status = Status] CUDA failure \
                      100: no CUDA-capable device is detected ; GPU=-1 ; hostname=box ; file=/src/a.cc ; line=280 ; expr=f(); ";
        assert_eq!(one_line(failed), "CUDA failure 100: no CUDA-capable device is detected");
        let long = one_line(&"é".repeat(400));
        assert_eq!(long.chars().count(), 301);
        assert!(long.ends_with("é…"));
    }
}
