//! Element types and symbolic shapes, followed through a graph.
//!
//! A size is a polynomial over the named axes of the model's inputs (`extent`), so that `batch*seq` split again into
//! `batch` and `seq` is seen to fit. The elements of small integer tensors are followed too: what `Shape`, `Gather` and
//! `Concat` compute for a `Reshape`. The rules are strict: what contradicts itself for every size of the named axes is
//! an error. What they cannot say is left unknown, and no error. Each family of operators lists its own (`families`).

mod attention;
mod cast;
mod control;
mod conv;
mod elementwise;
mod extent;
mod families;
mod index;
mod make;
mod matmul;
mod normalise;
mod op;
mod reduce;
mod regions;
mod reshape;
mod resize;
mod rule;
mod slice;
mod types;
mod walk;

pub use extent::{Extent, Size};
pub use op::{Dims, Op, Value, axis};
pub(crate) use walk::values;
pub use walk::{Types, Values};
