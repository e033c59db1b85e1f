//! ONNX Runtime's execution providers, by name and without fallback.
//!
//! Six have a variant of their own, since their options or their way in are special. Any other goes to the runtime by its
//! name, so that the list stays open: what the runtime does not know, it says itself.

mod by_name;
mod names;

pub(crate) use by_name::built_in;
pub(crate) use names::meant;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ort::ep::{ArbitrarilyConfigurableExecutionProvider, CUDA, ExecutionProvider, OneDNN, OpenVINO, TensorRT, XNNPACK};
use ort::session::builder::SessionBuilder;
use serde::{Deserialize, Serialize};

use names::{DOCUMENTED, Documented, SUFFIX};

/// A part of ONNX Runtime that runs operations on some hardware or with some library. In JSON it is its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Provider {
    /// ONNX Runtime's own kernels.
    Cpu,
    /// NVIDIA's GPUs.
    Cuda,
    /// NVIDIA's GPUs, through TensorRT.
    TensorRt,
    /// Intel's oneDNN, on the CPU.
    Dnnl,
    /// Intel's OpenVINO; on the CPU unless the option `device_type` says otherwise.
    OpenVino,
    /// Google's XNNPACK, on the CPU.
    Xnnpack,
    /// Any other, which the runtime is asked for by this name: `coreml`.
    Other(String),
}

/// Options of a provider by their names in ONNX Runtime's documentation.
pub type ProviderOptions = BTreeMap<String, String>;

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownProvider {
    /// It is nearly that of a provider.
    #[error("there is no provider `{name}`; did you mean `{meant}`?")]
    Misspelt {
        /// The name.
        name: String,
        /// The provider that was meant.
        meant: &'static str,
    },
    /// It cannot be a name.
    #[error("`{name}` is no name of a provider, which has letters, digits, `_` and `-` alone")]
    Illegal {
        /// The name.
        name: String,
    },
}

impl Provider {
    /// Those with a variant of their own.
    pub const KNOWN: [Self; 6] = [Self::Cpu, Self::Cuda, Self::TensorRt, Self::Dnnl, Self::OpenVino, Self::Xnnpack];

