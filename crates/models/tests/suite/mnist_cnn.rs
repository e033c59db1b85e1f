//! The MNIST network against PyTorch's.

use burn::tensor::{Device, Tensor, TensorData};
use models::mnist_cnn::MnistCnn;
use models::weights::{Checkpoint, LoadReport, identity_name, state_dict, to_safetensors};

use crate::support::{difference, tensors, uniform};

/// PyTorch's own float32 output is 3e-7 from its float64 output.
const TOLERANCE: f32 = 2e-6;

fn output(network: &MnistCnn, device: &Device) -> Vec<f32> {
    let images = TensorData::new(uniform(6, "images", 3 * 28 * 28), [3, 1, 28, 28]);
    network.forward(Tensor::from_data(images, device)).try_into_vec_as().unwrap()
}

#[test]
fn formula_weights_give_the_output_of_pytorch() {
    let expected = &tensors("mnist_cnn.safetensors")["output"];
    assert_eq!(expected.shape, [3, 10]);
    let device = Device::flex();
    let found = output(&MnistCnn::random(5, &device), &device);
    let off = difference(&found, &expected.values);
    assert!(off <= TOLERANCE, "off by {off}");
}

#[test]
fn saved_weights_are_those_that_load() {
    let device = Device::flex();
    let network = MnistCnn::random(5, &device);
    let names_and_shapes = [
        ("conv1.bias", vec![32]),
        ("conv1.weight", vec![32, 1, 3, 3]),
        ("conv2.bias", vec![64]),
        ("conv2.weight", vec![64, 32, 3, 3]),
        ("fc1.bias", vec![128]),
        ("fc1.weight", vec![128, 9216]),
        ("fc2.bias", vec![10]),
        ("fc2.weight", vec![10, 128]),
    ];
    let file = to_safetensors(&state_dict(&network, identity_name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, &file).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let found: Vec<_> = checkpoint.tensors().iter().map(|(name, t)| (name.as_str(), t.shape.clone())).collect();
    assert_eq!(found, names_and_shapes);

    let (loaded, report) = MnistCnn::load(&Checkpoint::open(&path).unwrap(), &device).unwrap();
    assert_eq!(report, LoadReport::default());
    assert_eq!(output(&loaded, &device), output(&network, &device));
    assert_eq!(to_safetensors(&state_dict(&loaded, identity_name)).unwrap(), file);

    // Another seed is another network.
    let other = MnistCnn::random(6, &device);
    assert!(difference(&output(&other, &device), &output(&network, &device)) > 1e-3);
}
