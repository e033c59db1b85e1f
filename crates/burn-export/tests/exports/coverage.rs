//! `docs/operators.md`: which of Burn's operations export from which opset, taken from the operator table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use burn_export::{ExportError, Opset};

use crate::agreement::Failure;
use crate::element_types::{self, Stop};
use crate::table::case::{Case, Kind};
use crate::table::{Row, rows};

/// Burn's operations at 0.22.1 that take part in inference, by kind, as `burn::backend::ir` names them.
const OPERATIONS: [(&str, &[&str], &[&str]); 7] = [
    (
        "Base",
        &["BaseFloat", "BaseInt", "BaseBool"],
        &[
            "Reshape",
            "SwapDims",
            "Permute",
            "Flip",
            "Expand",
            "Unfold",
            "Slice",
            "SliceAssign",
            "Select",
            "SelectAssign",
            "MaskWhere",
            "MaskFill",
            "Gather",
            "Scatter",
            "ScatterNd",
            "GatherNd",
            "Equal",
            "EqualElem",
            "RepeatDim",
            "Cat",
            "Cast",
            "Empty",
            "Ones",
            "Zeros",
            "NotEqual",
            "NotEqualElem",
            "All",
            "Any",
            "AllDim",
            "AnyDim",
        ],
    ),
    (
        "Numeric",
        &["NumericFloat", "NumericInt"],
        &[
            "Add",
            "AddScalar",
            "Sub",
            "SubScalar",
            "Div",
            "DivScalar",
            "Rem",
            "RemScalar",
            "Mul",
            "MulScalar",
            "Abs",
            "Full",
            "MeanDim",
            "Mean",
            "Sum",
            "SumDim",
            "SumDims",
            "Prod",
            "ProdDim",
            "Greater",
            "GreaterElem",
            "GreaterEqual",
            "GreaterEqualElem",
            "Lower",
            "LowerElem",
            "LowerEqual",
            "LowerEqualElem",
            "ArgMax",
            "ArgTopK",
            "TopK",
            "TopKWithIndices",
            "ArgMin",
            "Max",
            "MaxDimWithIndices",
            "MinDimWithIndices",
            "Min",
            "MaxDim",
            "MinDim",
            "MaxAbs",
            "MaxAbsDim",
            "Clamp",
            "IntRandom",
            "Powi",
            "PowiScalar",
            "CumSum",
            "CumProd",
            "CumMin",
            "CumMax",
            "Neg",
            "Sign",
            "ClampMin",
            "ClampMax",
            "Sort",
            "SortWithIndices",
            "ArgSort",
            "Pad",
        ],
    ),
    (
        "Float",
        &["Float"],
        &[
            "Exp",
            "Log",
            "Log1p",
            "Erf",
            "PowfScalar",
            "Sqrt",
            "Cos",
            "Cosh",
            "Sin",
            "Sinh",
            "Tan",
            "Tanh",
            "ArcCos",
            "ArcCosh",
            "ArcSin",
            "ArcSinh",
            "ArcTan",
            "ArcTanh",
            "ArcTan2",
            "Round",
            "Floor",
            "Ceil",
            "Trunc",
            "IntoInt",
            "Matmul",
            "Cross",
            "Random",
            "Recip",
            "IsNan",
            "IsInf",
            "Quantize",
            "Dequantize",
            "GridSample2d",
            "Powf",
            "Hypot",
        ],
    ),
    (
        "Int",
        &["Int"],
        &[
            "IntoFloat",
            "BitwiseAnd",
            "BitwiseAndScalar",
            "BitwiseOr",
            "BitwiseOrScalar",
            "BitwiseXor",
            "BitwiseXorScalar",
            "BitwiseNot",
            "BitwiseLeftShift",
            "BitwiseLeftShiftScalar",
            "BitwiseRightShift",
            "BitwiseRightShiftScalar",
            "Matmul",
        ],
    ),
    ("Bool", &["Bool"], &["IntoFloat", "IntoInt", "Not", "And", "Or", "Xor"]),
    (
        "Activation",
        &["Activation"],
        &[
            "Relu",
            "LeakyRelu",
            "PRelu",
            "Gelu",
            "Sigmoid",
            "HardSigmoid",
            "LogSigmoid",
            "Softmax",
            "LogSoftmax",
            "Softmin",
        ],
    ),
    (
        "Module",
        &["Module"],
        &[
            "BatchNorm",
            "Embedding",
            "Linear",
            "Conv1d",
            "Conv2d",
            "Conv3d",
            "DeformableConv2d",
            "ConvTranspose1d",
            "ConvTranspose2d",
            "ConvTranspose3d",
            "AvgPool1d",
            "AvgPool2d",
            "AdaptiveAvgPool1d",
            "AdaptiveAvgPool2d",
            "AdaptiveAvgPool3d",
            "MaxPool1d",
            "MaxPool1dWithIndices",
            "MaxPool2d",
            "MaxPool2dWithIndices",
            "Interpolate",
            "Attention",
            "CtcLoss",
            "LayerNorm",
            "Unfold4d",
        ],
    ),
];

