//! Convolutions as matrix products.
//!
//! Each place of the kernel sees a part of the input; the products of its weights with that part are added up. Several places
//! share a product where there are few channels.

use super::form::{Family, Form};
use super::step::{One, Reason, Step};
use super::window::{Window, not_negative, numbers};
use super::writer::{Expr, Writer};

pub const FAMILY: Family = &[
    (&["Conv"], 0, Form::One(conv)),
    (&["ConvTranspose"], 0, Form::One(transposed)),
    (&["ConvInteger", "DeformConv", "MatMulInteger"], 0, Form::Native),
];

/// Places share a matrix product until it sums over this many values.
const SHARED: i64 = 64;

/// A kernel, group by group.
struct Kernel<'w> {
    /// `[group, output channels of a group, places, input channels of a group]`.
    weights: Expr<'w>,
    groups: i64,
    /// Input channels of a group.
    inputs: i64,
    /// Output channels of all groups, where they are known.
    outputs: Option<i64>,
}

/// What is known of the sizes of a weight.
struct Sizes {
    /// Of the first axis.
    first: Option<i64>,
    /// Of the second axis.
    second: Option<i64>,
    /// Of the spatial axes.
    kernel: Vec<i64>,
}

/// The sizes of the weight at `position`; `kernel_shape` may say what the weight does not.
fn weight_sizes(step: &Step, position: usize) -> Result<Sizes, Reason> {
    let sizes = step.sizes(position)?;
    if sizes.len() < 3 || sizes.iter().flatten().any(|size| !(0..1 << 31).contains(size)) {
        return Err("its weight has no spatial axes, or is too large");
    }
    let known = || sizes[2..].iter().copied().collect::<Option<Vec<i64>>>();
    let said = || step.op.ints("kernel_shape").filter(|said| said.len() == sizes.len() - 2).map(<[i64]>::to_vec);
    let kernel = known().or_else(said).ok_or("the sizes of its kernel are not known")?;
    Ok(Sizes { first: sizes[0], second: sizes[1], kernel })
}

/// The channels of the input, which the weight need not tell.
fn channels(step: &Step) -> Option<i64> {
    step.sizes(0).ok()?.get(1).copied().flatten()
}

/// The number of groups.
fn groups(step: &Step) -> Result<i64, Reason> {
    match step.int("group") {
        groups @ 1..=0x7fff_ffff => Ok(groups),
        _ => Err("it has no groups"),
    }
}

fn conv<'w>(step: &Step<'_, 'w>) -> One<'w> {
    of(step, step.input(0), step.input(1), 1, step.optional(2))
}

/// The convolution of `x` with `weight`, which comes from the input at `position`.
pub fn of<'w>(step: &Step<'_, 'w>, x: Expr<'w>, weight: Expr<'w>, position: usize, bias: Option<Expr<'w>>) -> One<'w> {
    let sizes = weight_sizes(step, position)?;
    let (outputs, groups) = (sizes.first, groups(step)?);
    let inputs = sizes.second.or_else(|| Some(channels(step)? / groups)).ok_or("its channels are not known")?;
    let window = Window::new(step, sizes.kernel)?;
    let sizes = [groups, outputs.map_or(-1, |outputs| outputs / groups), inputs, window.places()];
    let weights = weight.reshape(&sizes).transpose(&[0, 1, 3, 2]);
    let padded = window.padding(step, x)?.around(x, 0.0);
    let result = correlate(&window, padded, &Kernel { weights, groups, inputs, outputs });
    Ok(biased(result, bias, window.axes()))
}

/// The input with zeros between its elements, convolved with the kernel turned round.
fn transposed<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let writer = step.writer;
    let sizes = weight_sizes(step, 1)?;
    let (outputs, groups) = (sizes.second, groups(step)?);
    let inputs = sizes.first.or_else(|| channels(step)).ok_or("its channels are not known")?;
    let window = Window::new(step, sizes.kernel)?;
    let axes = window.axes();
    let weights = step.input(1).reshape(&[groups, inputs / groups, outputs.unwrap_or(-1), window.places()]);
    let backwards: Vec<i64> = (0..window.places()).rev().collect();
    let weights = weights.transpose(&[0, 2, 3, 1]).gather(writer.ints(&backwards), 2);
    let kernel = Kernel { weights, groups, inputs: inputs / groups, outputs: outputs.map(|outputs| outputs * groups) };
    let x = step.input(0);
    let (before, after) = transposed_pads(step, &window, x)?;
    let spread = spread(x, &window.strides);
    let unchanged = writer.ints(&[0, 0]);
    let padded = spread.pad(writer.concat(&[unchanged, before, unchanged, after], 0), 0.0);
    let dense = Window { strides: vec![1; axes], ..window };
    Ok(biased(correlate(&dense, padded, &kernel), step.optional(2), axes))
}

