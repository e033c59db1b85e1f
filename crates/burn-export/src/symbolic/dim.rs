//! Sizes as expressions over the named axes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul, Sub};

use super::ratio::Ratio;

/// The position of a named axis in the exporter's list of axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AxisId(pub usize);

/// What a [`Dim`] is built from besides numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// The size of a named axis.
    Axis(AxisId),
    /// The quotient of an expression and a positive number, rounded down.
    Floor(Box<Dim>, i64),
    /// An expression, or the number where that is less.
    Min(Box<Dim>, i64),
}

/// A product of powers of atoms, atoms in order, no power zero. Empty means one.
pub type Monomial = Vec<(Atom, i32)>;

/// A size: a sum of products of axis sizes with rational coefficients, with rounded-down quotients inside.
///
/// Always in normal form, so that two equal expressions of this family are equal values: `2*batch + 1`,
/// `batch*seq/4`, `floor((height - 1)/2) + 1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dim {
    terms: Vec<(Monomial, Ratio)>,
}

impl Dim {
    /// A size that no axis changes.
    pub fn fixed(value: i64) -> Self {
        Self::from_terms([(Monomial::new(), Ratio::integer(value.into()))])
    }

    /// The size of an axis.
    pub fn axis(axis: AxisId) -> Self {
        Self::atom(Atom::Axis(axis))
    }

    pub(super) fn atom(atom: Atom) -> Self {
        Self::from_terms([(vec![(atom, 1)], Ratio::ONE)])
    }

    fn from_terms(terms: impl IntoIterator<Item = (Monomial, Ratio)>) -> Self {
        let mut sum: BTreeMap<Monomial, Ratio> = BTreeMap::new();
        for (monomial, coefficient) in terms {
            let entry = sum.entry(monomial).or_insert(Ratio::ZERO);
            *entry = *entry + coefficient;
        }
        sum.retain(|_, coefficient| !coefficient.is_zero());
        Self { terms: sum.into_iter().collect() }
    }

