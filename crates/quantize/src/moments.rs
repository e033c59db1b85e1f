//! What a product sees: the mean of each element of what it multiplies, and how they vary together.
//!
//! A product multiplies rows of `width` elements by its weight: the last axis of a matrix, or the windows of a convolution, which has such
//! rows for each of its groups. Of many rows some are taken, evenly spread, so that memory and time do not grow with the samples.

use engines::tensor::Tensor;
use onnx_model::Node;

/// The widest rows whose elements are looked at in pairs. Of wider ones the mean alone is kept.
const WIDEST: usize = 2048;

/// The most numbers that the pairs of one product may take.
const MOST: usize = 1 << 22;

/// The rows of a product within the value that it takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lens {
    /// The last axis.
    Rows,
    /// The windows of a convolution over two axes.
    Windows {
        /// Height and width.
        kernel: [usize; 2],
        /// The distance between two windows.
        strides: [usize; 2],
        /// Zeros before the first element of each axis, and behind the last.
        pads: [usize; 4],
        /// The distance between two elements of a window.
        dilations: [usize; 2],
        /// Parts of the channels, each with windows of its own.
        groups: usize,
    },
}

impl Lens {
    /// How a node sees its first input; `dims` is the shape of its weight. `None` for a node that is no product, or a window of another kind.
    pub fn of(node: &Node, dims: &[u64]) -> Option<Self> {
        match node.op_type.as_str() {
            "MatMul" | "Gemm" => Some(Self::Rows),
            "Conv" => {
                let [_, _, height, width] = dims else { return None };
                let numbers = |name: &str, absent: usize, count: usize| -> Option<Vec<usize>> {
                    let Some(given) = node.ints(name) else { return Some(vec![absent; count]) };
                    given.iter().map(|number| usize::try_from(*number).ok()).collect()
                };
                let padded = node.string("auto_pad").is_some_and(|way| way != "NOTSET" && way != "VALID");
                if padded {
                    return None;
                }
                Some(Self::Windows {
                    kernel: [usize::try_from(*height).ok()?, usize::try_from(*width).ok()?],
                    strides: numbers("strides", 1, 2)?.try_into().ok()?,
                    pads: numbers("pads", 0, 4)?.try_into().ok()?,
                    dilations: numbers("dilations", 1, 2)?.try_into().ok()?,
                    groups: usize::try_from(node.int("group").unwrap_or(1)).ok()?,
                })
            }
            _ => None,
        }
    }

    /// At most `count` rows of a value, evenly spread: for each group, one after the other.
    fn rows(&self, shape: &[usize], elements: &[f32], count: usize, seen: usize) -> Option<Vec<Vec<f32>>> {
        match self {
            Self::Rows => {
                let width = *shape.last().filter(|width| **width > 0)?;
                let all = elements.len() / width;
                let taken = spread(all, count, seen);
                Some(vec![taken.flat_map(|row| elements.iter().skip(row * width).take(width)).copied().collect()])
            }
            Self::Windows { kernel, strides, pads, dilations, groups } => {
                let [items, channels, height, width] = *shape else { return None };
                let steps = |axis: usize, size: usize| {
                    let reach = dilations[axis] * (kernel[axis].checked_sub(1)?) + 1;
                    Some((size + pads[axis] + pads[axis + 2]).checked_sub(reach)? / strides[axis].max(1) + 1)
                };
                let (down, across) = (steps(0, height)?, steps(1, width)?);
                let places: Vec<usize> = spread(items * down * across, count, seen).collect();
                let inside = channels.checked_div(*groups)?;
                let group = |group: usize| -> Vec<f32> {
                    let mut rows = Vec::with_capacity(places.len() * inside * kernel[0] * kernel[1]);
                    for place in &places {
                        let (item, place) = (place / (down * across), place % (down * across));
                        let corner = [place / across * strides[0], place % across * strides[1]];
                        for channel in group * inside..(group + 1) * inside {
                            for y in 0..kernel[0] {
                                for x in 0..kernel[1] {
                                    let row = (corner[0] + y * dilations[0]).checked_sub(pads[0]);
                                    let column = (corner[1] + x * dilations[1]).checked_sub(pads[1]);
                                    let at = row.zip(column).filter(|(row, column)| *row < height && *column < width);
                                    let at = at.map(|(row, column)| {
                                        ((item * channels + channel) * height + row) * width + column
                                    });
                                    rows.push(at.and_then(|at| elements.get(at)).copied().unwrap_or(0.0));
                                }
                            }
                        }
                    }
                    rows
                };
                Some((0..*groups).map(group).collect())
            }
        }
    }
}

/// At most `count` of so many places, evenly spread. Where they begin follows from how many rows were `seen`, so that other samples show
/// other places.
fn spread(all: usize, count: usize, seen: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(all);
    // A step by the golden section, of 2^16, falls evenly over the whole.
    let start = ((seen * 40_503) % (1 << 16) * all) >> 16;
    (0..taken).map(move |index| (index * all / taken.max(1) + start) % all.max(1))
}

/// The moments of the rows of a product.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    width: usize,
    rows: usize,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    sums: Vec<f64>,
    /// The sums of the products of all pairs, the first of which comes later or is the same; nothing where there are too many.
    products: Vec<f32>,
}

