//! Whole numbers: in the types that the file declares, and in Burn's own.

use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{DType, Device, Int, Tensor};
use burn_export::{Axis, ExportedModel, OnnxExporter, Sizes};
use onnx_model::DataType;

fn table() -> Embedding {
    EmbeddingConfig::new(100, 4).init(&Device::flex())
}

fn exported<O: burn_export::ModelOutputs>(
    table: &Embedding,
    dtype: Option<DType>,
    outputs: &[&str],
    forward: impl Fn(&Embedding, Tensor<2, Int>) -> O,
) -> ExportedModel {
    let axes = [Axis::dynamic("batch"), Axis::dynamic("length")];
    let exporter = match dtype {
        Some(dtype) => OnnxExporter::new().typed_input("ids", dtype, axes),
        None => OnnxExporter::new().input("ids", axes),
    };
    let exporter = outputs.iter().fold(exporter, |exporter, name| exporter.output(*name));
    exporter.export(table, forward).unwrap_or_else(|error| panic!("{error}"))
}

/// The elements of the first output of the first set of test data.
fn written(sets: &[std::path::PathBuf]) -> onnx_model::Tensor {
    let path = sets.first().map(|set| set.join("output_0.pb")).unwrap_or_default();
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    onnx_model::Tensor::decode(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn outputs_have_the_type_that_the_file_declares() {
    let table = table();
    let forward = |table: &Embedding, ids: Tensor<2, Int>| (ids.clone() + 1, table.forward(ids));
    for (dtype, declared) in [
        (DType::I32, DataType::I32),
        (DType::I64, DataType::I64),
        (DType::I16, DataType::I16),
        (DType::U8, DataType::U8),
    ] {
        let model = exported(&table, Some(dtype), &["next", "states"], forward);
        let of_file = model.model().graph.outputs.first().and_then(|output| output.ty.as_ref()).map(|ty| ty.dtype);
        assert_eq!(of_file, Some(declared));
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let sizes = Sizes::default().at([("batch", 2), ("length", 3)]).within("ids", 0..100);
        let sets = model
            .save_with_tests(folder.path(), &table, forward, sizes.clone())
            .unwrap_or_else(|error| panic!("{dtype:?}: {error}"));
        assert_eq!(written(&sets).dtype, declared);
        // ONNX Runtime gathers by int32 and int64 alone.
        if matches!(dtype, DType::I32 | DType::I64) {
            let proof = model.verify(&table, forward, sizes);
            proof.unwrap_or_else(|error| panic!("{dtype:?}: {error}"));
        }
    }
}

/// Burn's own whole numbers are int32 on the CPU, and those of an input without a declared type are Burn's own.
#[test]
fn undeclared_integers_are_of_the_type_that_burn_makes() {
    let table = table();
    let forward = |table: &Embedding, ids: Tensor<2, Int>| {
        let [_, length] = ids.dims();
        let places = Tensor::<1, Int>::arange(0..length as i64, &ids.device()).unsqueeze::<2>();
        let shifted = ids + places;
        (table.forward(shifted.clone()), shifted)
    };
    let model = exported(&table, None, &["states", "shifted"], forward);
    let sizes = Sizes::default().at([("batch", 2), ("length", 7)]).within("ids", 0..50);
    model.verify(&table, forward, sizes).unwrap_or_else(|error| panic!("{error}"));
}
