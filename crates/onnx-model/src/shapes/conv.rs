//! Windows that move over an input: convolutions, their transposes, and pools.

use super::extent::{Extent, Size, product};
use super::op::{Dims, Op, agree, equal, multiple};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Conv", "ConvInteger"], Rule::one(|op| conv(op, 0, 1))),
    (&["QLinearConv"], Rule::one(|op| conv(op, 0, 3))),
    (&["DeformConv"], Rule::one(deformed)),
    (&["ConvTranspose"], Rule::one(transposed)),
    (&["AveragePool", "LpPool", "MaxPool"], Rule::all(pool)),
    (&["GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"], Rule::one(global_pool)),
];

const LAYOUT: &str = "it has a batch, a channel and spatial axes";

/// How a window moves, axis by axis.
struct Window {
    kernel: Vec<Size>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    /// Before and after.
    pads: Vec<(i64, i64)>,
    same: bool,
}

impl Window {
    fn new(op: &Op, kernel: Vec<Size>) -> Result<Self, Problem> {
        let spatial = kernel.len();
        let list = |name: &'static str, count: usize, absent: i64, least: i64| {
            let Some(values) = op.ints(name) else { return Ok(vec![absent; count]) };
            let bad = |rule| Problem::Value { name, value: format!("{values:?}"), rule };
            match values.len() == count {
                false => Err(bad("there is one for each spatial axis, two for pads")),
                true if values.iter().any(|value| *value < least) => Err(bad("it is too small")),
                true => Ok(values.to_vec()),
            }
        };
        let pads = list("pads", 2 * spatial, 0, 0)?;
        let (before, after) = pads.split_at(spatial);
        let mode = op.string("auto_pad").unwrap_or("NOTSET");
        if !["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].contains(&mode) {
            let rule = "it is NOTSET, VALID, SAME_UPPER or SAME_LOWER";
            return Err(Problem::Value { name: "auto_pad", value: mode.to_owned(), rule });
        }
        Ok(Self {
            kernel,
            strides: list("strides", spatial, 1, 1)?,
            dilations: list("dilations", spatial, 1, 1)?,
            pads: before.iter().copied().zip(after.iter().copied()).collect(),
            same: mode.starts_with("SAME"),
        })
    }

    /// The extent of the window along an axis, with the holes of its dilation.
    fn reach(&self, position: usize) -> Size {
        self.kernel[position].as_ref()?.plus(-1)?.times(self.dilations[position])?.plus(1)
    }

    /// The number of places for the window along an axis of this size.
    fn places(&self, position: usize, size: &Size, ceil: bool) -> Result<Size, Problem> {
        let Some(size) = size else { return Ok(None) };
        let stride = self.strides[position];
        if self.same {
            return Ok(size.plus(stride - 1).and_then(|sum| sum.floor_div(stride)));
        }
        let (before, after) = self.pads[position];
        let room = || size.plus(before)?.plus(after)?.sub(&self.reach(position)?);
        let Some(room) = room() else { return Ok(None) };
        if room.as_known().is_some_and(|room| room < 0) {
            let rule = "the window fits into the padded input";
            let reach = self.reach(position).map_or_else(String::new, |reach| reach.to_string());
            return Err(Problem::Sizes { rule, left: reach, right: format!("{size} or less") });
        }
        if !ceil || stride == 1 {
            return Ok(room.floor_div(stride).and_then(|count| count.plus(1)));
        }
        // A last window that begins in the padding is dropped by some runtimes and not by others.
        let (Some(room), Some(size)) = (room.as_known(), size.as_known()) else { return Ok(None) };
        let count = room.div_euclid(stride) + i64::from(room.rem_euclid(stride) != 0) + 1;
        let begins = (count - 1).saturating_mul(stride);
        Ok((begins < size.saturating_add(before)).then(|| Extent::known(count)))
    }
}

/// The spatial sizes of the kernel, from the weight and from the attribute.
fn kernel(op: &Op, weight: Option<&[Size]>) -> Result<Option<Vec<Size>>, Problem> {
    let said = op.ints("kernel_shape").map(|sizes| sizes.iter().map(|size| Some(Extent::known(*size))).collect());
    let (Some(weight), Some(said)) = (weight, &said) else { return Ok(said.or(weight.map(<[Size]>::to_vec))) };
    let rule = "kernel_shape is the shape of the weight's last axes";
    equal(Vec::len(said), weight.len(), rule)?;
    said.iter().zip(weight).map(|(said, size)| agree(said, size, rule)).collect::<Result<_, _>>().map(Some)
}

fn group(op: &Op) -> Result<i64, Problem> {
    match op.int("group").unwrap_or(1) {
        group if group > 0 => Ok(group),
        group => Err(Problem::Value { name: "group", value: group.to_string(), rule: "it is 1 or more" }),
    }
}

/// The input and weight of a convolution, when both ranks are known; they must be equal.
fn operands<'a>(op: &'a Op, input: usize, weight: usize) -> Result<Option<(&'a Dims, &'a Dims)>, Problem> {
    op.rank_at_least(input, 3, LAYOUT)?;
    op.rank_at_least(weight, 3, "it has two channel axes and spatial axes")?;
    match (op.dims(input), op.dims(weight)) {
        (Some(x), Some(w)) if x.len() != w.len() => {
            Err(Problem::Rank { input: weight, found: w.len(), rule: "input and weight have the same rank" })
        }
        (Some(x), Some(w)) => Ok(Some((x, w))),
        _ => Ok(None),
    }
}

