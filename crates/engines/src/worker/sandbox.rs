//! What a worker gives up before it opens a file: all that its engine does not need.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use confine::{Confinement, Needs};
use serde::{Deserialize, Serialize};

use crate::provider::{Provider, ProviderOptions};
use crate::worker::{EngineSpec, FrameworkSpec, Weights};

/// How a worker was confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// By the kernel, as far as it can.
    Kernel(Confinement),
    /// Not at all, since the user wants it so.
    Off,
    /// Not at all, since nobody here knows what the provider needs.
    Unknown,
}

/// The devices and folders of NVIDIA's driver, by the beginnings of their names.
const NVIDIA: [&str; 2] = ["nvidia", "nvhost"];

impl Sandbox {
    /// Confines this process to what an engine needs, if that is `wanted`. To be called while there is no other thread.
    pub fn enter(spec: &EngineSpec, wanted: bool) -> Self {
        match (wanted, needs(spec)) {
            (false, _) => Self::Off,
            (true, None) => Self::Unknown,
            (true, Some(needs)) => Self::Kernel(confine::confine(&needs)),
        }
    }

    /// In a word, for the line of an engine.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kernel(confinement) if confinement.is_whole() => "confined",
            Self::Kernel(Confinement { landlock: 0, seccomp: false }) | Self::Off | Self::Unknown => "NOT CONFINED",
            Self::Kernel(_) => "confined in part",
        }
    }

    /// What a reader should know of a worker that may do more than it needs, in a sentence without its full stop.
    pub fn warning(self, engine: &str) -> Option<String> {
        let whole = matches!(self, Self::Kernel(confinement) if confinement.is_whole());
        (!whole).then(|| format!("{engine} was {self}"))
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(confinement) => confinement.fmt(f),
            Self::Off => f.write_str("not confined, as --no-sandbox asks"),
            Self::Unknown => f.write_str("not confined: what its provider needs is not known here"),
        }
    }
}

/// What an engine needs; `None` where that is not known.
fn needs(spec: &EngineSpec) -> Option<Needs> {
    let mut needs = match spec {
        EngineSpec::Ort { library, model, options } => {
            let mut needs = of_provider(&options.provider)?;
            needs.read.extend([model, library].into_iter().flat_map(|path| around(path)));
            name_by_name(&options.provider_options, &mut needs);
            needs
        }
        EngineSpec::Tract { model } => Needs { read: around(model), ..Needs::default() },
        EngineSpec::Framework(FrameworkSpec { weights, folder, .. }) => {
            let weights = match weights {
                Weights::At(path) => around(path),
                Weights::Random(_) => Vec::new(),
            };
            Needs { read: weights.into_iter().chain(folder.clone()).collect(), ..Needs::default() }
        }
    };
    // The program itself, which is hashed; the loader's folders; and the only place for what is temporary.
    needs.read.extend(env::current_exe());
    needs.read.extend(env::var_os("LD_LIBRARY_PATH").iter().flat_map(env::split_paths));
    needs.write.push(env::temp_dir());
    Some(needs)
}

/// A folder, or the folder of a file; with the one that holds the file where a link leads, as in the cache of a model hub.
fn around(path: &Path) -> Vec<PathBuf> {
    let folder = |path: &Path| match path.is_dir() {
        true => path.to_owned(),
        false => path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned(),
    };
    let real = std::fs::canonicalize(path).ok();
    std::iter::once(folder(path)).chain(real.as_deref().map(folder)).collect()
}