/// Operations that are refused by name at every opset, and why.
const REFUSED: [(&str, &str); 5] = [
    ("Numeric::IntRandom", "training only"),
    ("Float::Random", "training only"),
    ("Float::Quantize", "quantised tensors"),
    ("Float::Dequantize", "quantised tensors"),
    ("Module::CtcLoss", "training only"),
];

/// Operations that Burn's recording never holds: it writes them as others, which export.
const DECOMPOSED: [(&str, &str); 3] = [
    ("Float::IsNan", "recorded as `NotEqual`"),
    ("Float::IsInf", "recorded as `Abs` and `EqualElem`"),
    ("Module::Linear", "recorded as `Matmul` and `Add`"),
];

/// What burn-onnx 0.22.0 lowers (feature `export`, opset 18 only), read from its `src/export/lower`.
const BURN_ONNX: [&str; 40] = [
    "Activation::Relu",
    "Activation::Sigmoid",
    "Base::Cat",
    "Base::Ones",
    "Base::Reshape",
    "Base::Scatter",
    "Base::Select",
    "Base::Slice",
    "Base::Zeros",
    "Float::Exp",
    "Float::Log",
    "Float::Matmul",
    "Float::Sqrt",
    "Float::Tanh",
    "Int::Matmul",
    "Module::AdaptiveAvgPool2d",
    "Module::AvgPool2d",
    "Module::BatchNorm",
    "Module::Conv1d",
    "Module::Conv2d",
    "Module::Interpolate",
    "Module::Linear",
    "Module::MaxPool2d",
    "Numeric::Abs",
    "Numeric::Add",
    "Numeric::AddScalar",
    "Numeric::ArgMax",
    "Numeric::ArgMin",
    "Numeric::Div",
    "Numeric::DivScalar",
    "Numeric::Full",
    "Numeric::MaxDimWithIndices",
    "Numeric::MinDimWithIndices",
    "Numeric::Mul",
    "Numeric::MulScalar",
    "Numeric::Neg",
    "Numeric::Pad",
    "Numeric::Sub",
    "Numeric::SubScalar",
    "Numeric::SumDim",
];

/// What is known of one of Burn's operations.
#[derive(Default)]
struct Support {
    /// Whether some row with it exports, by opset from 11.
    opsets: [bool; Opset::ALL.len()],
    /// The element types in which some row with it exports at the highest opset, and whether ONNX Runtime ran it with
    /// Burn's results.
    types: BTreeMap<String, bool>,
}

/// For each of Burn's operations what the rows with it do.
fn support() -> BTreeMap<String, Support> {
    let mut support: BTreeMap<String, Support> = BTreeMap::new();
    let stops = element_types::stops();
    for row in rows() {
        let mut names: Vec<String> = Vec::new();
        let mut exports = [false; Opset::ALL.len()];
        for (column, opset) in Opset::ALL.into_iter().enumerate() {
            match Case::new(&row).export(opset) {
                Ok(model) => {
                    exports[column] = true;
                    names = model.report().operations.keys().cloned().collect();
                }
                Err(ExportError::OpsetTooLow { .. }) => {}
                Err(other) => panic!("{}: {other}", row.name),
            }
        }
        for name in names {
            let entry = support.entry(kind(&name)).or_default();
            entry.opsets.iter_mut().zip(exports).for_each(|(all, this)| *all |= this);
            for (ty, runs) in types(&row, &name, &stops) {
                *entry.types.entry(ty).or_default() |= runs;
            }
        }
    }
    support
}

