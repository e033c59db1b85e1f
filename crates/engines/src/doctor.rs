//! What this machine can run networks with.

use std::path::PathBuf;

use serde::Serialize;

use confine::Confinement;

use crate::fingerprint::{Library, Machine};
use crate::libraries::Libraries;
use crate::provider::Provider;
use crate::worker::remote::ASKED;
use terminal::plain::line;
use terminal::table::Table;

/// What was found on a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The machine.
    pub machine: Machine,
    /// Each provider in each library that has it; a provider that no library has is there once.
    pub providers: Vec<Finding>,
    /// Libraries that cannot be loaded.
    pub unusable: Vec<UnusableLibrary>,
    /// How the kernel confines workers; `None` where no library could be asked.
    pub confinement: Option<Confinement>,
}

/// A provider, and whether it works.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The provider.
    pub provider: Provider,
    /// The library that was built with it; `None` if there is no such library here.
    pub library: Option<Library>,
    /// Whether a small model ran on it.
    pub usable: bool,
    /// Why not, in the runtime's own words.
    pub failure: Option<String>,
    /// How to get it.
    pub how_to_get: &'static str,
}

/// A library that cannot be loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnusableLibrary {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// Tries every provider in every library, each library in a process of its own.
pub fn examine(libraries: &mut Libraries) -> Diagnosis {
    let mut unusable = Vec::new();
    let mut usable = Vec::new();
    for (path, probe) in libraries.probes() {
        match probe {
            Ok(probe) => usable.push(probe.clone()),
            Err(error) => {
                let reason = terminal::failure::sentence(error);
                let reason =
                    reason.strip_prefix(ASKED).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&reason).to_owned();
                unusable.push(UnusableLibrary { path: path.clone(), reason });
            }
        }
    }
    // Those that are known here, whether a library has them or not, and what the libraries have besides.
    let mut asked = Provider::KNOWN.to_vec();
    for found in usable.iter().flat_map(|probe| &probe.providers) {
        if !asked.contains(&found.provider) {
            asked.push(found.provider.clone());
        }
    }
    let mut providers = Vec::new();
    for provider in asked {
        let finding = |library: Option<Library>, failure: Option<String>, usable| Finding {
            how_to_get: match (&provider, &library) {
                (Provider::Other(name), Some(_)) if name != "azure" => "the hardware and the driver that it is for",
                _ => provider.how_to_get(),
            },
            provider: provider.clone(),
            library,
            usable,
            failure,
        };
        let before = providers.len();
        for probe in &usable {
            for found in probe.providers.iter().filter(|found| found.provider == provider) {
                providers.push(finding(Some(probe.library.clone()), found.failure.clone(), found.failure.is_none()));
            }
        }
        if providers.len() == before {
            providers.push(finding(None, None, false));
        }
    }
    let confinement = usable.first().map(|probe| probe.confinement);
    Diagnosis { machine: Machine::this(), providers, unusable, confinement }
}

impl Diagnosis {
    /// Whether the plain CPU provider works.
    pub fn healthy(&self) -> bool {
        self.providers.iter().any(|finding| finding.provider == Provider::Cpu && finding.usable)
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.machine.in_words(), self.machine.features.join(" "));
        let mut table = Table::left(["provider", "compiled into", "usable here", "how to get it"]);
        for finding in &self.providers {
            table.row([
                finding.provider.to_string(),
                finding
                    .library
                    .as_ref()
                    .map_or_else(|| "none here".to_owned(), |library| format!("{} {}", library.name, library.version)),
                usable(finding),
                if finding.usable { String::new() } else { finding.how_to_get.to_owned() },
            ]);
        }
        text += &table.render();
        text.extend(self.confinement.map(|how| String::from("\n") + &line(format_args!("Workers are {how}."))));
        let mut told: Vec<String> = Vec::new();
        for own in self.providers.iter().filter_map(|finding| finding.library.as_ref()?.own()) {
            if !told.contains(&own) {
                text += &(String::from("\n") + &line(format_args!("{own}.")));
                told.push(own);
            }
        }
        for finding in &self.providers {
            if let (Some(failure), Some(library)) = (&finding.failure, &finding.library) {
                text += &(String::from("\n")
                    + &line(format_args!("{} in {}: {failure}", finding.provider, library.path.display())));
            }
        }
        for library in &self.unusable {
            let path = library.path.display().to_string();
            let named = if library.reason.contains(&path) { String::new() } else { format!("{path}: ") };
            text += &(String::from("\n") + &line(format_args!("{named}{}", library.reason)));
        }
        text
    }
}

