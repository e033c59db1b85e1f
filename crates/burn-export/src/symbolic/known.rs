//! What is known of the axes, and which sizes are the same under it.

use super::dim::{Atom, AxisId, Dim};
use super::ratio::{Ratio, gcd};

/// What every legal size of an axis is a multiple of, axis by axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    multiples: Vec<i64>,
}

impl Known {
    pub(crate) fn new(multiples: Vec<i64>) -> Self {
        Self { multiples }
    }

    fn multiple(&self, axis: AxisId) -> i64 {
        self.multiples.get(axis.0).copied().unwrap_or(1).max(1)
    }

    /// The size without rounding where nothing is rounded: `h/4` for `floor((h)/4)` where `h` is a multiple of four.
    pub(crate) fn reduce(&self, dim: &Dim) -> Dim {
        dim.map_atoms(&|atom| match atom {
            Atom::Axis(axis) => Dim::axis(*axis),
            Atom::Min(inner, most) => self.reduce(inner).at_most(*most),
            Atom::Floor(inner, divisor) => {
                let inner = self.reduce(inner);
                let by = Ratio::integer((*divisor).into()).recip().unwrap_or(Ratio::ONE);
                let (exact, rest) = inner.split(|monomial, coefficient| {
                    let whole = monomial.iter().try_fold(coefficient * by, |product, (atom, power)| match atom {
                        Atom::Axis(axis) if *power > 0 => {
                            let factor = Ratio::integer(self.multiple(*axis).into());
                            Some((0..*power).fold(product, |product, _| product * factor))
                        }
                        _ => None,
                    });
                    !monomial.is_empty() && whole.is_some_and(|whole| whole.to_integer().is_some())
                });
                &Dim::combination([(by, &exact)]) + &rest.floor_div(*divisor)
            }
        })
        .unwrap_or_else(|| dim.clone())
    }

    /// Whether two sizes are equal at every legal size of the axes.
    ///
    /// Exact for sums of products of axes and rounded-down quotients of them: each axis is written as a multiple of what is
    /// divided by and a remainder, for every remainder, after which nothing is rounded any more. `false` where that would be
    /// too many remainders.
    pub(crate) fn same(&self, left: &Dim, right: &Dim) -> bool {
        const MOST: usize = 4096;
        let (left, right) = (self.reduce(left), self.reduce(right));
        if left == right {
            return true;
        }
        let Some(period) = lcm(period(&left), period(&right)).filter(|period| *period < 1 << 20) else { return false };
        let mut axes = left.axes();
        axes.extend(right.axes());
        axes.sort_unstable();
        axes.dedup();
        if period == 1 || axes.is_empty() {
            return false;
        }
        // For each axis: its step, and the remainders of legal sizes.
        let mut choices: Vec<Vec<Dim>> = vec![vec![]];
        for axis in axes {
            let Some(step) = lcm(period, self.multiple(axis)) else { return false };
            let remainders = (0..step).step_by(self.multiple(axis) as usize);
            let whole = &Dim::axis(axis) * &Dim::fixed(step);
            let written: Vec<Dim> = remainders.map(|remainder| &whole + &Dim::fixed(remainder)).collect();
            if choices.len() * written.len() > MOST {
                return false;
            }
            let extended = |choice: &Vec<Dim>| {
                let choice = choice.clone();
                let padded = move |dim: &Dim| {
                    let mut choice = choice.clone();
                    choice.resize(axis.0, Dim::fixed(0));
                    choice.push(dim.clone());
                    choice
                };
                written.iter().map(padded).collect::<Vec<_>>()
            };
            choices = choices.iter().flat_map(extended).collect();
        }
        choices.iter().all(|choice| match (substitute(&left, choice), substitute(&right, choice)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        })
    }
}

