//! Images sampled at places between their pixels, as up to opset 19; from 20 on the runtime has it.

use super::form::{Family, Form};
use super::step::{Reason, Step};
use super::writer::{Expr, Operand};
use onnx_model::DataType;

pub const FAMILY: Family = &[(&["GridSample"], 0, Form::One(sample)), (&["GridSample"], 20, Form::Native)];

/// An axis of the image.
struct Axis<'w> {
    /// Where to sample, counted in pixels.
    place: Expr<'w>,
    /// The last pixel.
    last: Expr<'w>,
}

fn sample<'w>(step: &Step<'_, 'w>) -> Result<Expr<'w>, Reason> {
    let writer = step.writer;
    let (image, grid) = (step.input(0), step.input(1));
    if step.rank(0)? != 4
        || !step.output.is_some_and(|dtype| matches!(dtype, DataType::F32 | DataType::F16 | DataType::F64))
    {
        return Err("its input is no image of floats");
    }
    let padding = step.op.string("padding_mode").unwrap_or("zeros");
    let corners = step.op.flag("align_corners");
    let axis = |index: i64| {
        let size = image.shape().gather(3 - index, 0).cast(DataType::F64);
        let last = size - 1.0;
        let share = grid.gather(index, 3) + 1.0;
        let place = if corners { share * 0.5 * last } else { (share * size - 1.0) * 0.5 };
        let place = match padding {
            "zeros" => place,
            "border" => place.max(0.0).min(last),
            "reflection" if corners => reflected(place, 0.0, last.max(1.0)).max(0.0).min(last),
            "reflection" => reflected(place, -0.5, size).max(0.0).min(last),
            _ => return Err("the way in which it goes on beyond the image is not known"),
        };
        Ok(Axis { place, last })
    };
    let (x, y) = (axis(0)?, axis(1)?);
    let flat = image.reshape(&[0, 0, -1]);
    let shape = image.shape();
    let channels = writer.concat(&[writer.ints(&[1]), shape.slice(&[1], &[2], &[0], &[1]), writer.ints(&[1])], 0);
    let width = shape.gather(3, 0);
    // The pixels at whole places, zero outside of the image: `[batch, channels, places]`.
    let pixels = |column: Expr<'w>, row: Expr<'w>| {
        let (near_column, near_row) = (column.max(0.0).min(x.last), row.max(0.0).min(y.last));
        let inside = writer.node("And", &[column.equal(near_column), row.equal(near_row)], &[]);
        let index = near_row.cast(DataType::I64) * width + near_column.cast(DataType::I64);
        let index = writer.node("Expand", &[index.reshape(&[0, 1, -1]), channels], &[]);
        let found = writer.node("GatherElements", &[flat, index], &[("axis", 2i64.into())]);
        inside.reshape(&[0, 1, -1]).select(found, 0.0.expr(writer))
    };
    let weight = |share: Expr<'w>| share.reshape(&[0, 1, -1]);
    let found = match step.op.string("mode").unwrap_or("bilinear") {
        "nearest" => pixels(x.place.round(), y.place.round()),
        "bilinear" => {
            let (column, row) = (x.place.floor(), y.place.floor());
            let (right, below) = (weight(x.place - column), weight(y.place - row));
            let line = |row| pixels(column, row) * (1.0 - right) + pixels(column + 1.0, row) * right;
            line(row) * (1.0 - below) + line(row + 1.0) * below
        }
        _ => return Err("it interpolates by cubes"),
    };
    Ok(found.reshape_to(
        writer.concat(&[shape.slice(&[0], &[2], &[0], &[1]), grid.shape().slice(&[1], &[3], &[0], &[1])], 0),
    ))
}

/// A place thrown back from `low` and from `low + span` until it lies between.
fn reflected<'w>(place: Expr<'w>, low: f64, span: Expr<'w>) -> Expr<'w> {
    let distance = (place - low).abs();
    let turns = (distance / span).floor();
    let rest = distance - turns * span;
    let odd = (turns * 0.5).floor() * 2.0;
    odd.equal(turns).select(rest, span - rest) + low
}
