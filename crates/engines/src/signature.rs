//! Is a model file of the network that it is taken for?

use std::path::Path;

use crate::engine::{Dimension, Engine, EngineError, Signature, TensorInfo};

/// Refuses a model whose inputs and outputs are not those of `expected`. Named dimensions may have another name; `what`
/// is the network in words, such as `an AlexNet`.
///
/// # Errors
/// When names, element types or shapes differ; the message shows what the model has, and what is expected.
pub fn require(engine: &dyn Engine, model: &Path, expected: &Signature, what: &str) -> Result<(), EngineError> {
    let found = engine.signature();
    if same(&found.inputs, &expected.inputs) && same(&found.outputs, &expected.outputs) {
        return Ok(());
    }
    let listed = |tensors: &[TensorInfo]| tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(EngineError::Load {
        engine: engine.name().to_owned(),
        path: model.to_owned(),
        reason: format!(
            "it is not {what}: it takes ({}) and gives ({}) instead of ({}) and ({})",
            listed(&found.inputs),
            listed(&found.outputs),
            listed(&expected.inputs),
            listed(&expected.outputs),
        ),
    })
}

fn same(found: &[TensorInfo], expected: &[TensorInfo]) -> bool {
    let alike = |(found, expected): (&TensorInfo, &TensorInfo)| {
        let shapes = found.shape.len() == expected.shape.len()
            && found.shape.iter().zip(&expected.shape).all(|(found, expected)| fits(found, expected));
        found.name == expected.name && found.element == expected.element && shapes
    };
    found.len() == expected.len() && found.iter().zip(expected).all(alike)
}

fn fits(found: &Dimension, expected: &Dimension) -> bool {
    match expected {
        Dimension::Fixed(_) => found == expected,
        Dimension::Named(_) | Dimension::Unknown => !matches!(found, Dimension::Fixed(_)),
    }
}
