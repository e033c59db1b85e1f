//! Sizes as expressions over the named axes, and how they are found from traces.
//!
//! A number seen in several traces of the same operation is explained by the first of these that fits **every** trace:
//! a constant, a formula known for the operation (the output size of a convolution, say), a size already explained, a
//! sum of axes, a product, a sum of products, a rounded-down quotient. There are always more traces than unknowns, so
//! a wrong formula would have to agree by accident at sizes it was not fitted to.

mod dim;
mod known;
mod ratio;
mod solve;

pub use dim::{Atom, AxisId, Dim, Monomial};
pub(crate) use dim::{axis_names, shape_text};
pub(crate) use known::Known;
pub use ratio::{Ratio, gcd};
pub(crate) use solve::Solver;