/// The element types that an operation of a row has, and whether it runs in them.
fn types(row: &Row, operation: &str, stops: &[Stop]) -> Vec<(String, bool)> {
    let group = operation.split_once("::").map_or(operation, |(group, _)| group);
    let (kind, own) = match group {
        "BaseInt" | "NumericInt" | "Int" => (Kind::Int, "int64"),
        "BaseBool" | "Bool" => return vec![("bool".to_string(), true)],
        _ => (Kind::Float, "f32"),
    };
    let others =
        element_types::variants(row).into_iter().filter(|(dtype, _)| dtype.is_float() == (kind == Kind::Float));
    let others = others.filter_map(|(dtype, _)| {
        let name = element_types::name(dtype);
        let stop = stops.iter().find(|stop| stop.stops(row.name, &name, 21));
        match stop {
            None => Some((name, true)),
            Some(stop) => (stop.reason == Failure::NoKernel.to_string()).then_some((name, false)),
        }
    });
    others.chain([(own.to_string(), true)]).collect()
}

/// Types in the order of their widths, those that no kernel was found for in brackets.
fn types_text(types: &BTreeMap<String, bool>) -> String {
    const FLOATS: &[&str] = &["f64", "f32", "f16", "bf16"];
    const SIGNED: &[&str] = &["int64", "int32", "int16", "int8"];
    const UNSIGNED: &[&str] = &["uint64", "uint32", "uint16", "uint8"];
    let integers = [SIGNED, UNSIGNED].concat().join(" ");
    let listed = |names: &[&str], runs: bool| {
        let names = names.iter().copied().filter(|name| types.get(*name) == Some(&runs)).collect::<Vec<_>>().join(" ");
        names.replace(&integers, "all integers")
    };
    let all: Vec<&str> = [FLOATS, SIGNED, UNSIGNED, &["bool"]].concat();
    let (runs, written) = (listed(&all, true), listed(&all, false));
    if written.is_empty() { runs } else { format!("{runs} ({written})") }
}

/// `Base::Add` for `BaseFloat::Add`.
fn kind(name: &str) -> String {
    let (group, operation) = name.split_once("::").unwrap_or((name, ""));
    let kind = OPERATIONS.iter().find(|(_, groups, _)| groups.contains(&group)).map_or(group, |(kind, _, _)| *kind);
    format!("{kind}::{operation}")
}

#[test]
fn every_operation_exports_or_is_refused_by_name() {
    let support = support();
    let mut text = String::from(
        "# Operators\n\nWhich of Burn 0.22.1's inference operations export from which opset. A test writes this page from the \
         operator\ntable; every mark is an export that passed the checker, and at opsets 11, 13, 17, 21 and 28 one that\nONNX \
         Runtime ran with the results of Burn. The element types are those in which it did so at opset 21; in brackets\nthose that \
         ONNX's checker passes and ONNX Runtime has no CPU kernel for. What no row runs is in\n\
         `crates/burn-export/tests/exports/lists`.\nThe last column is what burn-onnx 0.22.0 exports (opset 18 only).\n\n\
         Gradients, distributed operations and training-only operations are refused by name.\n",
    );
    let mut missing = Vec::new();
    for (kind, _, operations) in OPERATIONS {
        let header: Vec<String> = Opset::ALL.iter().map(|opset| opset.to_string()).collect();
        let _ = write!(text, "\n## {kind}\n\n| operation | {} | element types | burn-onnx |\n", header.join(" | "));
        let _ = writeln!(text, "|---|{}---|---|", "---|".repeat(header.len()));
        for operation in operations {
            let name = format!("{kind}::{operation}");
            let peer = if BURN_ONNX.contains(&name.as_str()) { "yes" } else { "" };
            let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
            let cells: Vec<&str> = match (support.get(&name), refused) {
                (Some(found), None) => found.opsets.iter().map(|yes| if *yes { "yes" } else { "" }).collect(),
                (None, Some((_, why))) => {
                    let _ =
                        writeln!(text, "| {operation} (refused: {why}) |{} {peer} |", " |".repeat(header.len() + 1));
                    continue;
                }
                (Some(_), Some(_)) => panic!("{name} is said to be refused, and exports"),
                (None, None) if DECOMPOSED.iter().any(|(decomposed, _)| *decomposed == name) => {
                    let how = DECOMPOSED.iter().find(|(decomposed, _)| *decomposed == name).map_or("", |(_, how)| how);
                    let _ = writeln!(text, "| {operation} ({how}) |{} | {peer} |", " yes |".repeat(header.len()));
                    continue;
                }
                (None, None) => {
                    missing.push(name);
                    continue;
                }
            };
            let types = support.get(&name).map_or_else(String::new, |found| types_text(&found.types));
            let _ = writeln!(text, "| {operation} | {} | {types} | {peer} |", cells.join(" | "));
        }
    }
    assert!(missing.is_empty(), "no row of the operator table has {missing:?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/operators.md is out of date: run this test with UPDATE_DOCS=1");
}
