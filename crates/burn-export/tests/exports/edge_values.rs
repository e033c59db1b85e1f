//! Zeros of both signs, infinities, NaN, and the largest and smallest floats, in every float input of every row.
//!
//! Results must be NaN, infinite or zero with the same sign where Burn's are. `lists/edge_values.txt` says where they are
//! not, and in what they differ; `docs/limits.md` says why.

use std::collections::BTreeSet;

use burn::tensor::{DType, TensorData};

use crate::agreement::{Failure, Stop, load, tolerance};
use crate::element_types;
use crate::lists::{self, numbers};
use crate::support::{Difference, Random};
use crate::table::case::{Case, Elements, Kind, OPSETS, elements};
use crate::table::{Row, rows};

/// Numbers that go into every float input at once.
const CLASSES: [(&str, [f32; 6]); 4] = [
    ("zeros", [0.0, -0.0, 1.0, -1.0, 0.5, -2.0]),
    ("infinities", [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1.5, -2.0]),
    ("NaN", [f32::NAN, 1.0, -1.0, 0.0, 0.5, -3.0]),
    ("extremes", [f32::MAX, f32::MIN, f32::MIN_POSITIVE, -1e-40, 1e-45, 2.0]),
];

/// Enough elements that each number meets each other.
const SIZES: [usize; 4] = [97, 5, 6, 7];

/// The float types that ONNX Runtime has kernels for.
const TYPES: [DType; 3] = [DType::F32, DType::F64, DType::F16];

#[test]
fn edge_values_agree_but_for_the_listed() {
    let (mut lines, mut details) = (Vec::new(), Vec::new());
    for row in rows().iter().filter(|row| Case::new(row).has(Kind::Float)) {
        for (class, edges) in CLASSES {
            let mut stops: Vec<(String, Vec<i64>, Vec<String>)> = Vec::new();
            for float in TYPES {
                for (what, opsets) in stops_of(row, float, class, &edges, &mut details) {
                    let name = element_types::name(float);
                    match stops.iter_mut().find(|(other, others, _)| *other == what && *others == opsets) {
                        Some((_, _, types)) => types.push(name),
                        None => stops.push((what, opsets, vec![name])),
                    }
                }
            }
            lines.extend(stops.into_iter().map(|(what, opsets, types)| {
                format!("{} | {class} | {} | {} | {what}", row.name, types.join(" "), numbers(&opsets))
            }));
        }
    }
    lists::check_on_this_processor("edge_values.txt", &lines, &details);
}

/// In what a row differs in a float type, and at which opsets. What has no kernel is in the list of types.
fn stops_of(
    row: &Row,
    float: DType,
    class: &str,
    edges: &[f32; 6],
    details: &mut Vec<String>,
) -> Vec<(String, Vec<i64>)> {
    let mut stops: Vec<(String, Vec<i64>)> = Vec::new();
    for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
        let what = match run(row, float, edges, opset) {
            Err((Failure::Differs, text)) => {
                details.push(format!("{} of {class} in {float:?} at opset {opset}: {text}", row.name));
                text.lines().next().unwrap_or_default().to_string()
            }
            Ok(()) => continue,
            Err((Failure::NoKernel | Failure::Fails, _)) if float != DType::F32 => continue,
            Err((other, text)) => panic!("{} of {class} in {float:?} at opset {opset}: {other}: {text}", row.name),
        };
        match stops.iter_mut().find(|(other, _)| *other == what) {
            Some((_, opsets)) => opsets.push(opset),
            None => stops.push((what, vec![opset])),
        }
    }
    stops
}

fn run(row: &Row, float: DType, edges: &[f32; 6], opset: i64) -> Result<(), Stop> {
    let case = Case { float, ..Case::new(row) };
    let mut loaded = load(&case, opset)?;
    let data = inputs(&case, edges);
    let wide = Case { float: DType::F64, ..Case::new(row) };
    let exact = wide.native(&inputs(&wide, edges)).unwrap_or_default();
    let tolerance = tolerance(&case);
    loaded.compare(&case, &data, |position, found, expected| differs(found, expected, exact.get(position), tolerance))
}

/// The numbers of a class, in any order, in every float input.
fn inputs(case: &Case<'_>, numbers: &[f32; 6]) -> Vec<TensorData> {
    let mut random = Random(case.row.name.len() as u64);
    case.filled(&SIZES, |values, count| match values.kind() {
        Kind::Float => {
            let pick = |_| numbers[(random.next() * numbers.len() as f64) as usize % numbers.len()];
            Elements::Floats((0..count).map(pick).collect())
        }
        _ => elements(values, count, &mut random),
    })
}

/// In what the elements differ, each way named once.
///
/// Where Burn's own result is far from that in 64 bits, a sum has left the range of the type, and the order of its terms
/// decides what comes out: such elements are not judged.
fn differs(
    found: &TensorData,
    expected: &TensorData,
    exact: Option<&TensorData>,
    tolerance: f64,
) -> Option<Difference> {
    if found.shape() != expected.shape() {
        return Some(Difference::Elements(format!("shape {:?} instead of {:?}", found.shape(), expected.shape())));
    }
    let near = |left: f64, right: f64, tolerance: f64| {
        let near = right.is_finite() && (left - right).abs() <= tolerance * (1.0 + right.abs());
        left == right || (left.is_nan() && right.is_nan()) || near
    };
    let exact = exact.unwrap_or(expected).iter::<f64>();
    let triples = found.iter::<f64>().zip(expected.iter::<f64>()).zip(exact);
    let ways: BTreeSet<&str> = triples
        .filter(|((_, expected), exact)| near(*expected, *exact, 1e-2))
        .filter_map(|((left, right), _)| {
            let other_sign = left == 0.0 && right == 0.0 && left.is_sign_negative() != right.is_sign_negative();
            match (left, right) {
                _ if other_sign => Some("the sign of zero"),
                _ if near(left, right, tolerance) => None,
                _ if left.is_nan() => Some("NaN for a number"),
                _ if right.is_nan() => Some("a number for NaN"),
                _ if left.is_infinite() || right.is_infinite() => Some("an infinity"),
                _ => Some("another number"),
            }
        })
        .collect();
    (!ways.is_empty()).then(|| Difference::Elements(ways.into_iter().collect::<Vec<_>>().join(", ")))
}