    /// A linear combination of expressions.
    pub fn combination<'a>(parts: impl IntoIterator<Item = (Ratio, &'a Dim)>) -> Self {
        Self::from_terms(parts.into_iter().flat_map(|(factor, dim)| {
            dim.terms.iter().map(move |(monomial, coefficient)| (monomial.clone(), *coefficient * factor))
        }))
    }

    /// The terms of the sum, in order.
    pub fn terms(&self) -> &[(Monomial, Ratio)] {
        &self.terms
    }

    /// The number, if no axis changes this size.
    pub fn as_fixed(&self) -> Option<i64> {
        match self.terms.as_slice() {
            [] => Some(0),
            [(monomial, value)] if monomial.is_empty() => value.to_integer().and_then(|value| value.try_into().ok()),
            _ => None,
        }
    }

    /// The number, whole or not, if no axis changes this expression.
    fn as_number(&self) -> Option<Ratio> {
        match self.terms.as_slice() {
            [] => Some(Ratio::ZERO),
            [(monomial, value)] if monomial.is_empty() => Some(*value),
            _ => None,
        }
    }

    /// Whether this is exactly the number.
    pub fn is(&self, value: i64) -> bool {
        self.as_fixed() == Some(value)
    }

    /// The axis, if this is exactly its size.
    pub fn as_axis(&self) -> Option<AxisId> {
        match self.terms.as_slice() {
            [(monomial, coefficient)] if *coefficient == Ratio::ONE => match monomial.as_slice() {
                [(Atom::Axis(axis), 1)] => Some(*axis),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value at the given sizes, one for each axis; `None` if it is not a whole number or does not fit.
    pub fn eval(&self, sizes: &[i64]) -> Option<i64> {
        let value = self.eval_ratio(sizes)?.to_integer()?;
        value.try_into().ok()
    }

    fn eval_ratio(&self, sizes: &[i64]) -> Option<Ratio> {
        let mut sum = Ratio::ZERO;
        for (monomial, coefficient) in &self.terms {
            let mut product = *coefficient;
            for (atom, power) in monomial {
                let value = Ratio::integer(atom.eval(sizes)?.into());
                let value = if *power < 0 { value.recip()? } else { value };
                for _ in 0..power.unsigned_abs() {
                    product = product * value;
                }
            }
            sum = sum + product;
        }
        Some(sum)
    }

    /// The exact quotient, where the divisor is a single product.
    pub fn divide(&self, divisor: &Dim) -> Option<Dim> {
        let [(monomial, coefficient)] = divisor.terms.as_slice() else {
            return (self == divisor).then(|| Dim::fixed(1));
        };
        let inverse: Monomial = monomial.iter().map(|(atom, power)| (atom.clone(), -power)).collect();
        let factor = coefficient.recip()?;
        Some(Self::from_terms(
            self.terms.iter().map(|(monomial, coefficient)| (multiply(monomial, &inverse), *coefficient * factor)),
        ))
    }

    /// `floor(self / divisor)` for a positive divisor.
    ///
    /// Whole multiples of the divisor are moved out of the rounding, so that what is left has factors from zero up to the
    /// divisor: the normal form.
    pub fn floor_div(&self, divisor: i64) -> Dim {
        if divisor <= 0 {
            return self.clone();
        }
        let by = i128::from(divisor);
        let (mut whole, mut rest) = (Vec::new(), Vec::new());
        for (monomial, coefficient) in &self.terms {
            match coefficient.to_integer() {
                Some(value) if monomial.iter().all(|(_, power)| *power > 0) => {
                    whole.push((monomial.clone(), Ratio::integer(value.div_euclid(by))));
                    rest.push((monomial.clone(), Ratio::integer(value.rem_euclid(by))));
                }
                _ => rest.push((monomial.clone(), *coefficient)),
            }
        }
        let rest = Self::from_terms(rest);
        match rest.as_number() {
            Some(value) => {
                let quotient = value.numerator().div_euclid(value.denominator() * by);
                whole.push((Monomial::new(), Ratio::integer(quotient)));
            }
            None => whole.push((vec![(Atom::Floor(Box::new(rest), divisor), 1)], Ratio::ONE)),
        }
        Self::from_terms(whole)
    }

    /// `ceil(self / divisor)` for a positive divisor.
    pub fn ceil_div(&self, divisor: i64) -> Dim {
        (self + &Dim::fixed(divisor - 1)).floor_div(divisor)
    }

    /// `min(self, most)`.
    pub fn at_most(&self, most: i64) -> Dim {
        match self.as_fixed() {
            Some(size) => Dim::fixed(size.min(most)),
            None => Self::atom(Atom::Min(Box::new(self.clone()), most)),
        }
    }

    /// The number, if this is `min(size, number)`.
    pub fn is_at_most(&self, size: &Dim) -> Option<i64> {
        match self.terms.as_slice() {
            [(monomial, Ratio::ONE)] => match monomial.as_slice() {
                [(Atom::Min(inner, most), 1)] if **inner == *size => Some(*most),
                _ => None,
            },
            _ => None,
        }
    }

    /// The same expression of other atoms; `None` where it is divided by one that becomes a sum.
    pub(super) fn map_atoms(&self, map: &dyn Fn(&Atom) -> Dim) -> Option<Dim> {
        let mut sum = Dim::fixed(0);
        for (monomial, coefficient) in &self.terms {
            let mut product = Self::from_terms([(Monomial::new(), *coefficient)]);
            for (atom, power) in monomial {
                let value = map(atom);
                for _ in 0..power.unsigned_abs() {
                    product = if *power > 0 { &product * &value } else { product.divide(&value)? };
                }
            }
            sum = &sum + &product;
        }
        Some(sum)
    }

    /// The terms that are chosen, and the others.
    pub(super) fn split(&self, chosen: impl Fn(&Monomial, Ratio) -> bool) -> (Dim, Dim) {
        let (yes, no) = self.terms.iter().cloned().partition(|(monomial, factor)| chosen(monomial, *factor));
        (Dim { terms: yes }, Dim { terms: no })
    }

    /// The axes that this size depends on, in order.
    pub fn axes(&self) -> Vec<AxisId> {
        let mut axes = Vec::new();
        self.collect_axes(&mut axes);
        axes.sort_unstable();
        axes.dedup();
        axes
    }

    fn collect_axes(&self, axes: &mut Vec<AxisId>) {
        for (atom, _) in self.terms.iter().flat_map(|(monomial, _)| monomial) {
            match atom {
                Atom::Axis(axis) => axes.push(*axis),
                Atom::Floor(inner, _) | Atom::Min(inner, _) => inner.collect_axes(axes),
            }
        }
    }

    /// The expression in words, with the names of the axes.
    pub fn display<'a>(&'a self, names: &'a [String]) -> impl fmt::Display + 'a {
        Named { dim: self, names }
    }

    /// The product of sizes.
    pub fn product<'a>(dims: impl IntoIterator<Item = &'a Dim>) -> Dim {
        dims.into_iter().fold(Dim::fixed(1), |product, dim| &product * dim)
    }
}

impl Atom {
    fn eval(&self, sizes: &[i64]) -> Option<i64> {
        match self {
            Atom::Axis(AxisId(index)) => sizes.get(*index).copied(),
            Atom::Floor(inner, divisor) => {
                let value = inner.eval_ratio(sizes)?;
                let quotient = value.numerator().div_euclid(value.denominator() * i128::from(*divisor));
                quotient.try_into().ok()
            }
            Atom::Min(inner, most) => Some(inner.eval(sizes)?.min(*most)),
        }
    }
}

fn multiply(left: &Monomial, right: &Monomial) -> Monomial {
    let mut powers: BTreeMap<Atom, i32> = left.iter().cloned().collect();
    for (atom, power) in right {
        *powers.entry(atom.clone()).or_insert(0) += power;
    }
    powers.retain(|_, power| *power != 0);
    powers.into_iter().collect()
}

impl Add for &Dim {
    type Output = Dim;
    fn add(self, rhs: &Dim) -> Dim {
        Dim::from_terms(self.terms.iter().chain(&rhs.terms).cloned())
    }
}

impl Sub for &Dim {
    type Output = Dim;
    fn sub(self, rhs: &Dim) -> Dim {
        Dim::combination([(Ratio::ONE, self), (Ratio::integer(-1), rhs)])
    }
}

impl Mul for &Dim {
    type Output = Dim;
    fn mul(self, rhs: &Dim) -> Dim {
        Dim::from_terms(
            self.terms
                .iter()
                .flat_map(|(left, a)| rhs.terms.iter().map(move |(right, b)| (multiply(left, right), *a * *b))),
        )
    }
}

impl From<i64> for Dim {
    fn from(value: i64) -> Self {
        Dim::fixed(value)
    }
}

struct Named<'a> {
    dim: &'a Dim,
    names: &'a [String],
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dim.terms.is_empty() {
            return f.write_str("0");
        }
        // Highest terms first: `2*seq + 1` reads better than `1 + 2*seq`.
        for (position, (monomial, coefficient)) in self.dim.terms.iter().rev().enumerate() {
            let negative = coefficient.numerator() < 0;
            match (position, negative) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            let top = coefficient.numerator().unsigned_abs();
            let (above, below): (Vec<_>, Vec<_>) = monomial.iter().partition(|(_, power)| *power > 0);
            let mut separator = "";
            if top != 1 || above.is_empty() {
                write!(f, "{top}")?;
                separator = "*";
            }
            for (atom, power) in above {
                for _ in 0..*power {
                    f.write_str(separator)?;
                    self.write_atom(f, atom)?;
                    separator = "*";
                }
            }
            if coefficient.denominator() != 1 {
                write!(f, "/{}", coefficient.denominator())?;
            }
            for (atom, power) in below {
                for _ in 0..power.unsigned_abs() {
                    f.write_str("/")?;
                    self.write_atom(f, atom)?;
                }
            }
        }
        Ok(())
    }
}

