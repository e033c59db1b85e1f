//! Engines by the names that a user gives them.

use std::fmt;
use std::str::FromStr;

use crate::provider::Provider;
use crate::{candle_bert, tract_engine};

/// An engine by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    /// Burn: `burn`.
    Burn,
    /// candle: `candle`.
    Candle,
    /// tract: `tract`.
    Tract,
    /// ONNX Runtime with a provider: `ort:cpu`.
    Ort(Provider),
}

/// A name that is no engine's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no engine `{name}`; there are {}", known())]
pub struct UnknownEngine {
    /// The name.
    pub name: String,
}

fn known() -> String {
    let providers = Provider::ALL.into_iter().map(EngineName::Ort);
    let names = [EngineName::Burn, EngineName::Candle, EngineName::Tract].into_iter().chain(providers);
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burn => f.write_str("burn"),
            Self::Candle => f.write_str(candle_bert::NAME),
            Self::Tract => f.write_str(tract_engine::NAME),
            Self::Ort(provider) => f.write_str(&provider.engine_name()),
        }
    }
}

impl FromStr for EngineName {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownEngine { name: name.to_owned() };
        match name.strip_prefix("ort:") {
            Some(provider) => provider.parse().map(Self::Ort).map_err(|_| unknown()),
            None if name == candle_bert::NAME => Ok(Self::Candle),
            None if name == tract_engine::NAME => Ok(Self::Tract),
            None if name == "burn" => Ok(Self::Burn),
            None => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_go_by_their_names() {
        for name in ["burn", "candle", "tract", "ort:cpu", "ort:openvino"] {
            assert_eq!(name.parse::<EngineName>().unwrap().to_string(), name);
        }
        for name in ["cpu", "ort:", "ort:gpu", "Burn", ""] {
            let message = name.parse::<EngineName>().unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("there is no engine `{name}`; there are burn, candle, tract, ort:cpu, "))
            );
        }
    }
}
