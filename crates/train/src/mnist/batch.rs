//! Batches of digits as the network takes them.

use burn::tensor::{Device, Int, Tensor, TensorData};
use models::digits::{Digits, PIXELS, normalization_table};
use models::mnist_cnn::IMAGE_SIZE;
use rayon::prelude::*;

use crate::mnist::augmentation::Augmentation;

/// Normalised images and their labels.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, 1, 28, 28]`
    pub images: Tensor<4>,
    /// `[batch]`
    pub labels: Tensor<1, Int>,
}

/// Makes batches of a set of digits. A pixel costs one look-up, so that a batch takes microseconds.
#[derive(Debug)]
pub struct Batcher<'a> {
    digits: &'a Digits,
    normalized: [f32; 256],
}

impl<'a> Batcher<'a> {
    /// For these digits.
    pub fn new(digits: &'a Digits) -> Self {
        Self { digits, normalized: normalization_table() }
    }

    /// The digits at `indices`, which must be below their number; others are left out.
    pub fn batch(&self, indices: impl IntoIterator<Item = usize>, device: &Device) -> Batch {
        let (mut images, mut labels) = (Vec::new(), Vec::<i32>::new());
        for index in indices {
            if let (Some(pixels), Some(label)) = (self.digits.image(index), self.digits.label(index)) {
                images.reserve(PIXELS);
                images.extend(pixels.iter().map(|&pixel| self.normalized[usize::from(pixel)]));
                labels.push(label.into());
            }
        }
        batch_of(images, labels, device)
    }

    /// The labels of the digits at `indices`, which must be below their number.
    pub fn labels(&self, indices: &[usize], device: &Device) -> Tensor<1, Int> {
        let labels: Vec<i32> = indices.iter().filter_map(|&index| self.digits.label(index)).map(i32::from).collect();
        let count = labels.len();
        Tensor::from_data(TensorData::new(labels, [count]), device)
    }

    /// The digits at `indices`, which must be below their number, distorted as they are in an epoch.
    pub fn distorted(
        &self,
        indices: &[usize],
        augmentation: &Augmentation,
        seed: u64,
        epoch: usize,
        device: &Device,
    ) -> Batch {
        let mut images = vec![0.0; indices.len() * PIXELS];
        images.par_chunks_exact_mut(PIXELS).zip(indices).for_each(|(image, &index)| {
            if let Some(pixels) = self.digits.image(index) {
                augmentation.draw(seed, epoch, index).apply(pixels, image);
            }
        });
        let labels = indices.iter().filter_map(|&index| self.digits.label(index)).map(i32::from).collect();
        batch_of(images, labels, device)
    }
}

fn batch_of(images: Vec<f32>, labels: Vec<i32>, device: &Device) -> Batch {
    let count = labels.len();
    Batch {
        images: Tensor::from_data(TensorData::new(images, [count, 1, IMAGE_SIZE, IMAGE_SIZE]), device),
        labels: Tensor::from_data(TensorData::new(labels, [count]), device),
    }
}
