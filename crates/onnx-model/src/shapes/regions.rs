//! Regions of images: windows put back in place, and regions that are an input.

use super::extent::{Extent, product};
use super::op::{Dims, Op, Unproven, agree, distinct_axes, equal, multiple};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Col2Im"], Rule::one(col2im)),
    (&["RoiAlign"], Rule::one(roi_align)),
    (&["MaxRoiPool"], Rule::one(max_roi_pool)),
    (&["MaxUnpool"], Rule::one(max_unpool)),
    (&["CenterCropPad"], Rule::one(center_crop_pad)),
];

/// Columns of windows added up to images.
fn col2im(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_is(0, 3, "it has a batch, an axis of channels and block, and an axis of blocks")?;
    let (Some(columns), Some(image)) = (op.dims(0), op.elements(1)) else { return Ok(None) };
    let Some(block) = op.elements(2) else { return Ok(None) };
    equal(image.len(), block.len(), "image and block have the same axes")?;
    let places = product(block);
    if let Some(places) = places.as_ref().and_then(Extent::as_known) {
        multiple(&columns[1], places, "channels and block share an axis")?;
    }
    let channels = columns[1].as_ref().zip(places.as_ref()).and_then(|(all, places)| all.divide_exactly(places));
    let mut dims = vec![columns[0].clone(), channels];
    dims.extend_from_slice(image);
    Ok(Some(dims))
}

/// `RoiAlign`: one image of the stated size for each region.
fn roi_align(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_is(2, 1, "it has one number for each region")?;
    if let (Some([regions, numbers]), Some([images])) = (op.dims(1).map(Vec::as_slice), op.dims(2).map(Vec::as_slice)) {
        agree(regions, images, "each region belongs to one image")?;
        agree(numbers, &Some(Extent::known(4)), "a region has two corners")?;
    }
    let size = |name| op.int(name).map(Extent::known);
    regions(op, &[size("output_height"), size("output_width")])
}

/// `MaxRoiPool`: one image of the stated size for each region.
fn max_roi_pool(op: &Op) -> Result<Option<Dims>, Problem> {
    match op.ints("pooled_shape") {
        Some([height, width]) => regions(op, &[Some(Extent::known(*height)), Some(Extent::known(*width))]),
        shape => {
            let value = format!("{:?}", shape.unwrap_or_default());
            Err(Problem::Value { name: "pooled_shape", value, rule: "it has a height and a width" })
        }
    }
}

fn regions(op: &Op, size: &[Option<Extent>; 2]) -> Result<Option<Dims>, Problem> {
    op.rank_is(0, 4, "it has a batch, a channel and two spatial axes")?;
    op.rank_is(1, 2, "each region is a row")?;
    let channels = op.dims(0).and_then(|x| x[1].clone());
    let count = op.dims(1).and_then(|rois| rois[0].clone());
    Ok(Some([&[count, channels], size.as_slice()].concat()))
}

/// `MaxUnpool`: the stated size, or that of the input of the pool without the rest that did not fill a window.
fn max_unpool(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(1, 2, "it has the shape of the input")?;
    let (Some(x), Some(kernel)) = (op.dims(0), op.ints("kernel_shape")) else { return Ok(None) };
    if x.len() != kernel.len() + 2 {
        let value = format!("{kernel:?}");
        return Err(Problem::Value { name: "kernel_shape", value, rule: "there is one size for each spatial axis" });
    }
    if op.input(2).is_some() {
        return Ok(Some(op.elements(2).cloned().unwrap_or_else(|| vec![None; x.len()])));
    }
    let at = |name, position: usize, absent| op.ints(name).map_or(Some(absent), |list| list.get(position).copied());
    let spatial = |(position, size): (usize, &Option<Extent>)| {
        let (before, after) = (at("pads", position, 0)?, at("pads", position + kernel.len(), 0)?);
        let grown = size.as_ref()?.plus(-1)?.times(at("strides", position, 1)?)?.plus(kernel[position])?;
        grown.plus(before.checked_neg()?)?.plus(after.checked_neg()?)
    };
    let sizes = x[2..].iter().enumerate().map(spatial);
    Ok(Some(x[..2].iter().cloned().chain(sizes).collect()))
}

/// `CenterCropPad`: the stated size along some axes.
fn center_crop_pad(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let axes = match op.axes(2) {
        Err(Unproven) => return Ok(Some(vec![None; dims.len()])),
        Ok(Some(axes)) => distinct_axes(&axes, dims.len())?,
        Ok(None) => (0..dims.len()).collect(),
    };
    let Some(sizes) = op.elements(1) else { return Ok(Some(vec![None; dims.len()])) };
    equal(sizes.len(), axes.len(), "there is one size for each axis")?;
    let mut result = dims.clone();
    for (position, size) in axes.into_iter().zip(sizes) {
        result[position] = size.clone();
    }
    Ok(Some(result))
}
