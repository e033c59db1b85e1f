//! Sizes and types of the values of a program.

use std::fmt;

/// Sizes of the two dynamic axes at which programs run: what was traced, and what was not.
pub const RUNS: [[usize; 2]; 5] = [[1, 1], [3, 7], [2, 5], [17, 1], [13, 12]];

/// The largest size of an axis. An axis without end would be recorded at thousands, where programs that join axes need
/// gigabytes.
pub const LARGEST: usize = 530;

/// Sizes at which a program must be legal as well, because an export records it there.
const FAR: [[usize; 2]; 3] = [[526, 7], [LARGEST, 7], [3, LARGEST]];

const POINTS: usize = RUNS.len() + FAR.len();

/// A size, as a formula over the dynamic axes for the reader, and by its value at the points above.
#[derive(Clone)]
pub struct Size {
    text: String,
    at: [usize; POINTS],
}

impl Size {
    /// The same at every point.
    pub fn fixed(size: usize) -> Self {
        Self { text: size.to_string(), at: [size; POINTS] }
    }

    /// A dynamic axis: `n` or `m`.
    pub fn axis(position: usize) -> Self {
        let mut points = RUNS.iter().chain(&FAR);
        let at = std::array::from_fn(|_| points.next().map_or(1, |point| point[position]));
        Self { text: AXES[position].to_string(), at }
    }

    /// Its value, if that is the same at every point.
    pub fn value(&self) -> Option<usize> {
        self.at.iter().all(|size| *size == self.at[0]).then_some(self.at[0])
    }

    /// Whether both are equal at every point.
    pub fn same(&self, other: &Self) -> bool {
        self.at == other.at
    }

    /// Whether so much more than the other has room at every point.
    pub fn holds(&self, other: &Self, more: usize) -> bool {
        self.at.iter().zip(&other.at).all(|(size, other)| other + more <= *size)
    }

    /// Made from one size; none if that is not legal at some point.
    pub fn map(&self, text: impl FnOnce(&str) -> String, of: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let mut at = self.at;
        for size in &mut at {
            *size = of(*size).filter(|size| *size > 0)?;
        }
        let made = Self { text: text(&self.text), at };
        Some(made.value().map_or(made, Size::fixed))
    }

    /// Made from two sizes.
    pub fn join(&self, other: &Self, sign: &str, of: impl Fn(usize, usize) -> usize) -> Self {
        let at = std::array::from_fn(|point| of(self.at[point], other.at[point]));
        let made = Self { text: format!("({} {sign} {})", self.text, other.text), at };
        made.value().map_or(made, Size::fixed)
    }

    /// The largest at the points where programs run.
    pub fn largest(&self) -> usize {
        self.at[..RUNS.len()].iter().copied().fold(1, usize::max)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The names of the dynamic axes.
pub const AXES: [&str; 2] = ["n", "m"];

/// What the elements of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Floats.
    Float,
    /// Whole numbers.
    Int,
    /// Truths.
    Bool,
}

/// What is known of a value before the program runs.
#[derive(Clone)]
pub struct Type {
    /// Its elements.
    pub kind: Kind,
    /// Its shape.
    pub shape: Vec<Size>,
    /// No element is larger, up to its sign.
    pub bound: f64,
    /// Every element is a multiple of two to the minus this, unless rounding has touched it.
    pub grid: Option<i32>,
    /// Whether infinities and NaN may be among the elements, besides what `bound` and `grid` say of the others.
    pub wild: bool,
}

impl Type {
    /// Another kind of elements in the same shape.
    pub fn of(&self, kind: Kind, bound: f64, grid: Option<i32>) -> Self {
        Self { kind, shape: self.shape.clone(), bound, grid, wild: self.wild }
    }

    /// The same elements in another shape.
    pub fn shaped(&self, shape: Vec<Size>) -> Self {
        Self { shape, ..self.clone() }
    }

    /// One axis replaced.
    pub fn with(&self, axis: usize, size: Size) -> Self {
        let mut shape = self.shape.clone();
        shape[axis] = size;
        self.shaped(shape)
    }

    /// Whether no rounding touched the elements: only then may a step, a comparison or a choice depend on them, as the
    /// last bit of a rounded number is the runtime's own.
    pub fn is_exact(&self) -> bool {
        self.grid.is_some_and(|grid| self.bound * f64::from(grid).exp2() <= f64::from(1 << 22))
    }

    /// Whether both have the same shape.
    pub fn same_shape(&self, other: &Self) -> bool {
        self.shape.len() == other.shape.len()
            && self.shape.iter().zip(&other.shape).all(|(left, right)| left.same(right))
    }

    /// Whether the value is small enough to run, and its numbers tame enough to compare.
    pub fn is_tame(&self) -> bool {
        let elements = |point: usize| self.shape.iter().map(|size| size.at[point]).product::<usize>();
        let most = |point: usize| if point < RUNS.len() { 1 << 13 } else { 1 << 20 };
        let small = (0..POINTS).all(|point| elements(point) <= most(point));
        let bound = if self.kind == Kind::Int { 1e6 } else { 1e4 };
        small && self.bound <= bound && (1..=4).contains(&self.shape.len())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.shape.iter().map(Size::to_string).collect();
        write!(f, "{}[{}]", format!("{:?}", self.kind).to_lowercase(), sizes.join(", "))
    }
}
