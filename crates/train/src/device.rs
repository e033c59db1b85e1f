//! Where a training's arithmetic is done.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Where the arithmetic is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The CPU, through Burn's flex backend.
    Flex,
    /// An NVIDIA GPU, through Burn's CUDA backend.
    Cuda,
    /// Any GPU through Vulkan, Metal or DirectX 12, by Burn's wgpu backend.
    Wgpu,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flex => "flex",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
        })
    }
}

impl From<cli::train::Device> for DeviceKind {
    fn from(device: cli::train::Device) -> Self {
        match device {
            cli::train::Device::Flex => Self::Flex,
            cli::train::Device::Cuda => Self::Cuda,
            cli::train::Device::Wgpu => Self::Wgpu,
        }
    }
}

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This program was built without the backend.
    #[error(
        "this program was built without {}: `cargo xtask train --device {kind}` builds one with it and trains on the GPU, \
         --device flex trains on the CPU",
        kind.backend()
    )]
    NotBuilt {
        /// What was asked for.
        kind: DeviceKind,
    },
    /// The backend does not work on this machine.
    #[error("{} cannot be used: {}, or train with --device flex ({reason})", kind.backend(), kind.needs())]
    Unusable {
        /// What was asked for.
        kind: DeviceKind,
        /// What the backend says.
        reason: String,
    },
}

impl DeviceKind {
    /// The device, once it was seen to work.
    ///
    /// # Errors
    /// When this program has no backend for it, or the backend does not work here.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => self.tried(|| Device::cuda(0)),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => self.tried(|| Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[allow(unreachable_patterns, reason = "a build may have all backends")]
            kind => Err(DeviceError::NotBuilt { kind }),
        }
    }

    /// What people call it.
    fn backend(self) -> &'static str {
        match self {
            Self::Flex => "the CPU",
            Self::Cuda => "CUDA",
            Self::Wgpu => "wgpu",
        }
    }

    /// What a machine needs for it, as advice.
    fn needs(self) -> &'static str {
        match self {
            Self::Flex => "it needs nothing",
            Self::Cuda => "install NVIDIA's driver and CUDA's runtime compiler",
            Self::Wgpu => "install a driver for Vulkan, such as Debian's mesa-vulkan-drivers",
        }
    }

    /// A device after a small sum on it: libraries are loaded at the first use, and Burn panics where they are missing.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn tried(self, device: impl FnOnce() -> Device + std::panic::UnwindSafe) -> Result<Device, DeviceError> {
        use std::panic;

        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let sum = panic::catch_unwind(|| {
            let device = device();
            let sum = burn::tensor::Tensor::<1>::ones([2], &device).sum().try_into_scalar::<f32>();
            sum.map(|sum| (device, sum)).map_err(|error| error.to_string())
        });
        panic::set_hook(hook);
        let reason = match sum {
            Ok(Ok((device, 2.0))) => return Ok(device),
            Ok(Ok((_, sum))) => format!("it says that 1 + 1 is {sum}"),
            Ok(Err(reason)) => reason,
            Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                (Some(reason), _) => reason.clone(),
                (_, Some(reason)) => (*reason).to_owned(),
                _ => "it gives no reason".to_owned(),
            },
        };
        Err(DeviceError::Unusable { kind: self, reason: reason.split_whitespace().collect::<Vec<_>>().join(" ") })
    }
}
