//! Sizes as expressions over named axes.

use std::collections::BTreeMap;
use std::fmt;

use crate::Dim;

/// Longer expressions are given up: they prove nothing, and files from strangers could make them grow without end.
const MAX_TERMS: usize = 12;
const MAX_DEGREE: usize = 6;
const MAX_SYMBOL: usize = 256;

/// A polynomial with integer coefficients over named axes: `2*batch*seq + 1`.
///
/// What is no polynomial, such as `floor((width - 3)/2)`, is a symbol under its own text: two such sizes are equal when
/// they are computed in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Coefficients by the sorted symbols of the product; no product stands for the constant. None is zero.
    terms: BTreeMap<Vec<String>, i64>,
}

/// A size that may be unknown.
pub type Size = Option<Extent>;

impl Extent {
    /// A number.
    pub fn known(size: i64) -> Self {
        let mut terms = BTreeMap::new();
        if size != 0 {
            terms.insert(Vec::new(), size);
        }
        Self { terms }
    }

    pub(crate) fn symbol(name: &str) -> Self {
        Self { terms: BTreeMap::from([(vec![name.to_owned()], 1)]) }
    }

    /// A size that is no polynomial, under its text; unknown when that is too long.
    pub(crate) fn opaque(text: String) -> Size {
        (text.len() <= MAX_SYMBOL).then(|| Self::symbol(&text))
    }

    pub(crate) fn from_dim(dim: &Dim) -> Size {
        match dim {
            Dim::Known(size) => i64::try_from(*size).ok().map(Self::known),
            Dim::Symbol(name) => Self::opaque(name.clone()),
            Dim::Unknown => None,
        }
    }

    pub(crate) fn to_dim(size: &Size) -> Dim {
        let Some(extent) = size else { return Dim::Unknown };
        match extent.as_known() {
            Some(known) => u64::try_from(known).map_or(Dim::Unknown, Dim::Known),
            None => Dim::Symbol(extent.to_string()),
        }
    }

    /// The number, where it is one.
    pub fn as_known(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    fn constant(&self) -> i64 {
        self.terms.get(&Vec::new()).copied().unwrap_or(0)
    }

    pub(crate) fn add(&self, other: &Self) -> Size {
        let mut terms = self.terms.clone();
        for (symbols, coefficient) in &other.terms {
            let sum = terms.entry(symbols.clone()).or_insert(0);
            *sum = sum.checked_add(*coefficient)?;
        }
        Self::of(terms)
    }

    pub(crate) fn sub(&self, other: &Self) -> Size {
        self.add(&other.mul(&Self::known(-1))?)
    }

    pub(crate) fn mul(&self, other: &Self) -> Size {
        let mut terms = BTreeMap::<Vec<String>, i64>::new();
        for (left, a) in &self.terms {
            for (right, b) in &other.terms {
                let mut symbols = [left.as_slice(), right.as_slice()].concat();
                symbols.sort();
                let sum = terms.entry(symbols).or_insert(0);
                *sum = sum.checked_add(a.checked_mul(*b)?)?;
            }
        }
        Self::of(terms)
    }

    fn of(mut terms: BTreeMap<Vec<String>, i64>) -> Size {
        terms.retain(|_, coefficient| *coefficient != 0);
        let small = terms.len() <= MAX_TERMS && terms.keys().all(|symbols| symbols.len() <= MAX_DEGREE);
        small.then_some(Self { terms })
    }

    pub(crate) fn plus(&self, constant: i64) -> Size {
        self.add(&Self::known(constant))
    }

    pub(crate) fn times(&self, factor: i64) -> Size {
        self.mul(&Self::known(factor))
    }

    /// The quotient when `divisor` is a single product that divides every term; for sizes above zero.
    pub(crate) fn divide_exactly(&self, divisor: &Self) -> Size {
        let (symbols, coefficient) = match divisor.terms.len() {
            1 => divisor.terms.first_key_value()?,
            _ => return (self == divisor && !self.terms.is_empty()).then(|| Self::known(1)),
        };
        let mut terms = BTreeMap::new();
        for (product, factor) in &self.terms {
            let mut rest = product.clone();
            for symbol in symbols {
                rest.remove(rest.iter().position(|other| other == symbol)?);
            }
            (factor.checked_rem(*coefficient)? == 0).then_some(())?;
            terms.insert(rest, factor / coefficient);
        }
        Self::of(terms)
    }

    /// The quotient rounded down; `divisor` above zero.
    pub(crate) fn floor_div(&self, divisor: i64) -> Size {
        if divisor <= 0 {
            return None;
        }
        let mut whole = BTreeMap::new();
        let mut rest = BTreeMap::new();
        for (symbols, coefficient) in &self.terms {
            let (quotient, remainder) = (coefficient.div_euclid(divisor), coefficient.rem_euclid(divisor));
            if symbols.is_empty() || remainder == 0 {
                whole.insert(symbols.clone(), quotient);
                rest.insert(symbols.clone(), remainder);
            } else {
                rest.insert(symbols.clone(), *coefficient);
            }
        }
        let (whole, rest) = (Self::of(whole)?, Self::of(rest)?);
        // A constant rest is below the divisor.
        match rest.as_known() {
            Some(_) => Some(whole),
            None => whole.add(&Self::opaque(format!("floor(({rest})/{divisor})"))?),
        }
    }

    /// The larger of the size and `least`. Named axes are taken to be at least 1.
    pub(crate) fn at_least(&self, least: i64) -> Size {
        match self.as_known() {
            Some(known) => Some(Self::known(known.max(least))),
            None if self.lower_bound() >= least => Some(self.clone()),
            None => Self::opaque(format!("max({self}, {least})")),
        }
    }

    /// The smaller of the size and `most`.
    pub(crate) fn at_most(&self, most: i64) -> Size {
        match self.as_known() {
            Some(known) => Some(Self::known(known.min(most))),
            None if most <= self.lower_bound() => Some(Self::known(most)),
            None => Self::opaque(format!("min({self}, {most})")),
        }
    }

    /// Whether the size is that of `whole` cut off at some constant above 1.
    pub(crate) fn is_cut_from(&self, whole: &Self) -> bool {
        let [(symbols, 1)] = self.terms.iter().map(|(symbols, count)| (symbols, *count)).collect::<Vec<_>>()[..] else {
            return false;
        };
        let [symbol] = symbols.as_slice() else { return false };
        let most = symbol.strip_prefix(&format!("min({whole}, ")).and_then(|rest| rest.strip_suffix(')'));
        most.and_then(|most| most.parse::<i64>().ok()).is_some_and(|most| most > 1)
    }

    /// Whether the size is above `bound` for all named axes.
    pub(crate) fn is_above(&self, bound: i64) -> bool {
        self.as_known().unwrap_or_else(|| self.lower_bound()) > bound
    }

    /// What the size is at least when every symbol is at least 1 and no coefficient is negative; else very low.
    fn lower_bound(&self) -> i64 {
        let negative = self.terms.iter().any(|(symbols, coefficient)| !symbols.is_empty() && *coefficient < 0);
        // A symbol that stands for an expression may be 0.
        let opaque = self.terms.keys().flatten().any(|symbol| symbol.contains('('));
        match negative || opaque {
            true => i64::MIN,
            false => self.terms.values().fold(0i64, |sum, coefficient| sum.saturating_add(*coefficient)),
        }
    }

    /// Whether no sizes of the named axes can make the two equal.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.sub(other).and_then(|difference| difference.as_known()).is_some_and(|difference| difference != 0)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (symbols, coefficient) in self.terms.iter().filter(|(symbols, _)| !symbols.is_empty()) {
            match (first, *coefficient < 0) {
                (true, true) => f.write_str("-")?,
                (true, false) => {}
                (false, true) => f.write_str(" - ")?,
                (false, false) => f.write_str(" + ")?,
            }
            first = false;
            if coefficient.unsigned_abs() != 1 {
                write!(f, "{}*", coefficient.unsigned_abs())?;
            }
            f.write_str(&symbols.join("*"))?;
        }
        match self.constant() {
            0 if first => f.write_str("0"),
            0 => Ok(()),
            constant if first => write!(f, "{constant}"),
            constant if constant < 0 => write!(f, " - {}", constant.unsigned_abs()),
            constant => write!(f, " + {constant}"),
        }
    }
}

