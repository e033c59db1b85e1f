//! Images of another size, axis after axis.
//!
//! Where rounding chooses a pixel, the place is computed in float32 as ONNX Runtime does: an image of other pixels would tell
//! nothing of the rounding of values. Where values are interpolated, it is in float64.

use super::form::{Family, Form};
use super::step::{One, Step};
use super::writer::{Expr, Operand};
use onnx_model::shapes::Extent;
use onnx_model::{Attribute, DataType};

pub const FAMILY: Family = &[(&["Resize"], 0, Form::One(resize)), (&["Upsample"], 0, Form::One(resize))];

/// An axis of the image.
struct Axis<'w> {
    /// The sizes before and after, integers.
    from: Expr<'w>,
    to: Expr<'w>,
    /// How many times as large it becomes; `None` where the sizes say so.
    scale: Option<Expr<'w>>,
}

fn resize<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let text = |name, default| step.op.string(name).unwrap_or(default);
    if step.op.flag("antialias") {
        return Err("it smooths what it shrinks");
    }
    if text("keep_aspect_ratio_policy", "stretch") != "stretch" {
        return Err("its sizes follow from one another");
    }
    let x = step.input(0);
    let rank = step.rank(0)?;
    let axes: Vec<i64> = match step.op.ints("axes") {
        Some(axes) => axes.iter().map(|axis| if *axis < 0 { axis + rank as i64 } else { *axis }).collect(),
        None => (0..rank as i64).collect(),
    };
    // From opset 11 to 12 scales are always there, and empty where sizes hold.
    let by_sizes = step.op.input(3).is_some() && !is_empty(step, 3);
    let scales = scales(step);
    let mut result = x;
    for (index, &axis) in axes.iter().enumerate() {
        if stays(step, by_sizes, index, axis as usize, scales) {
            continue;
        }
        let from = x.shape().gather(axis, 0);
        let sizes = match by_sizes {
            true => Axis { from, to: step.input(3).gather(index as i64, 0), scale: None },
            false => {
                if is_old(step)
                    && step.op.node.op_type == "Resize"
                    && !scales.is_some_and(|scales| scales.get(index).is_some_and(|scale| *scale >= 1.0))
                {
                    return Err("its text does not say how it shrinks");
                }
                let scale = match step.op.node.attributes.contains_key("scales") {
                    true => {
                        f64::from(scales.and_then(|scales| scales.get(index)).copied().unwrap_or(1.0)).expr(step.writer)
                    }
                    false => step.input(if is_old(step) { 1 } else { 2 }).gather(index as i64, 0),
                };
                // ONNX Runtime multiplies the size in float32.
                let size = from.cast(DataType::F32) * scale.cast(DataType::F32);
                Axis { from, to: size.floor().cast(DataType::I64), scale: Some(scale) }
            }
        };
        result = along(step, result, axis, (rank as i64 - 1 - axis) as usize, &sizes)?;
    }
    Ok(result)
}

/// Whether it is of opset 10 or before: without a region, sizes, and a choice of places.
fn is_old(step: &Step) -> bool {
    step.op.schema.since < 11
}

/// The scales, where they are fixed: at opset 7 an attribute.
fn scales<'a>(step: &'a Step) -> Option<&'a [f32]> {
    match step.op.node.attributes.get("scales") {
        Some(Attribute::Floats(scales)) => Some(scales),
        _ => step.op.input(if is_old(step) { 1 } else { 2 })?.floats.as_deref(),
    }
}

fn is_empty(step: &Step, position: usize) -> bool {
    step.op.dims(position).is_some_and(|dims| dims[..] == [Some(Extent::known(0))])
}