/// What a provider needs besides files to read; `None` for one that is not known here.
fn of_provider(provider: &Provider) -> Option<Needs> {
    match provider {
        Provider::Cpu | Provider::Xnnpack | Provider::Dnnl => Some(Needs::default()),
        // Intel's GPUs and NPUs.
        Provider::OpenVino => {
            Some(Needs { write: ["/dev/dri", "/dev/accel"].map(PathBuf::from).into(), ..Needs::default() })
        }
        // The devices, memory that the driver shares, compiled kernels, and the driver's own processes.
        Provider::Cuda | Provider::TensorRt => {
            let mut write = devices(&NVIDIA);
            write.push("/dev/shm".into());
            write.extend(env::var_os("HOME").map(|home| Path::new(&home).join(".nv")));
            write.extend(env::var_os("CUDA_CACHE_PATH").map(PathBuf::from));
            Some(Needs { write, local_sockets: true, ..Needs::default() })
        }
        Provider::Other(_) => None,
    }
}

/// The devices whose names begin so.
fn devices(names: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        names.iter().any(|known| name.starts_with(known))
    };
    entries.map(|entry| entry.path()).filter(wanted).collect()
}

/// What the user's options name is needed: files are read, folders such as those of caches are written to.
fn name_by_name(options: &ProviderOptions, needs: &mut Needs) {
    for path in options.values().map(PathBuf::from).filter(|path| path.exists()) {
        match path.is_dir() {
            true => {
                needs.write.push(path);
                needs.large_files = true;
            }
            false => needs.read.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionOptions;

    fn ort(provider: Provider, model: &Path, options: &[(&str, &str)]) -> EngineSpec {
        let provider_options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = SessionOptions { provider, provider_options, ..SessionOptions::default() };
        EngineSpec::Ort { library: "/lib/any/libonnxruntime.so".into(), model: model.to_owned(), options }
    }

    #[test]
    fn each_engine_gets_what_it_needs_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (blobs, snapshot) = (folder.path().join("blobs"), folder.path().join("snapshots/1"));
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::write(blobs.join("abc"), "").unwrap();
        let model = snapshot.join("model.onnx");
        std::os::unix::fs::symlink("../../blobs/abc", &model).unwrap();
        let plain = needs(&ort(Provider::Cpu, &model, &[])).unwrap();
        let blobs = std::fs::canonicalize(blobs).unwrap();
        for wanted in [&snapshot, &blobs, Path::new("/lib/any"), &env::current_exe().unwrap()] {
            assert!(plain.read.iter().any(|path| path == wanted), "{wanted:?} in {plain:?}");
        }
        assert_eq!((plain.write.as_slice(), plain.local_sockets), ([env::temp_dir()].as_slice(), false));
        let cache = folder.path().to_str().unwrap();
        let openvino = needs(&ort(Provider::OpenVino, &model, &[("cache_dir", cache), ("num_streams", "1")])).unwrap();
        assert!(openvino.write.iter().any(|path| path == folder.path()) && !openvino.local_sockets, "{openvino:?}");
        assert!(needs(&ort(Provider::Cuda, &model, &[])).unwrap().local_sockets);
        assert_eq!(needs(&ort(Provider::Other("webgpu".to_owned()), &model, &[])), None);
        let tract = needs(&EngineSpec::Tract { model: "model.onnx".into() }).unwrap();
        assert!(tract.read.contains(&PathBuf::from(".")), "{tract:?}");
    }

    #[test]
    fn what_is_not_confined_is_said() {
        let whole = Sandbox::Kernel(Confinement { landlock: 7, seccomp: true });
        assert_eq!((whole.word(), whole.warning("tract")), ("confined", None));
        assert_eq!(Sandbox::Off.warning("tract").unwrap(), "tract was not confined, as --no-sandbox asks");
        assert_eq!(Sandbox::Off.word(), "NOT CONFINED");
        let part = Sandbox::Kernel(Confinement { landlock: 0, seccomp: true });
        assert_eq!(part.word(), "confined in part");
        assert!(part.warning("burn").unwrap().starts_with("burn was confined in part"));
        for sandbox in [whole, part, Sandbox::Off, Sandbox::Unknown] {
            let json = serde_json::to_string(&sandbox).unwrap();
            assert_eq!(serde_json::from_str::<Sandbox>(&json).unwrap(), sandbox, "{json}");
        }
    }
}