/// The product of sizes; unknown when one is, unless one is 0.
pub(crate) fn product<'a>(sizes: impl IntoIterator<Item = &'a Size> + Clone) -> Size {
    let zero = |size: &Size| size.as_ref().and_then(Extent::as_known) == Some(0);
    if sizes.clone().into_iter().any(zero) {
        return Some(Extent::known(0));
    }
    sizes.into_iter().try_fold(Extent::known(1), |product, size| product.mul(size.as_ref()?))
}

/// The sum of sizes; unknown when one is.
pub(crate) fn sum(sizes: &[Size]) -> Size {
    sizes.iter().try_fold(Extent::known(0), |sum, size| sum.add(size.as_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n() -> Extent {
        Extent::symbol("n")
    }

    #[test]
    fn polynomials_have_one_text() {
        let left = n().plus(1).and_then(|sum| sum.mul(&n())).map(|product| product.to_string());
        assert_eq!(left.as_deref(), Some("n + n*n"));
        assert_eq!(n().sub(&n()).and_then(|zero| zero.as_known()), Some(0));
        assert_eq!(
            n().times(-2).and_then(|product| product.plus(3)).map(|sum| sum.to_string()).as_deref(),
            Some("-2*n + 3")
        );
    }

    #[test]
    fn division_is_exact_or_says_so() {
        let product = n().times(6).unwrap_or_else(n);
        assert_eq!(product.divide_exactly(&n().times(3).unwrap_or_else(n)), Some(Extent::known(2)));
        assert_eq!(product.divide_exactly(&Extent::known(4)), None);
        assert_eq!(product.floor_div(2), n().times(3));
        let halves = n().times(4).and_then(|sum| sum.plus(-3)).and_then(|sum| sum.floor_div(2));
        assert_eq!(halves.map(|halves| halves.to_string()).as_deref(), Some("2*n - 2"));
        let third = n().plus(-1).and_then(|sum| sum.floor_div(3)).map(|third| third.to_string());
        assert_eq!(third.as_deref(), Some("floor((n + 2)/3) - 1"));
    }

    #[test]
    fn sizes_differ_only_when_no_axis_could_help() {
        assert!(n().plus(1).is_some_and(|sum| sum.differs(&n())));
        assert!(!n().differs(&Extent::known(3)));
        assert!(!n().differs(&Extent::symbol("m")));
    }

    #[test]
    fn bounds_hold_for_every_axis_from_one() {
        assert_eq!(n().plus(-1).and_then(|size| size.at_least(0)), n().plus(-1));
        let text = n().plus(-2).and_then(|size| size.at_least(0)).map(|size| size.to_string());
        assert_eq!(text.as_deref(), Some("max(n - 2, 0)"));
        assert_eq!(n().at_most(1), Some(Extent::known(1)));
    }
}
