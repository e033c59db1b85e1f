//! Loss and gradients of the whole network, with dropout, against PyTorch's.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use models::digits::normalize;
use models::mnist_cnn::{CHANNELS, DropoutMasks, HIDDEN, MnistCnn};

use crate::support::{digit, fixture, tensors};

/// As in `gradients` of `generate.py`.
const SEED: u64 = 11;
const BATCH: usize = 5;

/// The expected values are PyTorch's in float64. In float32 PyTorch itself is off by up to 1.0e-6 of a tensor's largest
/// element (`generate.py` prints it), because sums of up to 3,000 products round in another order: 5 times that is
/// allowed. A wrong or missing term is off by 1e-2 and more.
const TOLERANCE: f32 = 5e-6;

/// The gradient of each parameter, in PyTorch's layout.
struct Gradients {
    path: Vec<String>,
    gradients: GradientsParams,
    values: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Gradients {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let gradient = self.gradients.remove::<D>(param.id).unwrap_or_else(|| panic!("{name} has no gradient"));
        // Burn keeps the weight of a linear layer as [in, out], PyTorch as [out, in].
        let gradient = if D == 2 { gradient.transpose() } else { gradient };
        self.values.insert(name, gradient.try_into_vec_as().unwrap());
    }
}

#[test]
fn loss_and_gradients_are_those_of_pytorch_with_the_same_units_silenced() {
    let mut expected: BTreeMap<String, Vec<f32>> = tensors(&std::fs::read(fixture("gradients.safetensors")).unwrap())
        .into_iter()
        .map(|(name, (_, values))| (name, values))
        .collect();
    let device = Device::flex().autodiff();
    let mut take = |name: &str| expected.remove(name).unwrap();
    let dropout = DropoutMasks {
        channels: Tensor::from_data(TensorData::new(take("channels"), [BATCH, CHANNELS, 1, 1]), &device),
        hidden: Tensor::from_data(TensorData::new(take("hidden"), [BATCH, HIDDEN]), &device),
    };
    let (images, labels): (Vec<_>, Vec<_>) = (0..BATCH as u64).map(digit).unzip();
    let images: Vec<f32> = images.as_flattened().iter().map(|&pixel| normalize(pixel)).collect();
    let labels: Vec<i32> = labels.into_iter().map(i32::from).collect();
    let images = Tensor::<4>::from_data(TensorData::new(images, [BATCH, 1, 28, 28]), &device);
    let labels = Tensor::from_data(TensorData::new(labels, [BATCH]), &device);

    let network = MnistCnn::random(SEED, &device);
    let loss = network.loss(images, labels, dropout);
    let value: f32 = loss.clone().inner().try_into_scalar().unwrap();
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let mut visitor = Gradients { path: Vec::new(), gradients, values: BTreeMap::new() };
    network.visit(&mut visitor);
    let mut found = visitor.values;
    found.insert("loss".to_owned(), vec![value]);
    let large = found.remove("fc1.weight").unwrap();
    let (rows, columns) = (128, 9216);
    assert_eq!(large.len(), rows * columns);
    let sum = |values: &mut dyn Iterator<Item = &f32>| values.map(|&value| f64::from(value)).sum::<f64>() as f32;
    found.insert("fc1.weight.rows".to_owned(), large.chunks(columns).map(|row| sum(&mut row.iter())).collect());
    found.insert(
        "fc1.weight.columns".to_owned(),
        (0..columns).map(|column| sum(&mut large.iter().skip(column).step_by(columns))).collect(),
    );
    found.insert("fc1.weight.sample".to_owned(), large.into_iter().step_by(997).collect());

    assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
    for (name, expected) in &expected {
        let found = &found[name];
        assert_eq!(expected.len(), found.len(), "{name}");
        let largest = expected.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let error = expected.iter().zip(found).fold(0.0, |error: f32, (a, b)| error.max((a - b).abs()));
        assert!(error <= TOLERANCE * largest, "{name}: off by {error}, the largest is {largest}");
    }
}