impl Moments {
    /// Takes at most `count` rows out of a value.
    pub fn add(&mut self, lens: &Lens, tensor: &Tensor, elements: &[f32], count: usize) {
        let Some(groups) = lens.rows(tensor.shape(), elements, count, self.rows) else { return };
        let Some(first) = groups.first() else { return };
        let taken = match lens {
            Lens::Rows => first.len() / tensor.shape().last().copied().unwrap_or(1).max(1),
            Lens::Windows { kernel, groups, .. } => {
                let channels = tensor.shape().get(1).copied().unwrap_or(1);
                first.len() / (channels / groups.max(&1) * kernel[0] * kernel[1]).max(1)
            }
        };
        if taken == 0 || (self.rows > 0 && self.width != first.len() / taken) {
            return;
        }
        self.width = first.len() / taken;
        self.rows += taken;
        self.groups.resize_with(groups.len(), Group::default);
        let pairs = self.width <= WIDEST && self.width * self.width * groups.len() <= MOST;
        for (group, rows) in self.groups.iter_mut().zip(&groups) {
            group.add(rows, self.width, pairs);
        }
    }

    /// The elements of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The mean of each element in a group; `None` if nothing was seen.
    pub fn mean(&self, group: usize) -> Option<Vec<f64>> {
        let rows = self.rows as f64;
        let group = self.groups.get(group).filter(|_| self.rows > 0)?;
        Some(group.sums.iter().map(|sum| sum / rows).collect())
    }

    /// How the elements of a group vary together, around their means or around zero, row by row; `None` if that was not kept.
    pub fn together(&self, group: usize, around_mean: bool) -> Option<Vec<f64>> {
        let rows = self.rows as f64;
        let Group { sums, products } = self.groups.get(group).filter(|group| !group.products.is_empty())?;
        let mut all = vec![0.0; self.width * self.width];
        for row in 0..self.width {
            for column in 0..=row {
                let middle = if around_mean { sums[row] * sums[column] / rows } else { 0.0 };
                let value = (f64::from(products[row * self.width + column]) - middle) / rows;
                all[row * self.width + column] = value;
                all[column * self.width + row] = value;
            }
        }
        Some(all)
    }
}

impl Group {
    fn add(&mut self, rows: &[f32], width: usize, pairs: bool) {
        self.sums.resize(width, 0.0);
        for row in rows.chunks_exact(width.max(1)) {
            self.sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        if !pairs {
            return;
        }
        self.products.resize(width * width, 0.0);
        for (index, sums) in self.products.chunks_exact_mut(width.max(1)).enumerate() {
            for row in rows.chunks_exact(width) {
                let (Some(&value), Some(before)) = (row.get(index), row.get(..=index)) else { continue };
                if value != 0.0 {
                    sums.iter_mut().zip(before).for_each(|(sum, other)| *sum += value * other);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_of_rows_are_those_of_a_hand_calculation() {
        let values = vec![1.0_f32, 2.0, 3.0, 6.0];
        let tensor = Tensor::new([2, 2], values.clone()).unwrap();
        let mut moments = Moments::default();
        moments.add(&Lens::Rows, &tensor, &values, 8);
        assert_eq!((moments.width(), moments.mean(0)), (2, Some(vec![2.0, 4.0])));
        // (1 1 + 3 3) / 2, (1 2 + 3 6) / 2, (2 2 + 6 6) / 2
        assert_eq!(moments.together(0, false), Some(vec![5.0, 10.0, 10.0, 20.0]));
        assert_eq!(moments.together(0, true), Some(vec![1.0, 2.0, 2.0, 4.0]));
        assert_eq!(moments.mean(1), None);
    }

    #[test]
    fn windows_of_each_group_have_their_padding() {
        let values: Vec<f32> = (1..=8).map(|value| value as f32).collect();
        let tensor = Tensor::new([1, 2, 2, 2], values.clone()).unwrap();
        let node = Node::new("Conv").attribute("pads", [1, 0, 0, 0]).attribute("group", 2_i64);
        let lens = Lens::of(&node, &[2, 1, 2, 2]).unwrap();
        let rows = lens.rows(tensor.shape(), &values, 9, 0).unwrap();
        // One row of zeros above: the first window holds it, the second is the whole channel.
        assert_eq!(rows[0], [0.0, 0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(rows[1], [0.0, 0.0, 5.0, 6.0, 5.0, 6.0, 7.0, 8.0]);
        let mut moments = Moments::default();
        moments.add(&lens, &tensor, &values, 9);
        assert_eq!(moments.mean(1), Some(vec![2.5, 3.0, 6.0, 7.0]));
        assert!(Lens::of(&Node::new("Conv").attribute("auto_pad", "SAME_UPPER"), &[2, 1, 2, 2]).is_none());
        assert!(Lens::of(&Node::new("Conv"), &[2, 1, 3]).is_none());
    }

    #[test]
    fn few_rows_are_taken_of_many() {
        assert_eq!(spread(10, 4, 0).collect::<Vec<_>>(), [0, 2, 5, 7]);
        assert_eq!(spread(10, 4, 4).collect::<Vec<_>>(), [4, 6, 9, 1]);
        assert_eq!(spread(2, 4, 0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(spread(0, 4, 0).count(), 0);
    }
}
