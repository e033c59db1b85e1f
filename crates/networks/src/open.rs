//! From the name of a network to its code.

use catalogue::NetworkId;
use engines::engine::{Engine, EngineError};
use engines::engine_name::Framework;
use engines::worker::{EngineSpec, FrameworkSpec, Opened, Origin};

use crate::engine::BurnEngine;

/// Evaluates an expression in which a type stands for the network of an id: the one place where a name becomes code.
#[macro_export]
macro_rules! with_network {
    ($id:expr, $network:ident => $result:expr) => {
        match $id {
            $crate::NetworkId::Mnist => {
                type $network = $crate::MnistCnn;
                $result
            }
            $crate::NetworkId::Alexnet => {
                type $network = $crate::AlexNet;
                $result
            }
            $crate::NetworkId::EfficientnetLite0 => {
                type $network = $crate::EfficientNetLite0;
                $result
            }
            $crate::NetworkId::BertQa => {
                type $network = $crate::BertForQuestionAnswering;
                $result
            }
            $crate::NetworkId::Encoder | $crate::NetworkId::Minilm => {
                type $network = $crate::Encoder;
                $result
            }
        }
    };
}

/// Opens a network in Burn. It computes on the threads of the process, which [`engines::threads`] bounds.
///
/// # Errors
/// When there is no such network, or its weights cannot be loaded.
pub fn open(spec: &EngineSpec) -> Result<Opened, EngineError> {
    let network = match spec {
        EngineSpec::Framework(network) if network.framework == Framework::Burn => network,
        _ => return Err(spec.not_here()),
    };
    let id = NetworkId::named(&network.network).ok_or_else(|| spec.not_here())?;
    let engine = with_network!(id, N => boxed(BurnEngine::<N>::open(network)?));
    Ok(Opened { engine, origin: Origin::Crate("Burn", "burn"), metadata: None })
}

fn boxed(engine: impl Engine + 'static) -> Box<dyn Engine> {
    Box::new(engine)
}

/// The specification of a network in Burn in float32, on one thread, with its configuration beside its weights.
pub fn burn(id: NetworkId, weights: engines::worker::Weights, folder: Option<std::path::PathBuf>) -> FrameworkSpec {
    FrameworkSpec {
        framework: Framework::Burn,
        network: id.card().name.to_owned(),
        weights,
        folder,
        threads: 1,
        exact: false,
    }
}
