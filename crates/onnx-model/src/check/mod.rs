//! Is this a model that ONNX allows?
//!
//! Two passes. The first looks at names: every value is made once, before it is used, and everything has the name and
//! number of inputs that its operator wants. The second, in [`shapes`], follows element types and shapes
//! through the graph and refuses what contradicts itself.

mod signature;
mod structure;

use crate::problem::{CheckError, Problem};
use crate::shapes::{self, Types, Values};
use crate::{Model, model};
pub(crate) use structure::MAX_DEPTH;

impl Model {
    /// Checks the model by the rules of ONNX, and returns what follows for the type of every value of the main graph.
    ///
    /// Checked are versions, names, order, signatures by opset, element types and shapes; operators of foreign domains
    /// are taken on trust. What cannot be known before the model runs is no error.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    pub fn check(&self) -> Result<Types, CheckError> {
        Ok(self.values()?.types(&self.graph))
    }

    /// Checks the model as [`check`](Self::check) does, and returns what is known of the values of each of its graphs.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    pub fn values(&self) -> Result<Values<'_>, CheckError> {
        structure::check(self)?;
        shapes::values(self)
    }
}

/// The opset of ONNX's own operators, which must be one that the operator table covers; `None` when the model does not
/// import them.
fn opset(model: &Model) -> Result<Option<i64>, Problem> {
    let (first, last) = (*crate::schema::OPSETS.start(), *crate::schema::OPSETS.end());
    match model.opset() {
        Some(found) if !(first..=last).contains(&found) => Err(Problem::Opset { found, first, last }),
        opset => Ok(opset),
    }
}

/// The last IR version known.
fn last_ir_version() -> i64 {
    model::ir_version_for_opset(model::LAST_OPSET)
}
