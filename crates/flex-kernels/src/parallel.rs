//! Sums over a batch that do not depend on the number of threads.

/// The most parts that a batch is divided into.
const PARTS: usize = 32;

/// How many images of a batch are summed up in one part: a function of the batch alone.
pub(crate) fn chunk_size(images: usize) -> usize {
    images.div_ceil(PARTS).max(1)
}

/// The sum of parts of equal `length`, in their order.
pub(crate) fn sum_parts<'a>(length: usize, parts: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sums = vec![0.0; length];
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums
}
