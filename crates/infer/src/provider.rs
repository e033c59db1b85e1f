//! ONNX Runtime's execution providers, by name and without fallback.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ort::ep::{ArbitrarilyConfigurableExecutionProvider, CUDA, ExecutionProvider, OneDNN, OpenVINO, TensorRT, XNNPACK};
use ort::session::builder::SessionBuilder;
use serde::{Deserialize, Serialize};

/// A part of ONNX Runtime that runs operations on some hardware or with some library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
}

/// Options of a provider by their names in ONNX Runtime's documentation.
pub type ProviderOptions = BTreeMap<String, String>;

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no provider that is known here; there are {}", Provider::names())]
pub struct UnknownProvider {
    /// The name.
    pub name: String,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Cpu, Self::Cuda, Self::TensorRt, Self::Dnnl, Self::OpenVino, Self::Xnnpack];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::Dnnl => "dnnl",
            Self::OpenVino => "openvino",
            Self::Xnnpack => "xnnpack",
        }
    }

    /// The name by which ONNX Runtime calls it, in profiles too.
    pub fn runtime_name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda => CUDA::NAME,
            Self::TensorRt => TensorRT::NAME,
            Self::Dnnl => OneDNN::NAME,
            Self::OpenVino => OpenVINO::NAME,
            Self::Xnnpack => XNNPACK::NAME,
        }
    }

    /// The engine that runs on it: `ort:openvino`.
    pub fn engine_name(self) -> String {
        format!("ort:{}", self.name())
    }

    /// How to get a library that has it.
    pub fn how_to_get(self) -> &'static str {
        match self {
            Self::Cpu => "cargo xtask fetch onnxruntime",
            Self::OpenVino => "cargo xtask fetch onnxruntime-openvino (Linux x86-64)",
            Self::Cuda => "cargo xtask fetch onnxruntime-gpu (Linux x86-64), an NVIDIA GPU, CUDA 13 and cuDNN 9",
            Self::TensorRt => {
                "cargo xtask fetch onnxruntime-gpu (Linux x86-64), an NVIDIA GPU, CUDA 13, cuDNN 9 and TensorRT 10"
            }
            Self::Dnnl | Self::Xnnpack => "on Debian 13: apt install libonnxruntime1.21",
        }
    }

    /// Whether the loaded library was built with it. Whether it works on this machine shows when it is used.
    ///
    /// # Errors
    /// When the library does not tell.
    pub fn is_compiled_in(self) -> ort::Result<bool> {
        match self {
            Self::Cpu => Ok(true),
            Self::Cuda => CUDA::is_available(),
            Self::TensorRt => TensorRT::is_available(),
            Self::Dnnl => OneDNN::is_available(),
            Self::OpenVino => OpenVINO::is_available(),
            Self::Xnnpack => XNNPACK::is_available(),
        }
    }

    /// Adds the provider to a session's options. That it cannot be added is an error.
    pub(crate) fn register(
        self,
        builder: &mut SessionBuilder,
        threads: usize,
        options: &ProviderOptions,
    ) -> ort::Result<()> {
        // The number of threads holds for every engine, unless an option says otherwise.
        let threads = threads.to_string();
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => configured(CUDA::default(), &[], options).register(builder),
            Self::TensorRt => configured(TensorRT::default(), &[], options).register(builder),
            Self::Dnnl => configured(OneDNN::default(), &[], options).register(builder),
            Self::OpenVino => {
                let defaults = [("device_type", "CPU"), ("num_of_threads", &threads)];
                configured(OpenVINO::default(), &defaults, options).register(builder)
            }
            Self::Xnnpack => {
                configured(XNNPACK::default(), &[("intra_op_num_threads", &threads)], options).register(builder)
            }
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

fn configured<P: ArbitrarilyConfigurableExecutionProvider>(
    provider: P,
    defaults: &[(&str, &str)],
    options: &ProviderOptions,
) -> P {
    let defaults = defaults.iter().filter(|(key, _)| !options.contains_key(*key)).copied();
    let given = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    defaults.chain(given).fold(provider, |provider, (key, value)| provider.with_arbitrary_config(key, value))
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|provider| provider.name() == name);
        found.ok_or_else(|| UnknownProvider { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_go_by_their_names() {
        for provider in Provider::ALL {
            assert_eq!(provider.name().parse(), Ok(provider));
        }
        let message = "gpu".parse::<Provider>().unwrap_err().to_string();
        assert_eq!(
            message,
            "`gpu` is no provider that is known here; there are cpu, cuda, tensorrt, dnnl, openvino, xnnpack"
        );
    }
}
