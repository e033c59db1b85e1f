//! Burn's recurrent layers, which it records step by step, as one operation each.
//!
//! A recording of an LSTM over eight elements has the operations of a cell eight times, and one over nine has them nine
//! times: no two sizes would agree. ONNX has operators for the whole layer. What a layer is known by is the chain of writes
//! of each step's state into the sequence of states; every step of the chain has to be the same cell, with the same weights,
//! on the next element and on the state of the step before.

mod cell;
mod reader;

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, CustomOpIr, OperationIr, SliceAssignOpIr, TensorIr};
use burn::tensor::Slice;

use cell::Step;
pub(crate) use cell::{Activation, Kind, Layer};
use reader::Reader;

/// Replaces every recurrent layer by one operation, which [`Layer::parse`] understands.
pub(super) fn roll_up(operations: Vec<OperationIr>) -> Vec<OperationIr> {
    let reader = Reader::new(&operations);
    let mut found: Vec<Rolled> = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        if let Some(write) = write(operation)
            && !reader.is_written_over(write.out.id)
            && let Some(rolled) = Rolled::find(&reader, index)
        {
            found.push(rolled);
        }
    }
    if found.is_empty() {
        return operations;
    }
    let mut rolled = Vec::with_capacity(operations.len());
    for (index, operation) in operations.into_iter().enumerate() {
        if let Some(layer) = found.iter().find(|layer| layer.at == index) {
            rolled.push(OperationIr::Custom(layer.operation.clone()));
        }
        let made = |layer: &Rolled| operation.outputs().any(|out| layer.makes(out.id));
        // The steps before the last one have no users left.
        if !found.iter().any(made) {
            rolled.push(operation);
        }
    }
    rolled
}

/// A write into the sequence of states.
fn write(operation: &OperationIr) -> Option<&SliceAssignOpIr> {
    match operation {
        OperationIr::BaseFloat(BaseOperationIr::SliceAssign(write)) if write.out.shape.num_dims() == 3 => Some(write),
        _ => None,
    }
}

/// A layer found in a recording.
struct Rolled {
    /// Where its operation goes.
    at: usize,
    operation: CustomOpIr,
}

impl Rolled {
    fn makes(&self, id: TensorId) -> bool {
        self.operation.outputs.iter().any(|out| out.id == id)
    }

    /// The layer whose last write is the operation at `last`.
    fn find(reader: &Reader<'_>, last: usize) -> Option<Self> {
        let writes = chain(reader, last)?;
        let [batch, length, width] = <[usize; 3]>::try_from(writes.first()?.out.shape.to_vec()).ok()?;
        // From the last step back to the first.
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for write in &writes {
            let place = element(&write.ranges, [batch, length, width])?;
            let state = reader.reshaped(write.value.id)?;
            steps.push((place, cell::step(reader, state)?));
        }
        let (first, end) = (&steps.last()?.1, &steps.first()?.1);
        let cell = &first.cell;
        if steps.len() != length || !steps.iter().all(|(_, step)| step.cell.is(cell)) {
            return None;
        }
        let linked = steps.windows(2).all(|pair| pair[0].1.before.is(&pair[1].1.after));
        let reverse = length > 1 && steps.first()?.0 == 0;
        let in_order = steps
            .iter()
            .rev()
            .enumerate()
            .all(|(turn, (place, _))| *place == if reverse { length - 1 - turn } else { turn });
        let source = sequence(reader, &steps, batch, length)?;
        if !linked || !in_order {
            return None;
        }
        let zero = reader.is_zero(first.before.hidden.id)
            && first.before.memory.as_ref().is_none_or(|memory| reader.is_zero(memory.id));
        let mut inputs = vec![source];
        if !zero {
            inputs.push(first.before.hidden.clone());
            inputs.extend(first.before.memory.clone());
        }
        inputs.extend(cell.tensors());
        let mut outputs = vec![writes.first()?.out.clone(), end.after.hidden.clone()];
        outputs.extend(end.after.memory.clone());
        let at = outputs.iter().filter_map(|out| reader.maker(out.id)).min()?;
        if inputs.iter().any(|input| reader.maker(input.id).is_some_and(|maker| maker >= at)) {
            return None;
        }
        let layer = Layer { kind: cell.kind, reverse, given_state: !zero, bias: cell.biases() };
        let operation = CustomOpIr { id: layer.name(), inputs, outputs, scalars: Vec::new() };
        Some(Self { at, operation })
    }
}

/// The writes that end with the one at `last`, from the last to the first.
fn chain<'a>(reader: &Reader<'a>, last: usize) -> Option<Vec<&'a SliceAssignOpIr>> {
    let mut writes = vec![write(reader.operation(last))?];
    loop {
        let before = reader.operation(reader.maker(writes.last()?.tensor.id)?);
        match before {
            OperationIr::BaseFloat(BaseOperationIr::Empty(_)) => return Some(writes),
            other => writes.push(write(other)?),
        }
    }
}

/// The place of the one element of the second axis that the ranges choose, the other axes whole.
fn element(ranges: &[Slice], shape: [usize; 3]) -> Option<usize> {
    let [batch, place, width] = ranges else { return None };
    let whole = |range: &Slice, size: usize| {
        range.step == 1 && range.start == 0 && range.end.is_none_or(|end| end == size as isize)
    };
    let start = usize::try_from(place.start).ok()?;
    let one = place.step == 1 && place.end == Some(place.start + 1);
    (whole(batch, shape[0]) && whole(width, shape[2]) && one).then_some(start)
}

/// The sequence of which every step reads its own element.
fn sequence(reader: &Reader<'_>, steps: &[(usize, Step)], batch: usize, length: usize) -> Option<TensorIr> {
    let mut sequence: Option<&TensorIr> = None;
    for (place, step) in steps {
        let slice = reader.slice(reader.reshaped(step.input)?.id)?;
        let width = *slice.tensor.shape.to_vec().get(2)?;
        if slice.tensor.shape.to_vec() != [batch, length, width] {
            return None;
        }
        let same = sequence.is_none_or(|known| known.id == slice.tensor.id);
        if !same || element(&slice.ranges, [batch, length, width]) != Some(*place) {
            return None;
        }
        sequence = Some(&slice.tensor);
    }
    sequence.cloned()
}
