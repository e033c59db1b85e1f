//! Every operation, exported at every opset, run by ONNX Runtime and compared with Burn.

use std::collections::BTreeSet;

use crate::support::{Random, Runner, difference};
use crate::table::{Argument, Row, Values, rows};
use burn::tensor::{BoolStore, DType, Device, TensorData};
use burn_export::{ExportError, Opset};

/// Sizes of the dynamic axes, in the order of their first appearance: one, and two sizes that no trace uses.
pub const SIZES: [[usize; 4]; 4] = [[1, 1, 1, 1], [2, 3, 5, 4], [5, 2, 8, 7], [13, 11, 6, 9]];

/// The opsets that change the forms of many operators.
const OPSETS: [i64; 4] = [11, 13, 17, 21];

#[test]
fn onnx_runtime_agrees_with_burn() {
    let mut failures = Vec::new();
    for row in rows() {
        for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
            if let Err(failure) = compare(&row, opset) {
                failures.push(format!("{} at opset {opset}: {failure}", row.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn an_opset_that_is_too_low_is_refused_with_the_lowest_that_is_not() {
    for row in rows().iter().filter(|row| row.since > 11) {
        let opset = Opset::try_from(row.since - 1).unwrap_or(Opset::V11);
        match (row.export)(row.exporter().opset(opset)) {
            Err(ExportError::OpsetTooLow { lowest, .. }) => assert_eq!(lowest.number(), row.since, "{}", row.name),
            Err(other) => panic!("{}: {other}", row.name),
            Ok(_) => panic!("{} exports at opset {opset}, below {}", row.name, row.since),
        }
    }
}

fn compare(row: &Row, opset: i64) -> Result<(), String> {
    let opset = Opset::try_from(opset).map_err(|error| error.to_string())?;
    let exported = (row.export)(row.exporter().opset(opset)).map_err(|error| error.to_string())?;
    let bytes = exported.to_bytes().map_err(|error| error.to_string())?;
    let with_graph = |text: String| format!("{text}\n{}", exported.model());
    let mut runner = Runner::new(&bytes).map_err(with_graph)?;
    let has_axes = row.arguments.iter().any(|argument| argument.axes.chars().any(char::is_alphabetic));
    for (round, sizes) in SIZES.iter().take(if has_axes { SIZES.len() } else { 1 }).enumerate() {
        let data = inputs(row, sizes, round as u64);
        let named: Vec<(&str, &TensorData)> = row.arguments.iter().map(|argument| argument.name).zip(&data).collect();
        let found = runner.run(&named).map_err(|error| with_graph(format!("sizes {sizes:?}: {error}")))?;
        let expected = (row.native)(data.clone(), &Device::flex());
        for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
            if let Some(text) = difference(found, expected, row.tolerance) {
                return Err(with_graph(format!("sizes {sizes:?}, output {position}: {text}")));
            }
        }
    }
    Ok(())
}

/// The row's inputs with each named axis at its size.
pub fn inputs(row: &Row, sizes: &[usize; 4], seed: u64) -> Vec<TensorData> {
    let mut axes: Vec<&str> = Vec::new();
    let mut random = Random(seed * 1_000_003 + row.name.len() as u64);
    row.arguments
        .iter()
        .map(|argument| {
            let shape: Vec<usize> = argument
                .axes
                .split(',')
                .map(|axis| {
                    axis.parse::<usize>().unwrap_or_else(|_| {
                        let position = axes.iter().position(|known| *known == axis).unwrap_or_else(|| {
                            axes.push(axis);
                            axes.len() - 1
                        });
                        sizes[position]
                    })
                })
                .collect();
            elements(argument, shape, &mut random)
        })
        .collect()
}

fn elements(argument: &Argument, shape: Vec<usize>, random: &mut Random) -> TensorData {
    let count: usize = shape.iter().product();
    let mut pick = |low: f64, high: f64| low + (high - low) * random.next();
    const EDGES: [f32; 8] = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -3.0e38];
    let reals =
        |of: &mut dyn FnMut(usize) -> f32| TensorData::new((0..count).map(of).collect::<Vec<f32>>(), shape.clone());
    match argument.values {
        // Every fourth number is whole, for what happens at ties and steps.
        Values::Real => reals(&mut |index| {
            let value = pick(-2.0, 2.0);
            if index % 4 == 3 { (value * 2.0).round() as f32 / 2.0 } else { value as f32 }
        }),
        Values::Positive => reals(&mut |_| pick(0.1, 3.0) as f32),
        Values::Unit => reals(&mut |_| pick(-0.9, 0.9) as f32),
        Values::Edge => reals(&mut |index| if index % 3 == 0 { EDGES[index / 3 % 8] } else { pick(-2.0, 2.0) as f32 }),
        Values::Nan => reals(&mut |index| match index % 4 {
            0 => EDGES[index / 4 % 8],
            1 => f32::NAN,
            _ => pick(-2.0, 2.0) as f32,
        }),
        Values::Whole => whole(count, shape, |_| pick(-9.49, 9.49).round() as i64),
        Values::Count => whole(count, shape, |_| pick(0.51, 6.49).round() as i64),
        Values::Below(limit) => whole(count, shape, |_| pick(0.0, limit as f64 - 0.01) as i64),
        Values::Truth => {
            let bytes = (0..count).map(|_| u8::from(pick(0.0, 1.0) < 0.6)).collect();
            TensorData::from_bytes_vec(bytes, shape, DType::Bool(BoolStore::U8))
        }
    }
}

fn whole(count: usize, shape: Vec<usize>, of: impl FnMut(usize) -> i64) -> TensorData {
    TensorData::new((0..count).map(of).collect::<Vec<i64>>(), shape)
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let rows = rows();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len());
}
