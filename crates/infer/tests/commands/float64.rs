//! The form of a network in float64, against the framework that it comes from.

use std::path::Path;

use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Optimization, Session, SessionOptions};
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use float64::to_float64;
use networks::NetworkId;
use networks::images::INPUT;
use onnx_model::Model;

use crate::setting::{DIGITS, Setting, image};

/// The runtime and Burn add in different orders, in sums of up to 9216 products: commonly some tens of 2^-53 of the result.
#[test]
fn a_network_in_float64_gives_what_burn_gives_in_float64() {
    let setting = Setting::new();
    let pixels: Vec<f32> = (0..DIGITS).flat_map(image).map(|pixel| f32::from(pixel) / 255.0).collect();
    let shape = [DIGITS, 1, 28, 28];
    let exact = to_float64(&Model::load(setting.model()).unwrap()).unwrap();
    exact.save(setting.path("exact.onnx")).unwrap();
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/onnxruntime");
    let runtime = Runtime::load(&fetched).unwrap_or_else(|error| panic!("{error}"));
    let options = SessionOptions { optimization: Optimization::None, ..SessionOptions::default() };
    let mut session = Session::open(&runtime, setting.path("exact.onnx"), options).unwrap();
    let wide: Vec<f64> = pixels.iter().copied().map(f64::from).collect();
    let found = session.run(&[NamedTensor::new(INPUT, Tensor::new(shape, wide).unwrap())]).unwrap();
    let spec = networks::burn(NetworkId::Mnist, Weights::At(setting.weights()), None);
    let spec = EngineSpec::Framework(FrameworkSpec { exact: true, ..spec });
    let mut burn = networks::open(&spec).unwrap().engine;
    let expected = burn.run(&[NamedTensor::new(INPUT, Tensor::new(shape, pixels).unwrap())]).unwrap();
    let (found, expected) = (found[0].tensor.to_f64(), expected[0].tensor.to_f64());
    let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let worst = found.iter().zip(&expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
    assert_eq!(found.len(), DIGITS * 10);
    assert!(worst <= 1e-14 * largest, "{worst:e} of {largest}");
}