/// Whether a provider works, or the beginning of the reason.
fn usable(finding: &Finding) -> String {
    const SHOWN: usize = 60;
    let Some(failure) = &finding.failure else {
        return if finding.usable { "yes" } else { "no" }.to_owned();
    };
    let own = failure.strip_prefix(&format!("{} failed: ", finding.provider.engine_name())).unwrap_or(failure);
    // What could not be loaded, and whose fault it is, stand at the end.
    let own = own.rsplit_once(" with error: ").map_or(own, |(_, cause)| cause);
    if let Some(library) = own.strip_suffix(": cannot open shared object file: No such file or directory") {
        return format!("no: {library} is missing");
    }
    if own.starts_with("This session contains graph nodes that are assigned to the default CPU EP") {
        return "no: it takes no operation of a small model".to_owned();
    }
    match own.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("no: {}…", own.get(..end).unwrap_or(own)),
        None => format!("no: {own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(provider: Provider, failure: Option<&str>, here: bool) -> Finding {
        let library = Library {
            name: "ONNX Runtime".to_owned(),
            version: "1.2.3".to_owned(),
            path: "lib/libonnxruntime.so".into(),
            sha256: artifact::sha256_bytes(b""),
            origin: None,
        };
        Finding {
            how_to_get: provider.how_to_get(),
            provider,
            library: here.then_some(library),
            usable: here && failure.is_none(),
            failure: failure.map(str::to_owned),
        }
    }

    /// In the words of glibc 2.36 and ONNX Runtime 1.31.1.
    #[test]
    fn the_usual_reasons_are_told_in_short() {
        let told = |provider: Provider, failure: &str| usable(&finding(provider, Some(failure), true));
        assert_eq!(
            told(
                Provider::Cuda,
                "ort:cuda failed: 1 : FAIL : Failed to load library lib/libonnxruntime_providers_cuda.so with error: \
                 libcuda.so.1: cannot open shared object file: No such file or directory"
            ),
            "no: libcuda.so.1 is missing"
        );
        assert_eq!(
            told(
                Provider::Other("azure".to_owned()),
                "ort:azure failed: This session contains graph nodes that are assigned to the default CPU EP, but fallback to \
                 CPU EP has been explicitly disabled by the user"
            ),
            "no: it takes no operation of a small model"
        );
    }

    #[test]
    fn the_table_says_what_works_and_how_to_get_the_rest() {
        let diagnosis = Diagnosis {
            machine: Machine::this(),
            providers: vec![
                finding(Provider::Cpu, None, true),
                finding(Provider::Cuda, Some("ort:cuda failed: no driver"), true),
                finding(Provider::OpenVino, None, false),
            ],
            unusable: Vec::new(),
            confinement: Some(Confinement { landlock: 7, seccomp: true }),
        };
        let text = diagnosis.text();
        assert!(diagnosis.healthy());
        assert!(text.contains("cpu       ONNX Runtime 1.2.3  yes\n"), "{text}");
        assert!(
            text.contains("cuda      ONNX Runtime 1.2.3  no: no driver  cargo xtask fetch onnxruntime-gpu cuda"),
            "{text}"
        );
        assert!(
            text.contains("openvino  none here           no             cargo xtask fetch onnxruntime-openvino"),
            "{text}"
        );
        assert!(text.contains("\nWorkers are confined: writes no files"), "{text}");
        assert!(text.contains("cuda in lib/libonnxruntime.so: ort:cuda failed: no driver"), "{text}");
    }
}
