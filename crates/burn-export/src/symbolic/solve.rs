//! From the values of a number in several traces to an expression over the axes.

use std::collections::HashMap;

use super::dim::{Atom, AxisId, Dim};
use super::known::Known;
use super::ratio::{Ratio, gcd, solve};

/// Divisors tried when a number looks like a rounded-down quotient that no operation explains.
const QUOTIENT_DIVISORS: [i64; 9] = [2, 3, 4, 5, 6, 7, 8, 16, 32];

/// Finds expressions for numbers, and remembers the ones it found.
pub(crate) struct Solver {
    /// The sizes of the axes, trace by trace.
    sizes: Vec<Vec<i64>>,
    axes: usize,
    known: Known,
    /// Expressions by their values over the traces.
    found: HashMap<Vec<i64>, Dim>,
    /// Rounded-down quotients and minima in use: they join the axes as terms of sums.
    quotients: Vec<Dim>,
}

impl Solver {
    /// A solver for traces at the given sizes, one row a trace, one column an axis.
    pub(crate) fn new(sizes: Vec<Vec<i64>>, known: Known) -> Self {
        let axes = sizes.first().map_or(0, Vec::len);
        let mut solver = Self { sizes, axes, known, found: HashMap::new(), quotients: Vec::new() };
        for axis in 0..axes {
            solver.remember(Dim::axis(AxisId(axis)));
        }
        solver
    }

    /// An expression with these values, one a trace, or `None`.
    ///
    /// `hints` are formulas that the operation is known by; `near` are sizes that the number is likely made of.
    pub(crate) fn explain(&mut self, samples: &[i64], hints: &[Dim], near: &[Dim]) -> Option<Dim> {
        if let Some(first) = samples.first()
            && samples.iter().all(|sample| sample == first)
        {
            return Some(Dim::fixed(*first));
        }
        let found = hints
            .iter()
            .find(|hint| self.fits(hint, samples))
            .cloned()
            .or_else(|| self.found.get(samples).cloned())
            .or_else(|| self.sum_of_axes(samples))
            .or_else(|| self.near_sizes(samples, near))
            .or_else(|| self.single_product(samples))
            .or_else(|| self.sum_of_products(samples))
            .or_else(|| self.quotient(samples, near))
            .or_else(|| self.bend(samples, near))?;
        let found = self.known.reduce(&found);
        self.remember(found.clone());
        Some(found)
    }

    /// The axes whose size changes these values, where only that axis differs from the first trace.
    pub(crate) fn responsible_axes(&self, samples: &[i64]) -> Vec<AxisId> {
        let (Some(base), Some(base_sample)) = (self.sizes.first(), samples.first()) else {
            return Vec::new();
        };
        let mut axes: Vec<AxisId> = self
            .sizes
            .iter()
            .zip(samples)
            .filter(|(_, sample)| *sample != base_sample)
            .filter_map(|(sizes, _)| {
                let mut changed = (0..self.axes).filter(|&axis| sizes[axis] != base[axis]);
                let only = changed.next()?;
                changed.next().is_none().then_some(AxisId(only))
            })
            .collect();
        axes.sort_unstable();
        axes.dedup();
        axes
    }

    fn fits(&self, dim: &Dim, samples: &[i64]) -> bool {
        self.sizes.iter().zip(samples).all(|(sizes, sample)| dim.eval(sizes) == Some(*sample))
    }

    fn values(&self, dim: &Dim) -> Option<Vec<i64>> {
        self.sizes.iter().map(|sizes| dim.eval(sizes)).collect()
    }

    fn remember(&mut self, dim: Dim) {
        for (atom, _) in dim.terms().iter().flat_map(|(monomial, _)| monomial) {
            let term = match atom {
                Atom::Axis(_) => continue,
                Atom::Floor(inner, divisor) => inner.floor_div(*divisor),
                Atom::Min(inner, most) => inner.at_most(*most),
            };
            if !self.quotients.contains(&term) {
                self.quotients.push(term);
            }
        }
        if let Some(values) = self.values(&dim) {
            self.found.entry(values).or_insert(dim);
        }
    }

