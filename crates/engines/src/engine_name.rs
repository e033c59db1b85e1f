//! Engines by the names that a user gives them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::provider::{Provider, UnknownProvider, meant};
use crate::worker::TRACT;

/// An engine by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A framework, which runs networks from their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// Burn.
    Burn,
    /// candle.
    Candle,
}

impl Framework {
    /// Its name as an engine.
    pub fn name(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Candle => "candle",
        }
    }
}

/// A name that is no engine's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEngine {
    /// It is like none, or nearly that of one.
    #[error("there is no engine `{name}`; {}", instead(meant.as_deref()))]
    Engine {
        /// The name.
        name: String,
        /// The engine that was meant, if one is like it.
        meant: Option<String>,
    },
    /// ONNX Runtime is asked for with what is no provider.
    #[error(transparent)]
    Provider(#[from] UnknownProvider),
}

/// What to ask for instead.
fn instead(meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}, and ort: with any other provider of ONNX Runtime", known()),
    }
}

fn known() -> String {
    let providers = Provider::KNOWN.into_iter().map(EngineName::Ort);
    let names = [EngineName::Burn, EngineName::Candle, EngineName::Tract].into_iter().chain(providers);
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burn => f.write_str("burn"),
            Self::Candle => f.write_str(Framework::Candle.name()),
            Self::Tract => f.write_str(TRACT),
            Self::Ort(provider) => f.write_str(&provider.engine_name()),
        }
    }
}

impl FromStr for EngineName {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.strip_prefix("ort:") {
            Some(provider) => Ok(Self::Ort(provider.parse()?)),
            None if name == Framework::Candle.name() => Ok(Self::Candle),
            None if name == TRACT => Ok(Self::Tract),
            None if name == "burn" => Ok(Self::Burn),
            None => Err(UnknownEngine::Engine { name: name.to_owned(), meant: like(name) }),
        }
    }
}

/// The engine that a name was meant to be: the same in small letters, a framework, or a provider without `ort:` before it.
fn like(name: &str) -> Option<String> {
    let small = name.to_ascii_lowercase();
    if small != name && small.parse::<EngineName>().is_ok() {
        return Some(small);
    }
    let framework = meant(name, ["burn", Framework::Candle.name(), TRACT]).map(str::to_owned);
    framework
        .or_else(|| meant(name, Provider::KNOWN.iter().map(Provider::name)).map(|provider| format!("ort:{provider}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_go_by_their_names() {
        for name in ["burn", "candle", "tract", "ort:cpu", "ort:openvino", "ort:coreml"] {
            assert_eq!(name.parse::<EngineName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_is_no_engine_is_told_with_what_was_meant() {
        for (name, message) in [
            ("cpu", "there is no engine `cpu`; did you mean `ort:cpu`?"),
            ("Burn", "there is no engine `Burn`; did you mean `burn`?"),
            ("ORT:CPU", "there is no engine `ORT:CPU`; did you mean `ort:cpu`?"),
            ("tracr", "there is no engine `tracr`; did you mean `tract`?"),
            ("ort:cdua", "there is no provider `cdua`; did you mean `cuda`?"),
            ("ort:gpu", "there is no provider `gpu`; did you mean `cuda`?"),
            ("ort:", "`` is no name of a provider, which has letters, digits, `_` and `-` alone"),
        ] {
            assert_eq!(name.parse::<EngineName>().unwrap_err().to_string(), message);
        }
        for name in ["onnxruntime", ""] {
            let message = name.parse::<EngineName>().unwrap_err().to_string();
            let start = format!("there is no engine `{name}`; there are burn, candle, tract, ort:cpu, ");
            assert!(message.starts_with(&start) && message.contains("any other provider"), "{message}");
        }
    }
}