    /// The name by which it is asked for.
    pub fn name(&self) -> &str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::Dnnl => "dnnl",
            Self::OpenVino => "openvino",
            Self::Xnnpack => "xnnpack",
            Self::Other(name) => name,
        }
    }

    /// The name by which ONNX Runtime calls it, in profiles too. Letters may be large or small.
    pub fn runtime_name(&self) -> String {
        match self {
            Self::Cpu => "CPUExecutionProvider".to_owned(),
            Self::Cuda => CUDA::NAME.to_owned(),
            Self::TensorRt => TensorRT::NAME.to_owned(),
            Self::Dnnl => OneDNN::NAME.to_owned(),
            Self::OpenVino => OpenVINO::NAME.to_owned(),
            Self::Xnnpack => XNNPACK::NAME.to_owned(),
            Self::Other(name) => match documented(name) {
                Some(found) => found.runtime.to_owned(),
                None => format!("{name}{SUFFIX}"),
            },
        }
    }

    /// Whether the runtime means this provider by a name in a profile, or in the list of what a library has.
    pub fn is_called(&self, runtime_name: &str) -> bool {
        self.runtime_name().eq_ignore_ascii_case(runtime_name)
    }

    /// The engine that runs on it: `ort:openvino`.
    pub fn engine_name(&self) -> String {
        format!("ort:{}", self.name())
    }

    /// How to get a library that has it.
    pub fn how_to_get(&self) -> &'static str {
        match self {
            Self::Cpu => "cargo xtask fetch onnxruntime",
            Self::OpenVino => "cargo xtask fetch onnxruntime-openvino (Linux x86-64)",
            Self::Cuda => "cargo xtask fetch onnxruntime-gpu cuda (Linux x86-64); NVIDIA's driver, 580 or newer",
            Self::TensorRt => {
                "cargo xtask fetch onnxruntime-gpu cuda tensorrt (Linux x86-64); NVIDIA's driver, 580 or newer"
            }
            Self::Dnnl | Self::Xnnpack => "on Debian 13: apt install libonnxruntime1.21",
            Self::Other(name) if name == "azure" => "nothing: it asks services in the cloud, and computes nothing here",
            Self::Other(_) => "a library of ONNX Runtime that was built with it, named in ORT_DYLIB_PATH",
        }
    }

    /// Whether it may reserve more addresses than there is memory, as the drivers of GPUs do.
    pub fn reserves_addresses(&self) -> bool {
        match self {
            Self::Cuda | Self::TensorRt | Self::Other(_) => true,
            Self::Cpu | Self::Dnnl | Self::OpenVino | Self::Xnnpack => false,
        }
    }

    /// The options with which a session is created: those given, and beside them what holds unless an option says otherwise.
    /// `minor` is the second number of the library's version.
    fn with_defaults(&self, minor: u32, threads: usize, given: &ProviderOptions) -> ProviderOptions {
        let threads = threads.to_string();
        let defaults: &[(&str, &str)] = match self {
            // TF32 has ten bits of mantissa, and a network is judged by what float32 loses.
            Self::Cuda if minor >= TF32_OPTION => &[("use_tf32", "0")],
            // The number of threads holds for every engine.
            Self::OpenVino => &[("device_type", "CPU"), ("num_of_threads", &threads)],
            Self::Xnnpack => &[("intra_op_num_threads", &threads)],
            Self::Cpu | Self::Cuda | Self::TensorRt | Self::Dnnl | Self::Other(_) => &[],
        };
        let mut options = given.clone();
        for (key, value) in defaults {
            options.entry((*key).to_owned()).or_insert_with(|| (*value).to_owned());
        }
        options
    }

    /// Adds the provider to a session's options. That it cannot be added is an error.
    pub(crate) fn register(
        &self,
        builder: &mut SessionBuilder,
        minor: u32,
        threads: usize,
        options: &ProviderOptions,
    ) -> ort::Result<()> {
        let options = &self.with_defaults(minor, threads, options);
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => configured(CUDA::default(), options).register(builder),
            Self::TensorRt => configured(TensorRT::default(), options).register(builder),
            Self::Dnnl => configured(OneDNN::default(), options).register(builder),
            Self::OpenVino => configured(OpenVINO::default(), options).register(builder),
            Self::Xnnpack => configured(XNNPACK::default(), options).register(builder),
            Self::Other(name) => match name.as_str() {
                "cann" => by_name::append_cann(builder, options),
                "rocm" => by_name::append_rocm(builder, options),
                _ => by_name::append(builder, documented(name).map_or(name, |found| found.short), options),
            },
        }
    }
}

/// The version of ONNX Runtime, its second number, from which on the CUDA provider has the option `use_tf32`.
const TF32_OPTION: u32 = 18;

/// The names of those with a variant, in its order.
const VARIANTS: [&str; 6] = ["cpu", "cuda", "tensorrt", "dnnl", "openvino", "xnnpack"];

/// What is documented of a provider without a variant.
fn documented(name: &str) -> Option<&'static Documented> {
    DOCUMENTED.iter().find(|found| found.name == name)
}

/// The names of all that are known here, those with a variant first.
fn known() -> impl Iterator<Item = &'static str> {
    VARIANTS.into_iter().chain(DOCUMENTED.iter().map(|found| found.name))
}