    /// A linear combination of `basis` with the given values, if exactly one fits and the traces outnumber it.
    fn combination(&self, samples: &[i64], basis: &[Dim]) -> Option<Dim> {
        if basis.len() + 1 >= samples.len() {
            return None;
        }
        let columns: Vec<Vec<i64>> = basis.iter().map(|dim| self.values(dim)).collect::<Option<_>>()?;
        let rows: Vec<Vec<Ratio>> = (0..samples.len())
            .map(|row| columns.iter().map(|column| Ratio::integer(column[row].into())).collect())
            .collect();
        let rhs: Vec<Ratio> = samples.iter().map(|sample| Ratio::integer((*sample).into())).collect();
        let factors = solve(&rows, &rhs)?;
        let dim = Dim::combination(factors.into_iter().zip(basis));
        self.fits(&dim, samples).then_some(dim)
    }

    fn axis_dims(&self) -> Vec<Dim> {
        (0..self.axes).map(|axis| Dim::axis(AxisId(axis))).collect()
    }

    fn sum_of_axes(&self, samples: &[i64]) -> Option<Dim> {
        let mut basis = vec![Dim::fixed(1)];
        basis.extend(self.axis_dims());
        self.combination(samples, &basis)
    }

    /// `a*size + b`, or `a*size*other + b`, over the sizes at hand.
    fn near_sizes(&self, samples: &[i64], near: &[Dim]) -> Option<Dim> {
        let moving: Vec<&Dim> = near.iter().filter(|dim| dim.as_fixed().is_none()).collect();
        let products = moving
            .iter()
            .enumerate()
            .flat_map(|(position, left)| moving[position + 1..].iter().map(move |right| *left * right));
        moving
            .iter()
            .map(|dim| (*dim).clone())
            .chain(products)
            .find_map(|dim| self.combination(samples, &[Dim::fixed(1), dim]))
    }

    /// `c * a^i * b^j …` with small powers, some of which may be negative: each is seen where its axis moves alone.
    fn single_product(&self, samples: &[i64]) -> Option<Dim> {
        let (base, first) = (self.sizes.first()?, *samples.first()?);
        let mut product = Dim::fixed(1);
        for axis in 0..self.axes {
            let alone = |sizes: &Vec<i64>| (0..self.axes).all(|other| (sizes[other] == base[other]) == (other != axis));
            let Some(row) = self.sizes.iter().position(alone) else { continue };
            let change = Ratio::new(i128::from(*samples.get(row)?), i128::from(first))?;
            let size = Ratio::new(i128::from(self.sizes[row][axis]), i128::from(base[axis]))?;
            let (one, axis) = (Ratio::ONE, Dim::axis(AxisId(axis)));
            product = match change {
                _ if change == one => product,
                _ if change == size => &product * &axis,
                _ if change == size * size => &(&product * &axis) * &axis,
                _ if change * size == one => product.divide(&axis)?,
                _ => return None,
            };
        }
        if product.as_fixed().is_some() {
            return None;
        }
        let scale = self.scale(samples, &product)?;
        Some(Dim::combination([(scale, &product)])).filter(|dim| self.fits(dim, samples))
    }

    fn scale(&self, samples: &[i64], product: &Dim) -> Option<Ratio> {
        let sizes = self.sizes.first()?;
        let sample = Ratio::integer((*samples.first()?).into());
        let mut value = Ratio::ONE;
        for (monomial, _) in product.terms() {
            for (atom, power) in monomial {
                let Atom::Axis(AxisId(axis)) = atom else {
                    return None;
                };
                let size = Ratio::integer(sizes[*axis].into());
                let factor = if *power > 0 { size } else { size.recip()? };
                for _ in 0..power.unsigned_abs() {
                    value = value * factor;
                }
            }
        }
        Some(sample * value.recip()?)
    }

    /// Sums over the axes and the quotients in use, and then over their pairwise products.
    fn sum_of_products(&self, samples: &[i64]) -> Option<Dim> {
        let mut single = self.axis_dims();
        single.extend(self.quotients.iter().cloned());
        let mut basis = vec![Dim::fixed(1)];
        basis.extend(single.iter().cloned());
        if let Some(dim) = self.combination(samples, &basis) {
            return Some(dim);
        }
        let axes = self.axis_dims();
        let mut basis = vec![Dim::fixed(1)];
        basis.extend(axes.iter().cloned());
        for (position, left) in axes.iter().enumerate() {
            basis.extend(axes[position + 1..].iter().map(|right| left * right));
        }
        // Where an axis has two sizes only, its square is no size of its own.
        self.combination(samples, &basis).or_else(|| {
            basis.extend(axes.iter().map(|axis| axis * axis));
            self.combination(samples, &basis)
        })
    }

