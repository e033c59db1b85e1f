//! The statistics of a norm.
//!
//! RmsNorm, GroupNorm and InstanceNorm read their parameters last, to scale what they have normalised. All that lies
//! between their one operand and that scale is theirs.

use std::collections::{BTreeSet, HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, NumericOperationIr, OperationIr, TensorIr};

use super::Known;

/// Gives the statistics of each norm to the module of its scale.
pub(super) fn place(operations: &[&OperationIr], known: &mut Known<'_>) {
    let chain = Chain::new(operations, known);
    let mut last: Option<usize> = None;
    let mut placed = Vec::new();
    for index in 0..operations.len() {
        let (Some(path), true) = (&known.places[index], known.reads_data[index]) else { continue };
        let first_of_module = last.is_none_or(|last| known.places[last].as_ref() != Some(path));
        last = Some(index);
        if first_of_module && let Some(statistics) = chain.statistics(index) {
            placed.push((statistics, path.clone()));
        }
    }
    for (statistics, path) in placed {
        for index in statistics {
            known.places[index] = Some(path.clone());
        }
    }
}

/// Who makes and who reads each tensor.
struct Chain<'o> {
    operations: &'o [&'o OperationIr],
    makers: HashMap<TensorId, usize>,
    readers: HashMap<TensorId, Vec<usize>>,
    /// Operations that belong to a module of their own.
    taken: HashSet<usize>,
}

impl<'o> Chain<'o> {
    fn new(operations: &'o [&'o OperationIr], known: &Known<'_>) -> Self {
        let (mut makers, mut readers) = (HashMap::new(), HashMap::<TensorId, Vec<usize>>::new());
        for (index, operation) in operations.iter().enumerate() {
            makers.extend(operation.outputs().map(|out| (out.id, index)));
            operation.inputs().for_each(|input| readers.entry(input.id).or_default().push(index));
        }
        let taken = (0..operations.len()).filter(|index| known.places[*index].is_some()).collect();
        Self { operations, makers, readers, taken }
    }

    /// The operations between the scale at `scale` and the one tensor that they all come from, if they take means.
    fn statistics(&self, scale: usize) -> Option<BTreeSet<usize>> {
        use NumericOperationIr as N;
        let OperationIr::NumericFloat(_, N::Mul(_) | N::Add(_)) = self.operations[scale] else { return None };
        let operand = self.operations[scale].inputs().find_map(|input| Some((input.id, Some(self.free(input)?))));
        let nearest = Region { inside: BTreeSet::new(), open: operand.into_iter().collect() };
        let squares = self.up_to_mean(nearest)?;
        // Where the mean is subtracted first, another mean lies behind that of the squares.
        let both = self.up_to_mean(squares.clone()).and_then(|region| self.closed(region, scale));
        both.or_else(|| self.closed(squares, scale))
    }

    /// The operations of a region that nothing but the scale reads from.
    fn closed(&self, region: Region, scale: usize) -> Option<BTreeSet<usize>> {
        let Region { mut inside, open } = region;
        // GroupNorm reshapes its operand, and back at the end.
        let origin = open.into_values().next().flatten();
        if let Some(fold) = origin.filter(|fold| is_reshape(self.operations[*fold]))
            && inside.last().is_some_and(|last| is_reshape(self.operations[*last]))
            && self.only_read_by(fold, &inside, scale)
        {
            inside.insert(fold);
        }
        inside.iter().all(|index| self.only_read_by(*index, &inside, scale)).then_some(inside)
    }

    /// The region that goes on to the mean before it, and up to one tensor.
    fn up_to_mean(&self, mut region: Region) -> Option<Region> {
        let mut mean = false;
        while region.open.len() != 1 || !mean {
            // The last maker first: whatever else it leads to lies before it.
            let maker = region.open.values().flatten().copied().max()?;
            region.open.retain(|_, other| *other != Some(maker));
            region.inside.insert(maker);
            mean |= matches!(self.operations[maker], OperationIr::NumericFloat(_, NumericOperationIr::MeanDim(_)));
            region.open.extend(self.operations[maker].inputs().map(|input| (input.id, self.free(input))));
        }
        Some(region)
    }

    /// The maker of a tensor, if it belongs to no module yet.
    fn free(&self, tensor: &TensorIr) -> Option<usize> {
        self.makers.get(&tensor.id).copied().filter(|maker| !self.taken.contains(maker))
    }

    fn only_read_by(&self, index: usize, inside: &BTreeSet<usize>, scale: usize) -> bool {
        let mut readers = self.operations[index].outputs().filter_map(|out| self.readers.get(&out.id)).flatten();
        readers.all(|reader| *reader == scale || inside.contains(reader))
    }
}

/// Operations, and the tensors that they read and do not make.
#[derive(Clone)]
struct Region {
    inside: BTreeSet<usize>,
    /// With their makers, where these belong to no module yet.
    open: HashMap<TensorId, Option<usize>>,
}

fn is_reshape(operation: &OperationIr) -> bool {
    matches!(operation, OperationIr::BaseFloat(BaseOperationIr::Reshape(_)))
}
