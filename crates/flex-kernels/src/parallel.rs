//! Sums over a batch that do not depend on the number of threads.

/// The most parts that a batch is divided into.
const PARTS: usize = 32;

/// How many images of a batch are summed up in one part: a function of the batch alone. Whoever shares a batch must not divide a part.
pub fn part_size(images: usize) -> usize {
    images.div_ceil(PARTS).max(1)
}