impl Named<'_> {
    fn write_atom(&self, f: &mut fmt::Formatter<'_>, atom: &Atom) -> fmt::Result {
        match atom {
            Atom::Axis(AxisId(index)) => match self.names.get(*index) {
                Some(name) => f.write_str(name),
                None => write!(f, "axis{index}"),
            },
            Atom::Floor(inner, divisor) => {
                write!(f, "floor(({})/{divisor})", inner.display(self.names))
            }
            Atom::Min(inner, most) => write!(f, "min({}, {most})", inner.display(self.names)),
        }
    }
}

/// `[batch, 2*sequence]`.
pub(crate) fn shape_text(dims: &[Dim], axes: &[String]) -> String {
    let dims: Vec<String> = dims.iter().map(|dim| dim.display(axes).to_string()).collect();
    format!("[{}]", dims.join(", "))
}

/// `axis "batch"`, or `axes "batch" and "seq"`.
pub(crate) fn axis_names(axes: &[AxisId], names: &[String]) -> String {
    let names: Vec<&str> = axes.iter().filter_map(|AxisId(axis)| names.get(*axis).map(String::as_str)).collect();
    match names.as_slice() {
        [] => "the axes".to_string(),
        [one] => format!("axis {one:?}"),
        many => format!("axes {}", many.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["batch".into(), "seq".into()]
    }

    fn batch() -> Dim {
        Dim::axis(AxisId(0))
    }

    fn seq() -> Dim {
        Dim::axis(AxisId(1))
    }

    #[test]
    fn equal_expressions_are_equal_values() {
        let square = &(&batch() + &Dim::fixed(1)) * &(&batch() + &Dim::fixed(1));
        let expanded = &(&(&batch() * &batch()) + &(&batch() * &Dim::fixed(2))) + &Dim::fixed(1);
        assert_eq!(square, expanded);
        assert_eq!((&batch() * &seq()).divide(&seq()), Some(batch()));
        assert_eq!(&batch() - &batch(), Dim::fixed(0));
    }

    #[test]
    fn whole_multiples_leave_the_rounding() {
        // floor((4*seq + 7)/4) = seq + 1 + floor(3/4) = seq + 1.
        let dim = (&(&seq() * &Dim::fixed(4)) + &Dim::fixed(7)).floor_div(4);
        assert_eq!(dim, &seq() + &Dim::fixed(1));
        let halves = (&seq() - &Dim::fixed(3)).floor_div(2);
        assert_eq!(halves, &(&seq() + &Dim::fixed(1)).floor_div(2) - &Dim::fixed(2));
        assert_eq!(halves.eval(&[0, 10]), Some(3));
        assert_eq!(halves.eval(&[0, 2]), Some(-1));
        assert_eq!(seq().ceil_div(3).eval(&[0, 7]), Some(3));
        // floor(3*seq/2) = seq + floor(seq/2), and floor(-seq/2) = floor(seq/2) - seq.
        let times = |factor: i64| &seq() * &Dim::fixed(factor);
        assert_eq!(times(3).floor_div(2), &seq() + &seq().floor_div(2));
        assert_eq!(times(-1).floor_div(2), &seq().floor_div(2) - &seq());
    }

    #[test]
    fn expressions_read_like_formulas() {
        let text = |dim: Dim| dim.display(&names()).to_string();
        assert_eq!(text(&(&batch() * &seq()) + &Dim::fixed(2)), "batch*seq + 2");
        assert_eq!(text(&seq().floor_div(2) - &Dim::fixed(1)), "floor((seq)/2) - 1");
        assert_eq!(
            text((&batch() * &Dim::fixed(3)).divide(&(&seq() * &Dim::fixed(4))).unwrap_or(batch())),
            "3*batch/4/seq"
        );
    }

    #[test]
    fn fractions_evaluate_only_where_they_are_whole() {
        let half = seq().divide(&Dim::fixed(2)).unwrap_or(batch());
        assert_eq!(half.eval(&[0, 8]), Some(4));
        assert_eq!(half.eval(&[0, 7]), None);
    }
}
