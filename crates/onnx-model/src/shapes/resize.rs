//! Images of another size.

use super::extent::{Extent, Size};
use super::op::{Dims, Op, agree, distinct_axes, multiple};
use super::rule::{Family, Rule};
use crate::Attribute;
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Resize"], Rule::one(resize)),
    (&["Upsample"], Rule::one(|op| Ok(op.dims(0).map(|dims| times(dims, scales(op, 1)))))),
    (&["GridSample"], Rule::one(grid_sample)),
    (&["AffineGrid"], Rule::one(affine_grid)),
    (&["DepthToSpace"], Rule::one(depth_to_space)),
    (&["SpaceToDepth"], Rule::one(space_to_depth)),
];

/// Each size by its scale, where that is known.
fn times(dims: &Dims, scales: Option<&[f32]>) -> Dims {
    let scale = |position: usize| scales.and_then(|scales| scales.get(position).copied());
    dims.iter().enumerate().map(|(position, size)| scaled(size, scale(position)?)).collect()
}

fn resize(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let axes = match op.ints("axes") {
        Some(axes) => distinct_axes(axes, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    // Opset 10 has neither a region nor sizes.
    if op.schema.since < 11 {
        return Ok(Some(times(dims, scales(op, 1))));
    }
    // At opset 11 scales are always there, and empty where sizes hold.
    let length = |input| match op.dims(input).map(Vec::as_slice) {
        Some([length]) => length.as_ref().and_then(Extent::as_known),
        _ => None,
    };
    let given = |input| op.input(input).is_some() && length(input) != Some(0);
    let value = || format!("{} inputs", op.node.inputs.len());
    match (given(2), given(3)) {
        (true, true) if length(2).is_some() && length(3).is_some() => {
            return Err(Problem::Value { name: "sizes", value: value(), rule: "scales and sizes exclude each other" });
        }
        (false, false) => {
            return Err(Problem::Value { name: "sizes", value: value(), rule: "either scales or sizes are there" });
        }
        _ => {}
    }
    for input in [2, 3].into_iter().filter(|input| given(*input)) {
        let expected = Some(Extent::known(axes.len() as i64));
        agree(&length(input).map(Extent::known), &expected, "there is one scale or size for each axis")?;
    }
    let mut result = dims.clone();
    let stretch = op.string("keep_aspect_ratio_policy").is_none_or(|policy| policy == "stretch");
    for (index, position) in axes.into_iter().enumerate() {
        result[position] = match (given(3), op.elements(3), scales(op, 2)) {
            (true, Some(sizes), _) if stretch => sizes.get(index).cloned().flatten(),
            (false, _, Some(scales)) => scales.get(index).and_then(|scale| scaled(&dims[position], *scale)),
            _ => None,
        };
    }
    Ok(Some(result))
}

/// The scales: at opset 7 an attribute.
fn scales<'a>(op: &'a Op, input: usize) -> Option<&'a [f32]> {
    match op.node.attributes.get("scales") {
        Some(Attribute::Floats(scales)) => Some(scales),
        _ => op.input(input)?.floats.as_deref(),
    }
}

fn scaled(size: &Size, scale: f32) -> Size {
    let size = size.as_ref()?;
    match size.as_known() {
        Some(known) => Some(Extent::known((known as f64 * f64::from(scale)).floor() as i64)),
        None if scale.fract() == 0.0 && (1.0..1e6).contains(&scale) => size.times(scale as i64),
        None => Extent::opaque(format!("floor(({size})*{scale:?})")),
    }
}

fn grid_sample(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(x), Some(grid)) = (op.dims(0), op.dims(1)) else { return Ok(None) };
    if x.len() != grid.len() || x.len() < 3 {
        return Err(Problem::Rank { input: 1, found: grid.len(), rule: "it has the rank of the input" });
    }
    let batch = agree(&x[0], &grid[0], "input and grid have the same batch")?;
    let spatial = (x.len() - 2) as i64;
    agree(&grid[grid.len() - 1], &Some(Extent::known(spatial)), "the grid holds one coordinate for each spatial axis")?;
    let mut dims = vec![batch, x[1].clone()];
    dims.extend_from_slice(&grid[1..grid.len() - 1]);
    Ok(Some(dims))
}

fn affine_grid(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(size) = op.elements(1) else { return Ok(None) };
    let spatial = size.len().saturating_sub(2);
    if !(2..=3).contains(&spatial) {
        return Err(Problem::Value {
            name: "size",
            value: format!("{} sizes", size.len()),
            rule: "it has 4 or 5 sizes",
        });
    }
    op.rank_is(0, 3, "theta holds one matrix for each image")?;
    if let Some([batch, rows, columns]) = op.dims(0).map(Vec::as_slice) {
        let sizes = [spatial as i64, spatial as i64 + 1].map(|size| Some(Extent::known(size)));
        agree(batch, &size[0], "theta holds one matrix for each image")?;
        agree(rows, &sizes[0], "a matrix has one row for each spatial axis")?;
        agree(columns, &sizes[1], "a matrix has one column more than rows")?;
    }
    let mut dims = vec![size[0].clone()];
    dims.extend_from_slice(&size[2..]);
    dims.push(Some(Extent::known(spatial as i64)));
    Ok(Some(dims))
}

fn depth_to_space(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some((dims, block)) = blocks(op)? else { return Ok(None) };
    let channels = divided(&dims[1], block.saturating_mul(block), "the channels divide into blocks")?;
    let grown = |size: &Size| size.as_ref().and_then(|size| size.times(block));
    Ok(Some(vec![dims[0].clone(), channels, grown(&dims[2]), grown(&dims[3])]))
}

fn space_to_depth(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some((dims, block)) = blocks(op)? else { return Ok(None) };
    let channels = dims[1].as_ref().and_then(|size| size.times(block)?.times(block));
    let shrunk = |size| divided(size, block, "the image divides into blocks");
    Ok(Some(vec![dims[0].clone(), channels, shrunk(&dims[2])?, shrunk(&dims[3])?]))
}

fn blocks<'a>(op: &'a Op) -> Result<Option<(&'a Dims, i64)>, Problem> {
    op.rank_is(0, 4, "it has a batch, a channel and two spatial axes")?;
    match (op.dims(0), op.int("blocksize")) {
        (_, Some(block)) if block < 1 => {
            Err(Problem::Value { name: "blocksize", value: block.to_string(), rule: "it is 1 or more" })
        }
        (Some(dims), Some(block)) => Ok(Some((dims, block))),
        _ => Ok(None),
    }
}

fn divided(size: &Size, divisor: i64, rule: &'static str) -> Result<Size, Problem> {
    multiple(size, divisor, rule)?;
    Ok(size.as_ref().and_then(|size| size.divide_exactly(&Extent::known(divisor))))
}
