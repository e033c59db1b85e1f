//! The types of steps that only move elements, and of layers.

use super::operation::{Operation, Pooling, front};
use super::size::{Kind, Size, Type};

impl Operation {
    /// Steps that only move elements.
    pub fn moved(&self, x: &Type, y: Option<&Type>) -> Option<Type> {
        let rank = x.shape.len();
        let mut shape = x.shape.clone();
        match self {
            Self::SwapDims(left, right) => {
                let (left, right) = (front(*left, rank), front(*right, rank));
                shape.get(left.max(right))?;
                shape.swap(left, right);
            }
            Self::Merge(at) => {
                shape[*at] = shape[*at].join(shape.get(at + 1)?, "*", |left, right| left * right);
                shape.remove(at + 1);
            }
            Self::Split(at, by) => {
                shape[*at] =
                    shape[*at].map(|text| format!("{text} / {by}"), |size| (size % by == 0).then(|| size / by))?;
                shape.insert(*at, Size::fixed(*by));
            }
            Self::Cross(at) => {
                shape.get(at + 1)?;
                shape.swap(*at, at + 1);
            }
            Self::Flatten => {
                let product =
                    shape.iter().skip(1).fold(shape[0].clone(), |size, other| size.join(other, "*", |a, b| a * b));
                shape = vec![product];
            }
            Self::Unsqueeze(at) => shape.insert(*at, Size::fixed(1)),
            Self::Squeeze(at) => {
                (shape.len() > 1 && shape[*at].value() == Some(1)).then_some(())?;
                shape.remove(*at);
            }
            Self::ExpandLike(at, like) => {
                (shape[*at].value() == Some(1)).then_some(())?;
                shape[*at] = shape[*like].clone();
            }
            Self::Repeat(at, times) => {
                let at = front(*at, rank);
                shape[at] = shape[at].map(|text| format!("{text} * {times}"), |size| Some(size * times))?;
            }
            Self::Slice(at, start, end) => {
                let less = start + end;
                shape[*at] = shape[*at].map(|text| format!("({text} - {less})"), |size| size.checked_sub(less))?;
            }
            Self::SliceStep(at) => {
                shape[*at] = shape[*at].map(|text| format!("ceil({text} / 2)"), |size| Some(size.div_ceil(2)))?;
            }
            Self::Last(at) => shape[*at] = Size::fixed(1),
            Self::Flip(_) => {}
            Self::Pad(before, behind, scalar) if x.kind == Kind::Float => {
                let more = before + behind;
                shape[rank - 1] = shape[rank - 1].map(|text| format!("({text} + {more})"), |size| Some(size + more))?;
                return Some(x.of(x.kind, x.bound.max(scalar.abs()), x.grid.map(|grid| grid.max(3))).shaped(shape));
            }
            Self::Cat(at) => {
                let y = y.filter(|y| y.kind == x.kind && y.shape.len() == rank)?;
                let at = front(*at, rank);
                let same = |(place, (left, right)): (usize, (&Size, &Size))| place == at || left.same(right);
                shape.iter().zip(&y.shape).enumerate().all(same).then_some(())?;
                shape[at] = shape[at].join(&y.shape[at], "+", |left, right| left + right);
                let grid = x.grid.zip(y.grid).map(|(left, right)| left.max(right));
                return Some(x.of(x.kind, x.bound.max(y.bound), grid).shaped(shape));
            }
            Self::SliceAssign(at, start) => {
                let y = y.filter(|y| y.kind == x.kind && y.shape.len() == rank)?;
                let same = |(place, (left, right)): (usize, (&Size, &Size))| place == *at || left.same(right);
                shape.iter().zip(&y.shape).enumerate().all(same).then_some(())?;
                shape[*at].holds(&y.shape[*at], *start).then_some(())?;
                let grid = x.grid.zip(y.grid).map(|(left, right)| left.max(right));
                return Some(x.of(x.kind, x.bound.max(y.bound), grid));
            }
            Self::Unfold(step) if x.kind == Kind::Float && rank < 4 => {
                let windows = |size: usize| Some(size.checked_sub(3)? / step + 1);
                shape[rank - 1] = shape[rank - 1].map(|text| format!("(({text} - 3) / {step} + 1)"), windows)?;
                shape.push(Size::fixed(3));
            }
            _ => return None,
        }
        Some(x.shaped(shape))
    }

    /// Layers.
    pub fn layered(&self, x: &Type) -> Option<Type> {
        let rank = x.shape.len();
        let float = x.kind == Kind::Float;
        match self {
            Self::Linear(features) if float => {
                let inner = x.shape[rank - 1].value()?;
                let made = x.of(x.kind, x.bound * inner as f64 + 1.0, None);
                Some(made.with(rank - 1, Size::fixed(*features)))
            }
            Self::LayerNorm if float && x.bound <= 64.0 => {
                let width = x.shape[rank - 1].value()? as f64;
                Some(x.of(x.kind, width.sqrt() + 1.0, None))
            }
            Self::BatchNorm if float && rank >= 2 => {
                x.shape[1].value()?;
                Some(x.of(x.kind, (x.bound + 1.0) * 1.5 + 1.0, None))
            }
            Self::Conv(kernel, stride, padding) if float && rank >= 3 => {
                let channels = x.shape[1].value()?;
                let taps = channels * kernel.pow(rank as u32 - 2);
                let made = x.of(x.kind, x.bound * taps as f64 + 1.0, None).with(1, Size::fixed(3));
                windows(made, *kernel, *stride, *padding)
            }
            Self::ConvTranspose(kernel, stride) if float && rank >= 3 => {
                let channels = x.shape[1].value()?;
                let taps = channels * kernel.pow(rank as u32 - 2);
                let mut made = x.of(x.kind, x.bound * taps as f64 + 1.0, None).with(1, Size::fixed(3));
                for size in made.shape.iter_mut().skip(2) {
                    let text = |text: &str| format!("(({text} - 1) * {stride} + {kernel})");
                    *size = size.map(text, |size| Some((size - 1) * stride + kernel))?;
                }
                Some(made)
            }
            Self::AdaptivePool(windows) if float && rank >= 3 => {
                let mut made = x.of(x.kind, x.bound, None);
                made.shape.iter_mut().skip(2).for_each(|size| *size = Size::fixed(*windows));
                Some(made)
            }
            Self::Pool(kind, kernel, stride, padding) if float && rank >= 3 => {
                let grid = if *kind == Pooling::Max { x.grid } else { None };
                windows(x.of(x.kind, x.bound, grid), *kernel, *stride, *padding)
            }
            _ => None,
        }
    }
}

/// Windows over every axis after the first two.
fn windows(mut made: Type, kernel: usize, stride: usize, padding: usize) -> Option<Type> {
    for size in made.shape.iter_mut().skip(2) {
        let count = |size: usize| Some((size + 2 * padding).checked_sub(kernel)? / stride + 1);
        let text = |text: &str| format!("(({text} + {}) / {stride} + 1)", 2 * padding as isize - kernel as isize);
        *size = size.map(text, count)?;
    }
    Some(made)
}