fn configured<P: ArbitrarilyConfigurableExecutionProvider>(provider: P, options: &ProviderOptions) -> P {
    options.iter().fold(provider, |provider, (key, value)| provider.with_arbitrary_config(key, value))
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Provider> for String {
    fn from(provider: Provider) -> Self {
        provider.name().to_owned()
    }
}

impl TryFrom<String> for Provider {
    type Error = UnknownProvider;

    /// As [`from_str`](Self::from_str), but takes every name at its word.
    fn try_from(given: String) -> Result<Self, Self::Error> {
        let name = given.strip_suffix(SUFFIX).unwrap_or(&given);
        if !names::is_legal(name) {
            return Err(UnknownProvider::Illegal { name: given });
        }
        let small = name.to_ascii_lowercase();
        let known = Self::KNOWN.into_iter().find(|provider| provider.name() == small);
        Ok(known.unwrap_or_else(|| match documented(&small) {
            Some(_) => Self::Other(small),
            None => Self::Other(name.to_owned()),
        }))
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    /// The name here, `cuda`, or the runtime's own, `CUDAExecutionProvider`. One that is not known goes to the runtime as it
    /// is, unless it is nearly a known one; the runtime's own name of a provider is always taken at its word.
    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let provider = Self::try_from(given.to_owned())?;
        match &provider {
            Self::Other(name) if name == given && documented(name).is_none() => match names::meant(name, known()) {
                Some(meant) => Err(UnknownProvider::Misspelt { name: given.to_owned(), meant }),
                None => Ok(provider),
            },
            _ => Ok(provider),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_go_by_their_names_and_the_runtimes_own() {
        for provider in Provider::KNOWN {
            assert_eq!(provider.name().parse(), Ok(provider.clone()));
            assert_eq!(provider.runtime_name().parse(), Ok(provider));
        }
        assert!(Provider::KNOWN.iter().map(Provider::name).eq(VARIANTS));
        for found in &DOCUMENTED {
            assert_eq!(found.name.parse(), Ok(Provider::Other(found.name.to_owned())));
            assert!(Provider::Other(found.name.to_owned()).is_called(found.runtime));
        }
    }

    #[test]
    fn the_list_is_open_and_a_slip_is_none_of_it() {
        let parsed = |name: &str| name.parse::<Provider>();
        assert_eq!(parsed("CoreMLExecutionProvider"), Ok(Provider::Other("coreml".to_owned())));
        let new = parsed("Abacus").unwrap();
        assert_eq!((new.name(), new.runtime_name().as_str()), ("Abacus", "AbacusExecutionProvider"));
        assert_eq!(parsed("cdua").unwrap_err().to_string(), "there is no provider `cdua`; did you mean `cuda`?");
        assert_eq!(parsed("rocn").unwrap_err().to_string(), "there is no provider `rocn`; did you mean `rocm`?");
        assert_eq!(parsed("rocnExecutionProvider"), Ok(Provider::Other("rocn".to_owned())));
        assert!(parsed("a b").unwrap_err().to_string().starts_with("`a b` is no name of a provider"));
        assert!(parsed("ExecutionProvider").is_err() && parsed("").is_err());
    }

    #[test]
    fn options_have_defaults_that_the_user_may_override() {
        let with = |provider: Provider, given: &[(&str, &str)]| {
            let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let options = provider.with_defaults(32, 2, &given).into_iter();
            options.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(with(Provider::Cuda, &[]), "use_tf32=0");
        assert_eq!(with(Provider::Cuda, &[("use_tf32", "1"), ("device_id", "1")]), "device_id=1 use_tf32=1");
        assert!(Provider::Cuda.with_defaults(17, 2, &ProviderOptions::new()).is_empty());
        assert_eq!(with(Provider::OpenVino, &[("device_type", "GPU")]), "device_type=GPU num_of_threads=2");
        assert_eq!(with(Provider::Xnnpack, &[]), "intra_op_num_threads=2");
        assert_eq!(with(Provider::TensorRt, &[("trt_fp16_enable", "1")]), "trt_fp16_enable=1");
    }

    #[test]
    fn a_provider_is_its_name_in_json() {
        for name in ["tensorrt", "openvino", "qnn", "Abacus", "rocn"] {
            let provider = Provider::try_from(name.to_owned()).unwrap();
            let json = serde_json::to_string(&provider).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Provider>(&json).unwrap(), provider);
        }
    }
}