/// A number of which every divisor is a divisor, with those of the fractions inside.
fn period(dim: &Dim) -> i64 {
    let atoms = dim.terms().iter().flat_map(|(monomial, _)| monomial).map(|(atom, _)| match atom {
        Atom::Axis(_) => Some(1),
        Atom::Min(inner, _) => Some(period(inner)),
        Atom::Floor(inner, divisor) => {
            let fractions = inner
                .terms()
                .iter()
                .try_fold(1i64, |all, (_, coefficient)| lcm(all, i64::try_from(coefficient.denominator()).ok()?));
            fractions?.checked_mul(*divisor)?.checked_mul(period(inner))
        }
    });
    atoms.fold(1, |all, one| one.and_then(|one| lcm(all, one)).unwrap_or(i64::MAX))
}

fn lcm(left: i64, right: i64) -> Option<i64> {
    let divisor = gcd(left.into(), right.into()).max(1);
    i64::try_from(i128::from(left) / divisor * i128::from(right)).ok()
}

/// The size where each axis is another expression; `None` where it is divided by an axis.
fn substitute(dim: &Dim, axes: &[Dim]) -> Option<Dim> {
    dim.map_atoms(&|atom| match atom {
        Atom::Axis(AxisId(axis)) => axes.get(*axis).cloned().unwrap_or(Dim::fixed(0)),
        Atom::Floor(inner, divisor) => {
            substitute(inner, axes).map_or_else(|| Dim::atom(atom.clone()), |inner| inner.floor_div(*divisor))
        }
        Atom::Min(inner, most) => {
            substitute(inner, axes).map_or_else(|| Dim::atom(atom.clone()), |inner| inner.at_most(*most))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h() -> Dim {
        Dim::axis(AxisId(0))
    }

    fn w() -> Dim {
        Dim::axis(AxisId(1))
    }

    fn plus(dim: &Dim, number: i64) -> Dim {
        dim + &Dim::fixed(number)
    }

    #[test]
    fn nothing_is_rounded_among_multiples() {
        let known = Known::new(vec![8, 1]);
        let quarter = h().floor_div(4);
        assert_eq!(known.reduce(&quarter), h().divide(&Dim::fixed(4)).unwrap_or(w()));
        // A convolution of stride 2 with padding 1, twice: floor((floor((h - 1)/2) + 1 - 1)/2) + 1.
        let half = plus(&plus(&h(), -1).floor_div(2), 1);
        let again = plus(&plus(&half, -1).floor_div(2), 1);
        assert_eq!(known.reduce(&again), known.reduce(&quarter));
        assert!(!Known::new(vec![2, 1]).same(&quarter, &h().divide(&Dim::fixed(4)).unwrap_or(w())));
    }

    #[test]
    fn sums_of_quotients_are_compared_remainder_by_remainder() {
        let known = Known::default();
        let (even, odd) = (plus(&w(), 1).floor_div(2), w().floor_div(2));
        assert!(known.same(&(&even + &odd), &w()));
        assert!(!known.same(&even, &odd));
        // floor(floor(w/2)/3) = floor(w/6).
        assert!(known.same(&odd.floor_div(3), &w().floor_div(6)));
        // Two axes: floor(h/2) * floor(w/2) is no quarter of the product.
        let product = &h().floor_div(2) * &odd;
        assert!(!known.same(&product, &(&h() * &w()).floor_div(4)));
        assert!(Known::new(vec![2, 2]).same(&product, &(&h() * &w()).floor_div(4)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_the_same_has_the_same_values(
            (a, b, c, d) in (1i64..5, -5i64..6, 1i64..7, 1i64..7),
            (size, multiple) in (0i64..300, 1i64..9),
        ) {
            let known = Known::new(vec![multiple]);
            let left = plus(&(&h() * &Dim::fixed(a)), b).floor_div(c).floor_div(d);
            let right = plus(&(&h() * &Dim::fixed(a)), b).floor_div(c * d);
            proptest::prop_assert!(known.same(&left, &right));
            let at = [size * multiple];
            proptest::prop_assert_eq!(known.reduce(&left).eval(&at), left.eval(&at));
            let other = plus(&right, 1);
            proptest::prop_assert!(!known.same(&left, &other));
        }
    }
}