/// What is added before and after the input of a transposed convolution when zeros lie after each of its elements: the
/// places by which the kernel reaches beyond it, less what the attributes cut off. The numbers may be negative.
fn transposed_pads<'w>(step: &Step<'_, 'w>, window: &Window, x: Expr<'w>) -> Result<(Expr<'w>, Expr<'w>), Reason> {
    let writer = step.writer;
    let axes = window.axes();
    let mode = step.op.string("auto_pad").unwrap_or("NOTSET");
    let extra = numbers(step, "output_padding", axes, 0, 0)?;
    let holes: Vec<i64> =
        window.kernel.iter().zip(&window.dilations).map(|(size, dilation)| (size - 1) * dilation).collect();
    let shape = step.op.ints("output_shape").map(|_| numbers(step, "output_shape", axes, 0, 0)).transpose()?;
    let (before, after) = match shape {
        None if mode.starts_with("SAME") => {
            let total = (0..axes).map(|axis| (holes[axis] + 1 + extra[axis] - window.strides[axis]).max(0));
            let halves = total.map(|total| (total / 2, total - total / 2));
            let (less, more): (Vec<_>, Vec<_>) = halves.unzip();
            let (before, after) = if mode == "SAME_UPPER" { (less, more) } else { (more, less) };
            (writer.ints(&before), writer.ints(&after))
        }
        None => {
            let pads = if mode == "NOTSET" { numbers(step, "pads", 2 * axes, 0, 0)? } else { vec![0; 2 * axes] };
            (writer.ints(&pads[..axes]), writer.ints(&pads[axes..]))
        }
        Some(shape) => {
            let strides = writer.ints(&window.strides);
            let reach: Vec<i64> = holes.iter().zip(&extra).map(|(hole, extra)| hole + 1 + extra).collect();
            let size = (x.shape().from(2) - 1) * strides + writer.ints(&reach);
            let total = size - writer.ints(&shape);
            // What is missing lies at the end.
            let cut = not_negative(total);
            let less = cut / 2;
            if mode == "SAME_UPPER" { (less, total - less) } else { (cut - less, less + (total - cut)) }
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
    // The runtime goes back from the result, first to the input of a node that was written last. So all products come before
    // the sums, and each view beside its product: few of them are held at a time.
    let mut views = window.views(x);
    let count = (SHARED / inputs.max(1)).clamp(1, window.places());
    let mut sizes = None;
    let starts = (0..window.places()).step_by(count as usize);
    let products = starts.map(|start| {
        let end = (start + count).min(window.places());
        let parts = views.by_ref().take(count as usize).map(|view| {
            // The product of the sizes by itself: an empty batch would leave a -1 without a meaning.
            let (_, flat) = *sizes.get_or_insert_with(|| {
                let spatial = view.shape().from(2);
                let area = spatial.reduce("ReduceProd", &[0], true);
                (spatial, writer.concat(&[writer.ints(&[0, groups, inputs]), area], 0))
            });
            view.reshape_to(flat)
        });
        let parts: Vec<_> = parts.collect();
        let seen = if parts.len() == 1 { parts[0] } else { writer.concat(&parts, 2) };
        let weights = kernel.weights.slice(&[start], &[end], &[2], &[1]);
        weights.reshape(&[groups, outputs.map_or(-1, |outputs| outputs / groups), (end - start) * inputs]).matmul(seen)
    });
    let products: Vec<_> = products.collect();
    let sum = products.into_iter().reduce(|sum, product| sum + product).unwrap_or(x);
    // The first dimension is the batch.
    let spatial = sizes.map_or_else(|| x.shape().from(2), |(spatial, _)| spatial);
    sum.reshape_to(writer.concat(&[writer.ints(&[0, outputs.unwrap_or(-1)]), spatial], 0))
}

/// With a bias of one number a channel.
fn biased<'w>(x: Expr<'w>, bias: Option<Expr<'w>>, axes: usize) -> Expr<'w> {
    bias.map_or(x, |bias| x + per_channel(bias, axes))
}

/// A vector of one number a channel, for values with this many spatial axes.
pub fn per_channel(vector: Expr<'_>, axes: usize) -> Expr<'_> {
    let mut sizes = vec![1; axes + 1];
    sizes[0] = -1;
    vector.reshape(&sizes)
}