    /// A rounded-down quotient of the sizes at hand; `None` also when several fit that differ elsewhere.
    ///
    /// The simplest come first: `floor((size + c)/d) + e`, then `a*floor((k*size + c)/d) + e`, then with the size beside
    /// it, which is what a remainder is.
    fn quotient(&self, samples: &[i64], near: &[Dim]) -> Option<Dim> {
        let axes = self.axis_dims();
        let mut sizes: Vec<&Dim> = near.iter().chain(&axes).filter(|dim| dim.as_fixed().is_none()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let one = Dim::fixed(1);
        type Form<'a> = &'a dyn Fn(&Dim, Dim) -> Option<Dim>;
        let forms: [(i64, Form<'_>); 3] = [
            (1, &|_, quotient| {
                let offset = samples.first()? - quotient.eval(self.sizes.first()?)?;
                Some(&quotient + &Dim::fixed(offset)).filter(|candidate| self.fits(candidate, samples))
            }),
            (5, &|_, quotient| self.combination(samples, &[one.clone(), quotient])),
            (1, &|size, quotient| self.combination(samples, &[one.clone(), size.clone(), quotient])),
        ];
        for (multiples, form) in forms {
            let candidates = sizes.iter().flat_map(|size| quotients(size, multiples).filter_map(|dim| form(size, dim)));
            let mut found: Option<Dim> = None;
            for candidate in candidates {
                match &found {
                    Some(known) if !self.same_everywhere(known, &candidate) => return None,
                    _ => found = found.or(Some(candidate)),
                }
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A line over a size that bends where the size reaches a number: `min(size, most)`, and with the size beside it, the
    /// larger of both, or how much is missing.
    fn bend(&self, samples: &[i64], near: &[Dim]) -> Option<Dim> {
        let axes = self.axis_dims();
        let mut sizes: Vec<&Dim> = near.iter().chain(&axes).filter(|dim| dim.as_fixed().is_none()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes.into_iter().find_map(|size| {
            let most = bend_at(&self.values(size)?, samples)?;
            self.combination(samples, &[Dim::fixed(1), size.clone(), size.at_most(most)])
        })
    }

    /// Whether two expressions agree at sizes around and beyond the traced ones.
    fn same_everywhere(&self, left: &Dim, right: &Dim) -> bool {
        let base = self.sizes.first().cloned().unwrap_or_default();
        (0..self.axes).all(|axis| {
            (1..200).all(|size| {
                let mut sizes = base.clone();
                sizes[axis] = size;
                left.eval(&sizes) == right.eval(&sizes)
            })
        })
    }
}

/// Where the line through the first points meets that through the last ones, if that is at a whole number with enough points
/// on both sides that no other line would fit.
fn bend_at(sizes: &[i64], samples: &[i64]) -> Option<i64> {
    const ENOUGH: usize = 3;
    let mut points: Vec<(i64, i64)> = sizes.iter().copied().zip(samples.iter().copied()).collect();
    points.sort_unstable();
    points.dedup();
    if points.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let line = |from: (i64, i64), to: (i64, i64)| {
        let slope = Ratio::new((to.1 - from.1).into(), (to.0 - from.0).into())?;
        Some((slope, Ratio::integer(from.1.into()) - slope * Ratio::integer(from.0.into())))
    };
    let (below, above) = match points.as_slice() {
        [first, second, .., before, last] => (line(*first, *second)?, line(*before, *last)?),
        _ => return None,
    };
    let at = (above.1 - below.1) * (below.0 - above.0).recip()?;
    let at = i64::try_from(at.to_integer()?).ok()?;
    let enough = |side: fn(&i64, &i64) -> bool| points.iter().filter(|(size, _)| side(size, &at)).count() >= ENOUGH;
    (enough(i64::lt) && enough(i64::gt)).then_some(at)
}

/// The rounded-down quotients of a size, and of its multiples up to `most`.
fn quotients(dim: &Dim, most: i64) -> impl Iterator<Item = Dim> {
    QUOTIENT_DIVISORS.into_iter().flat_map(move |divisor| {
        let multiples = (1..=most).filter(move |multiple| gcd(i128::from(*multiple), i128::from(divisor)) == 1);
        multiples.flat_map(move |multiple| {
            let multiple = &Dim::fixed(multiple) * dim;
            (0..divisor).map(move |shift| (&multiple + &Dim::fixed(shift)).floor_div(divisor))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solver() -> Solver {
        let alone = [1, 8, 9, 10, 11, 12, 13, 14, 47, 530].map(|sequence| vec![3, sequence]);
        let batches = [1, 4, 5, 6, 7, 8, 9, 10, 43, 526].map(|batch| vec![batch, 7]);
        let together = [vec![14, 21], vec![12, 18], vec![18, 27]];
        Solver::new([vec![vec![3, 7]], batches.to_vec(), alone.to_vec(), together.to_vec()].concat(), Known::default())
    }

    fn explain(formula: impl Fn(i64, i64) -> i64) -> Option<String> {
        let mut solver = solver();
        let samples: Vec<i64> = solver.sizes.iter().map(|sizes| formula(sizes[0], sizes[1])).collect();
        let names = ["b".to_string(), "s".to_string()];
        solver.explain(&samples, &[], &[]).map(|dim| dim.display(&names).to_string())
    }

    #[test]
    fn sums_products_and_quotients_are_found() {
        assert_eq!(explain(|_, _| 12).as_deref(), Some("12"));
        assert_eq!(explain(|_, s| s).as_deref(), Some("s"));
        assert_eq!(explain(|b, s| 2 * b + s + 3).as_deref(), Some("s + 2*b + 3"));
        assert_eq!(explain(|b, s| 6 * b * s).as_deref(), Some("6*b*s"));
        assert_eq!(explain(|b, s| b * s + s + 1).as_deref(), Some("s + b*s + 1"));
        assert_eq!(explain(|_, s| (s + 1) / 2).as_deref(), Some("floor((s + 1)/2)"));
        assert_eq!(explain(|_, s| 3 * s / 2).as_deref(), Some("floor((s)/2) + s"));
        assert_eq!(explain(|_, s| 2 * s / 3).as_deref(), Some("floor((2*s)/3)"));
        assert_eq!(explain(|_, s| s - s % 3).as_deref(), Some("3*floor((s)/3)"));
        assert_eq!(explain(|_, s| s % 4).as_deref(), Some("-4*floor((s)/4) + s"));
        assert_eq!(explain(|b, s| b * s * s).as_deref(), Some("b*s*s"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_holds_at_sizes_that_were_not_traced(
            (a, b, c, d) in (-4i64..5, -4i64..5, -3i64..4, 0i64..9),
            (batch, sequence) in (1i64..400, 1i64..400),
        ) {
            let formula = |batch: i64, sequence: i64| a * batch * sequence + b * batch + c * sequence + d;
            let mut solver = solver();
            let samples: Vec<i64> = solver.sizes.iter().map(|sizes| formula(sizes[0], sizes[1])).collect();
            let dim = solver.explain(&samples, &[], &[]);
            let value = dim.and_then(|dim| dim.eval(&[batch, sequence]));
            proptest::prop_assert_eq!(value, Some(formula(batch, sequence)));
        }

        #[test]
        fn quotients_are_found_too(
            (divisor, shift) in (0usize..QUOTIENT_DIVISORS.len(), 0i64..8),
            sequence in 1i64..400,
        ) {
            let divisor = QUOTIENT_DIVISORS[divisor];
            let formula = |sequence: i64| (sequence + shift).div_euclid(divisor) + 1;
            let mut solver = solver();
            let samples: Vec<i64> = solver.sizes.iter().map(|sizes| formula(sizes[1])).collect();
            let found = solver.explain(&samples, &[], &[]);
            // Several slow quotients may fit every trace: then none is taken.
            match found {
                Some(dim) => proptest::prop_assert_eq!(dim.eval(&[3, sequence]), Some(formula(sequence))),
                None => proptest::prop_assert!(divisor > 8, "divisor {divisor}, shift {shift}"),
            }
        }
    }

    #[test]
    fn what_no_formula_explains_is_refused() {
        assert_eq!(explain(|_, s| s.pow(3) % 11), None);
        // Two sizes below the bend are not enough to know the line there.
        assert_eq!(explain(|_, s| s.max(8)), None);
    }

    #[test]
    fn bends_are_found() {
        assert_eq!(explain(|_, s| s.min(11)).as_deref(), Some("min(s, 11)"));
        assert_eq!(explain(|_, s| s.max(11)).as_deref(), Some("-min(s, 11) + s + 11"));
        assert_eq!(explain(|_, s| 2 * (11 - s).max(0) + 1).as_deref(), Some("-2*min(s, 11) + 23"));
        assert_eq!(explain(|b, s| s.min(11) + b), None);
    }

    #[test]
    fn the_axis_that_moves_a_number_is_named() {
        let solver = solver();
        let samples: Vec<i64> = solver.sizes.iter().map(|sizes| sizes[1] * 31 % 17).collect();
        assert_eq!(solver.responsible_axes(&samples), vec![AxisId(1)]);
    }
}