fn conv(op: &Op, input: usize, weight: usize) -> Result<Option<Dims>, Problem> {
    let Some((x, w)) = operands(op, input, weight)? else { return Ok(None) };
    let group = group(op)?;
    let channels = w[1].as_ref().and_then(|channels| channels.times(group));
    agree(&x[1], &channels, "the input's channels are those of the weight, group by group")?;
    multiple(&w[0], group, "the groups share the output channels evenly")?;
    if op.node.op_type == "Conv" {
        bias(op, 2, &w[0])?;
    }
    let Some(kernel) = kernel(op, Some(&w[2..]))? else { return Ok(None) };
    let window = Window::new(op, kernel)?;
    let mut dims = vec![x[0].clone(), w[0].clone()];
    for (position, size) in x[2..].iter().enumerate() {
        dims.push(window.places(position, size, false)?);
    }
    Ok(Some(dims))
}

fn bias(op: &Op, input: usize, channels: &Size) -> Result<(), Problem> {
    op.rank_is(input, 1, "a bias is a vector")?;
    if let Some([size]) = op.dims(input).map(Vec::as_slice) {
        agree(size, channels, "there is one bias for each output channel")?;
    }
    Ok(())
}

/// `DeformConv`: a convolution whose offsets and weights of sampling have the shape of its output.
fn deformed(op: &Op) -> Result<Option<Dims>, Problem> {
    let dims = conv(op, 0, 1)?;
    let (Some(made), Some(w)) = (&dims, op.dims(1)) else { return Ok(dims) };
    bias(op, 3, &w[0])?;
    let places = product(&w[2..]).and_then(|places| places.times(op.int("offset_group").unwrap_or(1)));
    let axes = i64::try_from(w.len() - 2).unwrap_or(0);
    for (input, numbers) in [(2, axes), (4, 1)] {
        let rule = "offsets and mask have the batch and the places of the output";
        op.rank_is(input, made.len(), rule)?;
        let Some(given) = op.dims(input) else { continue };
        agree(&given[0], &made[0], rule)?;
        agree(
            &given[1],
            &places.as_ref().and_then(|places| places.times(numbers)),
            "one for each place of the kernel",
        )?;
        for (given, made) in given[2..].iter().zip(&made[2..]) {
            agree(given, made, rule)?;
        }
    }
    Ok(dims)
}

fn transposed(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some((x, w)) = operands(op, 0, 1)? else { return Ok(None) };
    let group = group(op)?;
    agree(&x[1], &w[0], "the input's channels are those of the weight")?;
    let channels = w[1].as_ref().and_then(|channels| channels.times(group));
    bias(op, 2, &channels)?;
    let Some(kernel) = kernel(op, Some(&w[2..]))? else { return Ok(None) };
    let window = Window::new(op, kernel)?;
    let spatial = x.len() - 2;
    let list = |name: &'static str| match op.ints(name) {
        Some(values) if values.len() != spatial => {
            let rule = "there is one for each spatial axis";
            Err(Problem::Value { name, value: format!("{values:?}"), rule })
        }
        values => Ok(values),
    };
    let (shape, extra) = (list("output_shape")?, list("output_padding")?);
    let mut dims = vec![x[0].clone(), channels];
    for (position, size) in x[2..].iter().enumerate() {
        let stride = window.strides[position];
        let made = || {
            let size = size.as_ref()?;
            if window.same {
                return size.times(stride);
            }
            let (before, after) = window.pads[position];
            let extra = extra.map_or(0, |extra| extra[position]);
            size.plus(-1)?
                .times(stride)?
                .add(&window.reach(position)?)?
                .plus(extra.saturating_sub(before).saturating_sub(after))
        };
        dims.push(match shape {
            Some(shape) => Some(Extent::known(shape[position])),
            None => made(),
        });
    }
    Ok(Some(dims))
}

fn pool(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    op.rank_at_least(0, 3, LAYOUT)?;
    let (Some(x), Some(kernel)) = (op.dims(0), kernel(op, None)?) else { return Ok(vec![None; 2]) };
    if kernel.len() != x.len() - 2 {
        let value = format!("{:?}", op.ints("kernel_shape").unwrap_or_default());
        return Err(Problem::Value { name: "kernel_shape", value, rule: "there is one size for each spatial axis" });
    }
    let window = Window::new(op, kernel)?;
    let ceil = op.flag("ceil_mode");
    let mut dims = x[..2].to_vec();
    for (position, size) in x[2..].iter().enumerate() {
        dims.push(window.places(position, size, ceil)?);
    }
    Ok(vec![Some(dims); 2])
}

fn global_pool(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 2, LAYOUT)?;
    let Some(x) = op.dims(0) else { return Ok(None) };
    let ones = x.iter().skip(2).map(|_| Some(Extent::known(1)));
    Ok(Some(x.iter().take(2).cloned().chain(ones).collect()))
}
