//! The operator table against ONNX's published changelog (docs/Changelog.md of onnx/onnx).

use onnx_model::schema::{self, Arity, AttributeKind};
use onnx_model::{Attribute, DataType};

/// The opset that changed an operator last, as seen from an exporter's opsets.
#[test]
fn versions_are_those_of_the_changelog() {
    for (op, opset, since) in [
        ("Clip", 10, Some(6)),
        ("Clip", 11, Some(11)),
        ("Slice", 9, Some(1)),
        ("Upsample", 9, Some(9)),
        ("Resize", 10, Some(10)),
        ("BatchNormalization", 8, Some(7)),
        ("Where", 8, None),
        ("Clip", 21, Some(13)),
        ("Squeeze", 12, Some(11)),
        ("Squeeze", 13, Some(13)),
        ("ReduceSum", 12, Some(11)),
        ("ReduceSum", 18, Some(13)),
        ("ReduceMax", 17, Some(13)),
        ("ReduceMax", 18, Some(18)),
        ("Softmax", 11, Some(11)),
        ("Softmax", 17, Some(13)),
        ("LayerNormalization", 16, None),
        ("LayerNormalization", 17, Some(17)),
        ("Gelu", 19, None),
        ("Gelu", 21, Some(20)),
        ("Attention", 22, None),
        ("Attention", 23, Some(23)),
        ("RotaryEmbedding", 23, Some(23)),
        // Withdrawn in hindsight: scale and bias were per group.
        ("GroupNormalization", 20, None),
        ("GroupNormalization", 21, Some(21)),
        ("Upsample", 11, None),
        ("Scatter", 11, None),
        ("NoSuchOperator", 11, None),
    ] {
        assert_eq!(schema::find(op, opset).map(|schema| schema.since), since, "{op} at opset {opset}");
    }
}

#[test]
fn axes_move_from_attribute_to_input() {
    let before = schema::find("Unsqueeze", 12).expect("an operator");
    assert!(before.attribute("axes").is_some_and(|axes| axes.required && axes.kind == AttributeKind::Ints));
    assert_eq!((before.min_inputs(), before.max_inputs()), (1, Some(1)));
    let after = schema::find("Unsqueeze", 13).expect("an operator");
    assert!(after.attribute("axes").is_none());
    assert_eq!((after.min_inputs(), after.max_inputs()), (2, Some(2)));
}

#[test]
fn signatures_keep_defaults_types_and_arities() {
    let gemm = schema::find("Gemm", 13).expect("an operator");
    assert_eq!(gemm.attribute("alpha").and_then(|alpha| alpha.default.clone()), Some(Attribute::Float(1.0)));
    assert_eq!(gemm.inputs[2].arity, Arity::Optional);
    assert!(gemm.inputs[0].types.contains(DataType::BF16) && !gemm.inputs[0].types.contains(DataType::Bool));
    let concat = schema::find("Concat", 13).expect("an operator");
    assert_eq!(concat.inputs[0].arity, Arity::Variadic { min: 1, homogeneous: true });
    assert_eq!((concat.min_inputs(), concat.max_inputs()), (1, None));
    let lstm = schema::find("LSTM", 14).expect("an operator");
    assert_eq!((lstm.min_inputs(), lstm.max_inputs()), (3, Some(8)));
    assert_eq!((lstm.min_outputs(), lstm.max_outputs()), (0, Some(3)));
    let slice = schema::find("Slice", 11).expect("an operator");
    assert_eq!((slice.min_inputs(), slice.max_inputs()), (3, Some(5)));
    let resize = schema::find("Resize", 11).expect("an operator");
    assert_eq!(resize.attribute("cubic_coeff_a").and_then(|a| a.default.clone()), Some(Attribute::Float(-0.75)));
}
