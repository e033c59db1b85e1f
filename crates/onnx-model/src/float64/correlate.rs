//! Convolutions as matrix products.
//!
//! Each place of the kernel sees a part of the input; the products of its weights with that part are added up. Several places
//! share a product where there are few channels.

use super::forms::{Reason, Step};
use super::window::Window;
use super::writer::{Expr, Writer};

/// One value.
type One<'w> = Result<Expr<'w>, Reason>;

/// Places share a matrix product until it sums over this many values.
const SHARED: i64 = 64;

/// A kernel, group by group.
struct Kernel<'w> {
    /// `[group, output channels of a group, places, input channels of a group]`.
    weights: Expr<'w>,
    groups: i64,
    /// Input channels of a group.
    inputs: i64,
    /// Output channels of all groups.
    outputs: i64,
}

/// The sizes of a weight, all of which must be known.
fn weight_sizes(step: &Step) -> Result<Vec<i64>, Reason> {
    let sizes: Option<Vec<i64>> = step.sizes(1)?.into_iter().collect();
    let sizes = sizes.ok_or("the sizes of its weight are not known")?;
    match sizes.len() {
        3.. => Ok(sizes),
        _ => Err("its weight has no spatial axes"),
    }
}

pub fn conv<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let sizes = weight_sizes(step)?;
    let (outputs, inputs, groups) = (sizes[0], sizes[1], step.int("group"));
    let window = Window::new(step, sizes[2..].to_vec());
    let weights = step.input(1).reshape(&[groups, outputs / groups, inputs, window.places()]).transpose(&[0, 1, 3, 2]);
    let padded = window.padding(step, step.input(0)).around(step.input(0), 0.0);
    let result = correlate(&window, padded, &Kernel { weights, groups, inputs, outputs });
    Ok(biased(step, result, window.axes()))
}

/// The input with zeros between its elements, convolved with the kernel turned round.
pub fn transposed<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let writer = step.writer;
    let sizes = weight_sizes(step)?;
    let (inputs, outputs, groups) = (sizes[0], sizes[1], step.int("group"));
    let window = Window::new(step, sizes[2..].to_vec());
    let axes = window.axes();
    let weights = step.input(1).reshape(&[groups, inputs / groups, outputs, window.places()]);
    let backwards: Vec<i64> = (0..window.places()).rev().collect();
    let weights = weights.transpose(&[0, 2, 3, 1]).gather(writer.ints(&backwards), 2);
    let kernel = Kernel { weights, groups, inputs: inputs / groups, outputs: outputs * groups };
    let x = step.input(0);
    let (before, after) = transposed_pads(step, &window, x)?;
    let spread = spread(x, &window.strides);
    let unchanged = writer.ints(&[0, 0]);
    let padded = spread.pad(writer.concat(&[unchanged, before, unchanged, after], 0), 0.0);
    let dense = Window { strides: vec![1; axes], ..window };
    Ok(biased(step, correlate(&dense, padded, &kernel), axes))
}

