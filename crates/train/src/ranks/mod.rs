//! A training that several processes share, with the bytes of a single one.
//!
//! A step's batch is divided into parts whose size depends on the batch alone ([`operations::part_size`]). Each process runs its parts
//! forward and backward. Then the terms of the gradients are summed in the order of a single process: those of convolutions part by part,
//! from rank to rank; those of a linear layer by exchanging rows, so that each process sums over the whole batch for its share of the
//! weights. It updates that share alone, and all processes gather the new weights.
//!
//! An all-reduce would move as many bytes, but its sums depend on the number of processes.

#[cfg(feature = "mpi")]
pub mod mpi;
mod reduction;

use std::fmt::Debug;
use std::ops::Range;

use bytemuck::Pod;
use flex_kernels::operations;

pub use self::reduction::{Gradient, Gradients};

/// Messages between the processes of a training, whose ranks count from zero. A process that is gone ends the others.
pub trait Communicator: Debug + Sync {
    /// Which of the processes this is.
    fn rank(&self) -> usize;
    /// How many there are.
    fn size(&self) -> usize;
    /// Sends bytes. May wait until they are received.
    fn send(&self, to: usize, bytes: &[u8]);
    /// Waits for as many bytes.
    fn receive(&self, from: usize, bytes: &mut [u8]);
    /// Sends and receives at the same time.
    fn exchange(&self, to: usize, bytes: &[u8], from: usize, into: &mut [u8]);
}

/// The processes that share a training, seen by one of them.
#[derive(Debug, Clone, Copy)]
pub struct Ranks<'a>(&'a dyn Communicator);

/// What a process wishes for after a step; all do what one of them wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// To end.
    pub stop: bool,
    /// To write a checkpoint.
    pub save: bool,
}

impl<'a> Ranks<'a> {
    /// Over these messages.
    pub fn new(communicator: &'a dyn Communicator) -> Self {
        Self(communicator)
    }

    /// Which of the processes this is.
    pub fn rank(&self) -> usize {
        self.0.rank()
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Whether this process reports and keeps the results.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The items of a batch of `whole` ones that belong to a rank: whole parts, next to those of its neighbours.
    pub fn items(&self, rank: usize, whole: usize) -> Range<usize> {
        let part = operations::part_size(whole);
        let parts = share(whole.div_ceil(part), rank, self.size());
        (parts.start * part).min(whole)..(parts.end * part).min(whole)
    }

    /// The rows of a linear layer's weights that a rank updates.
    pub fn rows(&self, rank: usize, inputs: usize) -> Range<usize> {
        share(inputs, rank, self.size())
    }

    /// Fills `values`, of which each rank has the part that `part` tells.
    pub fn gather<T: Pod>(&self, values: &mut [T], part: impl Fn(usize) -> Range<usize>) {
        let own = part(self.rank());
        for (to, from) in self.rounds() {
            let (send, receive) = two_parts(values, own.clone(), part(from));
            self.0.exchange(to, bytemuck::cast_slice(send), from, bytemuck::cast_slice_mut(receive));
        }
    }

    /// What the first rank has.
    pub fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.broadcast_from(0, bytes)
    }

    /// What each rank wishes, together.
    pub fn agree(&self, own: Wishes) -> Wishes {
        let mut all = vec![0_u8; self.size()];
        all[self.rank()] = u8::from(own.stop) | u8::from(own.save) << 1;
        self.gather(&mut all, |rank| rank..rank + 1);
        let wishes = all.into_iter().fold(0, |all, one| all | one);
        Wishes { stop: wishes & 1 != 0, save: wishes & 2 != 0 }
    }

    /// To whom and from whom, so that each meets each.
    fn rounds(&self) -> impl Iterator<Item = (usize, usize)> {
        let (rank, size) = (self.rank(), self.size());
        (1..size).map(move |distance| ((rank + distance) % size, (rank + size - distance) % size))
    }

    fn broadcast_from(&self, source: usize, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.rank() == source {
            let length = (bytes.len() as u64).to_le_bytes();
            for rank in (0..self.size()).filter(|rank| *rank != source) {
                self.0.send(rank, &length);
                self.0.send(rank, &bytes);
            }
            return bytes;
        }
        let mut length = [0; 8];
        self.0.receive(source, &mut length);
        bytes = vec![0; u64::from_le_bytes(length) as usize];
        self.0.receive(source, &mut bytes);
        bytes
    }
}

/// The share of a rank in so many things, next to those of its neighbours.
fn share(count: usize, rank: usize, size: usize) -> Range<usize> {
    count * rank / size..count * (rank + 1) / size
}

/// One part to read and another to write, which do not overlap.
fn two_parts<T>(values: &mut [T], read: Range<usize>, write: Range<usize>) -> (&[T], &mut [T]) {
    if read.end <= write.start {
        let (before, from) = values.split_at_mut(write.start);
        (&before[read], &mut from[..write.len()])
    } else {
        let (before, from) = values.split_at_mut(read.start);
        (&from[..read.len()], &mut before[write])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_side_by_side_and_are_all() {
        for (count, size) in [(32, 1), (32, 3), (5, 4), (2, 7), (0, 3)] {
            let shares: Vec<_> = (0..size).map(|rank| share(count, rank, size)).collect();
            assert_eq!((shares[0].start, shares[size - 1].end), (0, count));
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start), "{shares:?}");
        }
    }

    #[test]
    fn two_parts_do_not_overlap() {
        let mut values = [0, 1, 2, 3, 4];
        for (read, write) in [(0..2, 2..5), (3..5, 0..3), (0..0, 0..5), (0..5, 0..0), (5..5, 0..5)] {
            let (from, to) = two_parts(&mut values, read.clone(), write.clone());
            assert!(from.iter().copied().eq(read) && to.iter().copied().eq(write));
        }
    }
}
