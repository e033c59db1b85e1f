//! EfficientNet-Lite0 against the Python package that publishes its weights.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use models::efficientnet_lite0::{CLASSES, EfficientNetLite0, IMAGE_SIZE, PREPROCESSING, state_dict_name};
use models::imagenet::{Crop, Preprocessing};
use models::picture::{RgbImage, decode_file};
use models::weights::parameter_names;

use crate::support::{difference, fixture, tensors, uniform};

/// As in `generate_efficientnet_lite0.py`.
const SEED: u64 = 51;

/// The logits reach 12.5, those of two pictures are more than 1 apart, and PyTorch's own float32 logits are up to 2e-5 from
/// its float64 ones.
const TOLERANCE: f32 = 1e-4;

#[test]
fn parameters_are_the_packages() {
    let expected: BTreeMap<String, Vec<usize>> =
        serde_json::from_slice(&std::fs::read(fixture("efficientnet_lite0.json")).unwrap()).unwrap();
    let network = EfficientNetLite0::new(&Device::flex());
    let found: BTreeMap<_, _> = parameter_names(&network, state_dict_name).into_iter().collect();
    assert_eq!(found, expected);
}

#[test]
fn logits_are_pytorchs_at_batch_1_and_4_and_at_another_size() {
    let device = Device::flex();
    let network = EfficientNetLite0::random(SEED, &device);
    let expected = tensors("efficientnet_lite0.safetensors");
    let run = |pixels: &[f32], shape: [usize; 4]| -> Vec<f32> {
        let images = Tensor::from_data(TensorData::new(pixels.to_vec(), shape), &device);
        network.forward(images).try_into_vec_as().unwrap()
    };
    let one = 3 * IMAGE_SIZE * IMAGE_SIZE;
    let images = uniform(SEED + 1, "images", 4 * one);
    let logits = &expected["logits"].values;
    let off = difference(&run(&images, [4, 3, IMAGE_SIZE, IMAGE_SIZE]), logits);
    assert!(off <= TOLERANCE, "batch 4: off by {off}");
    let off = difference(&run(&images[..one], [1, 3, IMAGE_SIZE, IMAGE_SIZE]), &logits[..CLASSES]);
    assert!(off <= TOLERANCE, "batch 1: off by {off}");
    let wide = uniform(SEED + 1, "wide", 3 * 96 * 160);
    let off = difference(&run(&wide, [1, 3, 96, 160]), &expected["wide"].values);
    assert!(off <= TOLERANCE, "96x160: off by {off}");
}

/// Pixels are compared as bytes before normalisation: 1e-3 of one is 1e-5 of the network's input.
#[test]
fn central_squares_are_tensorflows() {
    let expected = tensors("efficientnet_lite0_pictures.safetensors");
    for (name, expected) in &expected {
        let [picture, size, padding] = name.split(' ').collect::<Vec<_>>()[..] else { panic!("{name}") };
        let [size, padding]: [usize; 2] = [size, padding].map(|number| number.parse().unwrap());
        let picture = decode_file(&fixture(&format!("pictures/{picture}"))).unwrap();
        let bytes = Preprocessing {
            crop: Crop::CentralSquare { padding },
            size,
            scale: 1.0,
            mean: [0.0; 3],
            standard_deviation: [1.0; 3],
        };
        let found = bytes.apply(&picture);
        assert_eq!(expected.shape, [3, size, size], "{name}");
        let off = difference(&found, &expected.values);
        assert!(off <= 1e-3, "{name}: off by {off}");
    }
    assert_eq!(expected.len(), 7);
}

#[test]
fn a_picture_becomes_what_the_network_takes() {
    let grey = RgbImage { width: 300, height: 400, pixels: vec![[255, 127, 0]; 300 * 400] };
    let planes = PREPROCESSING.apply(&grey);
    assert_eq!(planes.len(), 3 * IMAGE_SIZE * IMAGE_SIZE);
    // (255 - 127) / 128, (127 - 127) / 128 and (0 - 127) / 128, up to the rounding of the filter's weights.
    for (plane, value) in planes.chunks(IMAGE_SIZE * IMAGE_SIZE).zip([1.0, 0.0, -0.992_187_5]) {
        assert!(plane.iter().all(|pixel| (pixel - value).abs() < 1e-5), "{value} {}", plane[0]);
    }
}