/// What is added before and after the input of a transposed convolution when zeros lie after each of its elements: the
/// places by which the kernel reaches beyond it, less what the attributes cut off. The numbers may be negative.
fn transposed_pads<'w>(step: &Step<'_, 'w>, window: &Window, x: Expr<'w>) -> Result<(Expr<'w>, Expr<'w>), Reason> {
    let writer = step.writer;
    let axes = window.axes();
    let mode = step.op.string("auto_pad").unwrap_or("NOTSET");
    let zeros = vec![0; 2 * axes];
    let extra = step.op.ints("output_padding").unwrap_or(&zeros[..axes]);
    let holes: Vec<i64> =
        window.kernel.iter().zip(&window.dilations).map(|(size, dilation)| (size - 1) * dilation).collect();
    let (before, after) = match step.op.ints("output_shape") {
        None if mode.starts_with("SAME") => {
            let total = (0..axes).map(|axis| (holes[axis] + 1 + extra[axis] - window.strides[axis]).max(0));
            let halves = total.map(|total| (total / 2, total - total / 2));
            let (less, more): (Vec<_>, Vec<_>) = halves.unzip();
            let (before, after) = if mode == "SAME_UPPER" { (less, more) } else { (more, less) };
            (writer.ints(&before), writer.ints(&after))
        }
        None => {
            let pads = step.op.ints("pads").filter(|_| mode == "NOTSET").unwrap_or(&zeros);
            (writer.ints(&pads[..axes]), writer.ints(&pads[axes..]))
        }
        Some(shape) => {
            let strides = writer.ints(&window.strides);
            let reach: Vec<i64> = holes.iter().zip(extra).map(|(hole, extra)| hole + 1 + extra).collect();
            let size = (x.shape().from(2) - 1) * strides + writer.ints(&reach);
            let total = size - writer.ints(&shape[shape.len() - axes..]);
            let less = total / 2;
            if mode == "SAME_UPPER" { (less, total - less) } else { (total - less, less) }
        }
    };
    // After the last element lie `stride - 1` zeros that no window needs.
    let ends: Vec<i64> = (0..axes).map(|axis| holes[axis] + extra[axis] - (window.strides[axis] - 1)).collect();
    Ok((writer.ints(&holes) - before, writer.ints(&ends) - after))
}

/// The input with `stride - 1` zeros after each element of each spatial axis.
fn spread<'w>(x: Expr<'w>, strides: &[i64]) -> Expr<'w> {
    if strides.iter().all(|stride| *stride == 1) {
        return x;
    }
    let writer = x.writer();
    let axes = strides.len() as i64;
    // Each spatial axis is followed by one of size 1, which grows to the stride.
    let apart = x.unsqueeze(&(0..axes).map(|axis| 3 + 2 * axis).collect::<Vec<_>>());
    let mut pads = vec![0; 2 * (2 + 2 * strides.len())];
    for (axis, stride) in strides.iter().enumerate() {
        pads[2 + 2 * strides.len() + 2 + 2 * axis + 1] = stride - 1;
    }
    let shape = x.shape();
    let sizes = writer.concat(&[shape.slice(&[0], &[2], &[0], &[1]), shape.from(2) * writer.ints(strides)], 0);
    apart.pad_zeros(&pads).reshape_to(sizes)
}

/// The convolution of `x`, which is padded, without a bias.
fn correlate<'w>(window: &Window, x: Expr<'w>, kernel: &Kernel<'w>) -> Expr<'w> {
    let writer: &'w Writer = x.writer();
    let Kernel { groups, inputs, outputs, .. } = *kernel;
    let views: Vec<_> = window.views(x).collect();
    let spatial = views[0].shape().from(2);
    let count = (SHARED / inputs.max(1)).clamp(1, window.places());
    let starts = (0..window.places()).step_by(count as usize);
    let products = starts.map(|start| {
        let end = (start + count).min(window.places());
        let parts: Vec<_> =
            views[start as usize..end as usize].iter().map(|view| view.reshape(&[0, groups, inputs, -1])).collect();
        let seen = if parts.len() == 1 { parts[0] } else { writer.concat(&parts, 2) };
        let weights = kernel.weights.slice(&[start], &[end], &[2], &[1]);
        weights.reshape(&[groups, outputs / groups, (end - start) * inputs]).matmul(seen)
    });
    // The first dimension is the batch.
    let sizes = writer.concat(&[writer.ints(&[0, outputs]), spatial], 0);
    products.reduce(|sum, product| sum + product).unwrap_or(x).reshape_to(sizes)
}

/// With the bias of the node, one number a channel.
fn biased<'w>(step: &Step<'_, 'w>, x: Expr<'w>, axes: usize) -> Expr<'w> {
    let Some(bias) = step.optional(2) else { return x };
    x + per_channel(bias, axes)
}

/// A vector of one number a channel, for values with this many spatial axes.
pub fn per_channel(vector: Expr<'_>, axes: usize) -> Expr<'_> {
    let mut sizes = vec![1; axes + 1];
    sizes[0] = -1;
    vector.reshape(&sizes)
}