/// Whether an axis keeps its size, as far as that is known.
fn stays(step: &Step, by_sizes: bool, index: usize, axis: usize, scales: Option<&[f32]>) -> bool {
    match by_sizes {
        true => {
            let size = step.op.dims(0).and_then(|dims| dims[axis].clone());
            let sizes = step.op.elements(3).and_then(|sizes| sizes.get(index).cloned().flatten());
            size.is_some() && size == sizes
        }
        false => scales.is_some_and(|scales| scales.get(index) == Some(&1.0)),
    }
}

/// The image with another size along one axis, which `rest` axes follow.
fn along<'w>(step: &Step<'_, 'w>, x: Expr<'w>, axis: i64, rest: usize, sizes: &Axis<'w>) -> One<'w> {
    let last = sizes.from - 1;
    let within = |place: Expr<'w>| {
        let lifted = place.less(0).select(0, place);
        lifted.greater(last).select(last, lifted)
    };
    let at = |place: Expr<'w>| x.gather(within(place.cast(DataType::I64)), axis);
    if step.op.string("mode").unwrap_or("nearest") == "nearest" {
        let (place, half) = (coordinates(step, sizes, DataType::F32, 0.5f32)?, 0.5f32);
        let place =
            match step.op.string("nearest_mode").unwrap_or(if is_old(step) { "floor" } else { "round_prefer_floor" }) {
                "round_prefer_floor" => (place - half).ceil(),
                "round_prefer_ceil" => (place + half).floor(),
                "floor" => place.floor(),
                "ceil" => place.ceil(),
                _ => return Err("the way in which it rounds is not known"),
            };
        return Ok(at(place));
    }
    if !step.output.is_some_and(|dtype| matches!(dtype, DataType::F32 | DataType::F16 | DataType::BF16 | DataType::F64))
    {
        return Err("it interpolates integers");
    }
    let place = coordinates(step, sizes, DataType::F64, 0.5)?;
    let mut column = vec![1; rest + 1];
    column[0] = -1;
    if step.op.string("mode") == Some("linear") {
        let place = place.max(0.0).min(last.cast(DataType::F64));
        let low = place.floor();
        let weight = (place - low).reshape(&column);
        return Ok(at(low) * (1.0 - weight) + at(low + 1.0) * weight);
    }
    if step.op.flag("exclude_outside") {
        return Err("it leaves out what lies outside of the image");
    }
    let low = place.floor();
    let part = (place - low).reshape(&column);
    let a = step.real("cubic_coeff_a");
    let near = |t: Expr<'w>| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    let far = |t: Expr<'w>| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
    let rest = 1.0 - part;
    Ok(at(low - 1.0) * far(part + 1.0)
        + at(low) * near(part)
        + at(low + 1.0) * near(rest)
        + at(low + 2.0) * far(rest + 1.0))
}

/// Where each position of the result lies in the image, in the arithmetic of `dtype`, in which `half` is 0.5.
fn coordinates<'w>(step: &Step<'_, 'w>, sizes: &Axis<'w>, dtype: DataType, half: impl Operand<'w>) -> One<'w> {
    let half = half.expr(step.writer);
    let one = half + half;
    let position = step.writer.range(sizes.to).cast(dtype);
    let (from, to) = (sizes.from.cast(dtype), sizes.to.cast(dtype));
    let scale = sizes.scale.map_or_else(|| to / from, |scale| scale.cast(dtype));
    let default = if is_old(step) { "asymmetric" } else { "half_pixel" };
    let centred = || (position + half) / scale - half;
    Ok(match step.op.string("coordinate_transformation_mode").unwrap_or(default) {
        "half_pixel" => centred(),
        "pytorch_half_pixel" => to.greater(one).select(centred(), 0i64.expr(step.writer).cast(dtype)),
        "half_pixel_symmetric" => {
            let offset = from * half * (one - to / (from * scale));
            offset + (position + half) / scale - half
        }
        "asymmetric" => position / scale,
        "align_corners" => position * (from - one) / (to - one).max(one),
        "tf_half_pixel_for_nn" => (position + half) / scale,
        _ => return Err("it takes a part of the image"),
    })
}
