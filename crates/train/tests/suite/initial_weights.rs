//! The weights that training starts from are distributed as PyTorch distributes them.

use burn::tensor::Device;
use models::mnist_cnn::MnistCnn;
use train::mnist::results::weights;

use crate::support::tensors;

/// `nn.Conv2d` and `nn.Linear` draw weights (`kaiming_uniform_` with a = √5) and biases uniformly within ±1/√fan_in.
const FAN_IN: [(&str, f64); 8] = [
    ("conv1.bias", 9.0),
    ("conv1.weight", 9.0),
    ("conv2.bias", 288.0),
    ("conv2.weight", 288.0),
    ("fc1.bias", 9216.0),
    ("fc1.weight", 9216.0),
    ("fc2.bias", 128.0),
    ("fc2.weight", 128.0),
];

/// Kolmogorov and Smirnov's distance between the values and the uniform distribution within ±`bound`, times √n: above 1.95
/// once in a thousand times. The seeds are fixed, so the test is not random.
fn distance(values: &[f32], bound: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|&value| (f64::from(value) / bound + 1.0) / 2.0).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let largest = sorted
        .iter()
        .enumerate()
        .map(|(index, value)| (value - index as f64 / count).max((index + 1) as f64 / count - value))
        .fold(0.0, f64::max);
    largest * count.sqrt()
}

#[test]
fn uniform_within_one_over_the_root_of_the_fan_in() {
    for seed in [1, 2, 3] {
        let tensors = tensors(&weights(&MnistCnn::random(seed, &Device::flex())).unwrap());
        assert!(tensors.keys().eq(FAN_IN.iter().map(|(name, _)| name)));
        for (name, fan_in) in FAN_IN {
            let (bound, values) = (1.0 / fan_in.sqrt(), &tensors[name].1);
            // Values are float32: the bound itself may be rounded up.
            assert!(values.iter().all(|value| f64::from(value.abs()) <= bound * (1.0 + 1e-7)), "{name}");
            let distance = distance(values, bound);
            assert!(distance < 1.95, "seed {seed}, {name}: {distance}");
        }
    }
}

/// Another seed is another start, and equal shapes do not share their numbers.
#[test]
fn every_seed_and_parameter_has_its_own_numbers() {
    let start = |seed| tensors(&weights(&MnistCnn::random(seed, &Device::flex())).unwrap());
    let (first, again, second) = (start(1), start(1), start(2));
    assert_eq!(first, again);
    for (name, (_, values)) in &first {
        assert!(values.iter().zip(&second[name].1).any(|(first, second)| first != second), "{name}");
    }
    let scaled = |name: &str, root: f32| first[name].1.iter().take(9).map(|value| value * root).collect::<Vec<_>>();
    assert_ne!(scaled("fc1.weight", 96.0), scaled("fc1.bias", 96.0));
}
