//! Modules that make real numbers of their own, which stay float32 beside parameters in float64.

use burn::nn::gru::{Gru, GruConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, ExportedModel, OnnxExporter, Sizes, VerifyError};

fn reader(device: &Device) -> (Gru, ExportedModel) {
    device.seed(7);
    let gru = GruConfig::new(3, 4, true).init(device);
    let model = OnnxExporter::new()
        .input("x", [Axis::dynamic("batch"), Axis::dynamic("length"), Axis::fixed(3)])
        .output("states")
        .export(&gru, read)
        .unwrap_or_else(|error| panic!("{error}"));
    (gru, model)
}

fn read(gru: &Gru, x: Tensor<3>) -> Tensor<3> {
    gru.forward(x, None)
}

#[test]
fn a_recurrent_layer_without_a_state_is_judged_by_a_share() {
    let (gru, model) = reader(&Device::flex());
    let proof = model.verify(&gru, read, Sizes::chosen()).unwrap_or_else(|error| panic!("{error}"));
    let reason = proof.without_float64().unwrap_or_else(|| panic!("{proof}"));
    assert!(reason.starts_with("forward panicked ("), "{reason}");
    let text = proof.to_string();
    assert!(text.contains("float64 could not be had"), "{text}");
    assert!(text.contains("limit: 1.0e-3 of the largest value of the output"), "{text}");
    assert!(!text.contains("against Burn in float64"), "{text}");
}

/// One weight of a gate is off by a tenth: more than a thousandth of the largest state.
#[test]
fn a_wrong_weight_is_found_without_float64() {
    let (gru, model) = reader(&Device::flex());
    let mut other = gru.clone();
    let gate = &mut other.new_gate.input_transform;
    gate.weight = gate.weight.clone().map(|weight| {
        let changed = weight.clone().slice([0..1, 0..1]) + 0.1;
        weight.slice_assign([0..1, 0..1], changed)
    });
    let error = model.verify(&other, read, Sizes::chosen()).map(|proof| proof.to_string());
    let Err(VerifyError::Differs { what, proof }) = error else { panic!("{error:?}") };
    assert!(what.contains("in `states`"), "{what}");
    assert!(!proof.verification().passed && proof.without_float64().is_some());
}

#[test]
fn a_constant_made_in_forward_does_not_fail_a_right_file() {
    let linear = LinearConfig::new(4, 8).init(&Device::flex());
    let forward = |linear: &Linear, x: Tensor<2>| {
        let device = x.device();
        let y = linear.forward(x);
        let ones = Tensor::<2>::ones(y.dims(), &device);
        y + ones
    };
    let model = OnnxExporter::new()
        .input("x", [Axis::dynamic("batch"), Axis::fixed(4)])
        .output("y")
        .export(&linear, forward)
        .unwrap_or_else(|error| panic!("{error}"));
    let proof = model.verify(&linear, forward, Sizes::chosen()).unwrap_or_else(|error| panic!("{error}"));
    assert!(proof.without_float64().is_some(), "{proof}");
}
