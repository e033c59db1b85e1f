//! Weights to steps, so that the product changes least, and not each number by itself.
//!
//! Errors of a product `w x` are small where the errors of the weights go against each other for the rows `x` that occur. With
//! `H` the mean of `x x^T` the squared error is `e H e^T`, and with `H = R R^T`, where `R` is an upper triangle, it is the squared
//! length of `e R`. So one weight after the other is rounded, each to the step nearest to where the errors before it are made up for:
//! Babai's nearest plane in the lattice of the steps, which Frantar, Ashkboos, Hoefler and Alistarh (GPTQ, 2022) came to from another side.

/// What is added to the diagonal, as a share of its mean, so that a direction that no sample had does not get what it likes.
const DAMPING: f64 = 0.05;

/// How the errors of weights are weighed against each other, for rows of one kind.
#[derive(Debug, Clone)]
pub struct Weighing {
    /// The places in the order in which they are rounded: those first whose errors count most.
    order: Vec<usize>,
    /// The rows of the triangle from the diagonal on, each divided by the diagonal of its column.
    rows: Vec<Vec<f32>>,
}

impl Weighing {
    /// From the mean of the products of all pairs, row by row. `None` if no row varies.
    pub fn of(together: &[f64], width: usize) -> Option<Self> {
        let diagonal = |place: usize| together.get(place * width + place).copied().unwrap_or(0.0);
        let mean = (0..width).map(diagonal).sum::<f64>() / width.max(1) as f64;
        if !(mean.is_finite() && mean > 0.0) {
            return None;
        }
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|one, other| diagonal(*other).total_cmp(&diagonal(*one)).then(one.cmp(other)));
        let mut triangle = vec![0.0_f64; width * width];
        for column in (0..width).rev() {
            // Rows from the diagonal of `column` on are known beyond it.
            let (above, own) = triangle.split_at_mut(column * width);
            let own = own.get_mut(..width)?;
            let known = own.get(column + 1..)?.to_vec();
            let squares: f64 = known.iter().map(|value| value * value).sum();
            let on_diagonal = diagonal(*order.get(column)?) + DAMPING * mean - squares;
            let root = on_diagonal.max(DAMPING * mean * 1e-3).sqrt();
            *own.get_mut(column)? = root;
            for (row, values) in above.chunks_exact_mut(width).enumerate() {
                let wanted = together.get(order.get(row)? * width + order.get(column)?)?;
                let sum = dot(values.get(column + 1..)?, &known);
                *values.get_mut(column)? = (wanted - sum) / root;
            }
        }
        let diagonals: Vec<f64> = (0..width).map(|place| triangle[place * width + place]).collect();
        let row = |(place, values): (usize, &[f64])| -> Vec<f32> {
            values.iter().zip(&diagonals).skip(place).map(|(value, diagonal)| (value / diagonal) as f32).collect()
        };
        Some(Self { order, rows: triangle.chunks_exact(width).enumerate().map(row).collect() })
    }

    /// The steps of a row of weights, for this scale, within `most` to both sides of zero.
    pub fn steps(&self, weights: &[f32], scale: f32, most: f32) -> Vec<i8> {
        let mut steps = vec![0; weights.len()];
        // The errors so far, as each place that is still to come sees them.
        let mut carried = vec![0.0_f32; weights.len()];
        for (turn, (place, row)) in self.order.iter().zip(&self.rows).enumerate() {
            let (Some(weight), Some(carried)) = (weights.get(*place), carried.get_mut(turn..)) else { continue };
            let wanted = weight - carried.first().copied().unwrap_or(0.0);
            let step = (wanted / scale).round_ties_even().clamp(-most, most);
            if let Some(place) = steps.get_mut(*place) {
                *place = step as i8;
            }
            let error = step * scale - weight;
            carried.iter_mut().zip(row).for_each(|(carried, share)| *carried += error * share);
        }
        steps
    }
}

/// A sum of products in eight parts.
fn dot(one: &[f64], other: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    let (one, one_rest) = one.as_chunks::<8>();
    let (other, other_rest) = other.as_chunks::<8>();
    for (one, other) in one.iter().zip(other) {
        for (part, (one, other)) in parts.iter_mut().zip(one.iter().zip(other)) {
            *part += one * other;
        }
    }
    parts.iter().sum::<f64>() + one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(together: &[f64], weights: &[f32], steps: &[i8], scale: f32) -> f64 {
        let errors: Vec<f64> =
            steps.iter().zip(weights).map(|(step, weight)| f64::from(f32::from(*step) * scale - weight)).collect();
        let width = weights.len();
        let pairs = (0..width).flat_map(|row| (0..width).map(move |column| (row, column)));
        pairs.map(|(row, column)| errors[row] * together[row * width + column] * errors[column]).sum()
    }

    #[test]
    fn without_a_connection_each_weight_goes_to_its_nearest_step() {
        let weighing = Weighing::of(&[2.0, 0.0, 0.0, 1.0], 2).unwrap();
        assert_eq!(weighing.steps(&[0.26, -0.74], 0.5, 127.0), [1, -1]);
        assert_eq!(weighing.steps(&[90.0, -90.0], 0.5, 127.0), [127, -127]);
        assert!(Weighing::of(&[0.0; 4], 2).is_none());
    }

    /// Both inputs are nearly the same, so that the sum of the weights counts: 0.4 and 0.4 are best 0 and 1, which come to 1 for 0.8.
    #[test]
    fn errors_are_made_up_for() {
        let together = [1.01, 1.0, 1.0, 1.0];
        let weighing = Weighing::of(&together, 2).unwrap();
        let steps = weighing.steps(&[0.4, 0.4], 1.0, 127.0);
        assert_eq!(steps, [0, 1]);
        assert!(cost(&together, &[0.4, 0.4], &steps, 1.0) < cost(&together, &[0.4, 0.4], &[0, 0], 1.0) / 5.0);
    }

    /// Of all ways to round five weights up or down, found by trying each.
    #[test]
    fn the_steps_are_near_the_best_of_all() {
        let width = 5;
        let rows: Vec<f64> = (0..40).map(|index| ((index * 37 % 23) as f64 - 7.0) / 8.0).collect();
        let mut together = vec![0.0; width * width];
        for row in rows.chunks_exact(width) {
            for one in 0..width {
                for other in 0..width {
                    together[one * width + other] += row[one] * row[other];
                }
            }
        }
        let weights = [0.3_f32, -1.4, 2.45, 0.55, -0.65];
        let weighing = Weighing::of(&together, width).unwrap();
        let found = cost(&together, &weights, &weighing.steps(&weights, 1.0, 127.0), 1.0);
        let nearest: Vec<i8> = weights.iter().map(|weight| weight.round_ties_even() as i8).collect();
        let best = (0..1 << width)
            .map(|ups| {
                let steps: Vec<i8> = weights
                    .iter()
                    .enumerate()
                    .map(|(place, weight)| weight.floor() as i8 + (ups >> place & 1) as i8)
                    .collect();
                cost(&together, &weights, &steps, 1.0)
            })
            .fold(f64::INFINITY, f64::min);
        assert!(best <= found && found <= cost(&together, &weights, &nearest, 1.0), "{best} {found}");
        assert!(found <= best * 2.0, "{best} {found}");
    }
}
