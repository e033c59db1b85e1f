//! The float64 rewrite of every model that ONNX accepts.

use std::collections::BTreeSet;

use float64::{Float64Error, to_float64};
use onnx_model::{DataType, Model};

use crate::models;

/// Whether a type is one of those that become `double`.
fn is_narrow(dtype: DataType) -> bool {
    matches!(dtype, DataType::F32 | DataType::F16 | DataType::BF16)
}

/// Operators of these models that have no form, each for a reason.
const WITHOUT: &[(&str, &str)] = &[
    ("Bernoulli", "random"),
    ("BitCast", "the bits of a float32 mean nothing in float64"),
    ("Col2Im", "no kernel, and no formula yet"),
    ("Det", "no kernel, and no formula yet"),
    ("GridSample", "some of the models sample integers and texts"),
    ("LRN", "one of the models has no channels"),
    ("MaxRoiPool", "no kernel, and no formula yet"),
    ("MaxUnpool", "no kernel, and no formula yet"),
    ("MeanVarianceNormalization", "one of the models has none of the axes"),
    ("Multinomial", "random"),
    ("RandomNormal", "random"),
    ("RandomNormalLike", "random"),
    ("RandomUniform", "random"),
    ("RandomUniformLike", "random"),
    ("RoiAlign", "no kernel from opset 22 on, and no formula yet"),
];

/// The models hold one or more of each version of each operator that the exporter emits.
#[test]
fn every_model_has_a_form_or_an_operator_that_is_named() {
    let (mut formed, mut failures, mut without) = (0, Vec::new(), BTreeSet::new());
    for (name, bytes) in models() {
        let Ok(model) = Model::decode(bytes) else { continue };
        if model.check().is_err() {
            continue;
        }
        match to_float64(&model) {
            Ok(exact) => {
                formed += 1;
                if let Err(error) = exact.check() {
                    failures.push(format!("{name}: {error}"));
                }
                let declared = exact.graph.inputs.iter().chain(&exact.graph.outputs);
                if declared.filter_map(|value| value.ty.as_ref()).any(|ty| is_narrow(ty.dtype)) {
                    failures.push(format!("{name}: an input or output is not double"));
                }
            }
            Err(Float64Error::Unsupported(found)) => {
                for found in found {
                    without.insert(found.op_type.clone());
                    if !WITHOUT.iter().any(|(op_type, _)| *op_type == found.op_type) {
                        failures.push(format!("{name}: {found}"));
                    }
                }
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(without.iter().map(String::as_str).eq(WITHOUT.iter().map(|(op_type, _)| *op_type)), "{without:?}");
    assert!(formed > 500, "{formed} models have a form");
}
