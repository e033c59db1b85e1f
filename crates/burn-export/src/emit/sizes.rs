//! Sizes that follow an axis, computed from the shapes of the inputs at run time.
//!
//! Most need no operators: a Reshape may copy a size or leave one open, an Expand may keep one, a Slice may count from
//! the end. What remains is read from an input's shape and computed in int64.

use super::Emitter;
use crate::error::ExportError;
use crate::graph::{Node, ValueId};
use crate::opset::Opset;
use crate::symbolic::{Atom, AxisId, Dim, Monomial, Ratio, gcd};

impl Emitter<'_> {
    /// An int64 vector of sizes.
    pub(super) fn vector(&mut self, dims: &[Dim]) -> Result<String, ExportError> {
        let fixed: Option<Vec<i64>> = dims.iter().map(Dim::as_fixed).collect();
        if let Some(fixed) = fixed {
            return self.whole(&fixed, false);
        }
        if let [dim] = dims {
            return self.size(dim, false);
        }
        // Several sizes that a value has as they are need one operator.
        let follows = dims.iter().filter(|dim| dim.as_fixed().is_none()).count();
        if follows > 1
            && let Some(value) = self.written.iter().find(|value| self.graph.shape(**value) == dims)
        {
            return self.shape(*value);
        }
        // Neighbouring fixed sizes are one constant.
        let mut parts = Vec::new();
        let mut run: Vec<i64> = Vec::new();
        for dim in dims {
            match dim.as_fixed() {
                Some(size) => run.push(size),
                None => {
                    if !run.is_empty() {
                        parts.push(self.whole(&std::mem::take(&mut run), false)?);
                    }
                    parts.push(self.size(dim, false)?);
                }
            }
        }
        if !run.is_empty() {
            parts.push(self.whole(&run, false)?);
        }
        Ok(self.push("Concat", &parts, &[("axis", 0i64.into())]))
    }

    /// The target of a Reshape: -1 for the one open size, 0 for a size that stays where it is.
    pub(super) fn reshape_target(&mut self, node: &Node, dims: &[Dim]) -> Result<String, ExportError> {
        let from = node.input(0).map(|input| self.graph.shape(input).to_vec()).unwrap_or_default();
        let stays = |axis: usize| from.get(axis) == Some(&dims[axis]);
        let open: Vec<usize> = (0..dims.len()).filter(|axis| dims[*axis].as_fixed().is_none()).collect();
        let moving: Vec<usize> = open.iter().copied().filter(|axis| !stays(*axis)).collect();
        // A size of zero cannot be told from "copy", and leaves -1 ambiguous.
        let empty = dims.iter().any(|dim| dim.is(0));
        let inferred = match (open.as_slice(), moving.as_slice()) {
            ([only], _) => Some(*only),
            (_, [only]) => Some(*only),
            ([.., last], []) if self.joins_heads(node, dims) => Some(*last),
            _ => None,
        };
        let expressible = moving.len() <= 1 && !empty;
        if expressible {
            let target: Vec<i64> = (0..dims.len())
                .map(|axis| match dims[axis].as_fixed() {
                    Some(size) => size,
                    None if inferred == Some(axis) => -1,
                    None => 0,
                })
                .collect();
            return self.whole(&target, false);
        }
        self.vector(dims)
    }

    /// Whether a Reshape joins the heads of an attention in a graph whose shapes a runtime knows from its inputs alone, since none was
    /// read so far. ONNX Runtime takes `SkipLayerNormalization` for the sum and the layer norm behind the attention where it knows the shapes
    /// of both operands, and is slower by it; a size that is left open is one that it does not know.
    fn joins_heads(&self, node: &Node, dims: &[Dim]) -> bool {
        let Some(input) = node.input(0).filter(|_| self.shapes.is_empty()) else { return false };
        let swapped = self.graph.nodes.iter().any(|node| node.op == "Transpose" && node.outputs.contains(&input));
        let ([batch, length, heads, size], [rows, columns, width]) = (self.graph.shape(input), dims) else {
            return false;
        };
        let product = heads.as_fixed().zip(size.as_fixed()).map(|(heads, size)| heads * size);
        swapped && batch == rows && length == columns && width.as_fixed().is_some_and(|width| Some(width) == product)
    }

    /// The target of an Expand: 1 where the size stays.
    pub(super) fn expand_target(&mut self, input: Option<ValueId>, dims: &[Dim]) -> Result<String, ExportError> {
        let from = input.map(|input| self.graph.shape(input).to_vec()).unwrap_or_default();
        let lead = dims.len().saturating_sub(from.len());
        let target: Vec<Dim> = dims
            .iter()
            .enumerate()
            .map(|(axis, dim)| {
                let own = axis.checked_sub(lead).and_then(|axis| from.get(axis));
                if own == Some(dim) && dim.as_fixed().is_none() { Dim::fixed(1) } else { dim.clone() }
            })
            .collect();
        self.vector(&target)
    }

    /// The bounds of a Slice: counted from the end where that makes them fixed.
    pub(super) fn slice_bounds(&mut self, node: &Node, position: usize, dims: &[Dim]) -> Result<String, ExportError> {
        let input = node.input(0).map(|input| self.graph.shape(input).to_vec()).unwrap_or_default();
        let axes: Vec<usize> = match node.inputs.get(3) {
            Some(crate::graph::Operand::Dims(axes)) => {
                axes.iter().filter_map(|axis| usize::try_from(axis.as_fixed()?).ok()).collect()
            }
            _ => Vec::new(),
        };
        let bounds: Vec<Dim> = dims
            .iter()
            .zip(axes)
            .map(|(bound, axis)| {
                if bound.as_fixed().is_some() {
                    return bound.clone();
                }
                let Some(size) = input.get(axis) else { return bound.clone() };
                // Slice ends with the axis by itself.
                if position == 2
                    && let Some(most) = bound.is_at_most(size)
                {
                    return Dim::fixed(most);
                }
                match (bound - size).as_fixed() {
                    // The end itself has no negative form.
                    Some(0) if position == 2 => Dim::fixed(i64::MAX),
                    Some(distance) if distance < 0 => Dim::fixed(distance),
                    _ => bound.clone(),
                }
            })
            .collect();
        self.vector(&bounds)
    }

    /// One size, as a scalar or as a vector of one element.
    pub(super) fn size(&mut self, dim: &Dim, scalar: bool) -> Result<String, ExportError> {
        if let Some(size) = dim.as_fixed() {
            return self.whole(&[size], scalar);
        }
        let key = (dim.clone(), scalar);
        if let Some(name) = self.sizes.get(&key) {
            return Ok(name.clone());
        }
        let name = match dim.as_axis() {
            Some(axis) => self.axis(axis, scalar)?,
            None => self.formula(dim, scalar)?,
        };
        self.sizes.insert(key, name.clone());
        Ok(name)
    }

    /// The size of an axis, from the first input that has it.
    fn axis(&mut self, axis: AxisId, scalar: bool) -> Result<String, ExportError> {
        let wanted = Dim::axis(axis);
        let found = self.graph.inputs.iter().find_map(|input| {
            let position = self.graph.shape(*input).iter().position(|dim| *dim == wanted)?;
            Some((*input, position as i64))
        });
        let Some((input, position)) = found else {
            return Err(ExportError::Internal { message: "an axis that no input has".to_string() });
        };
        let shape = self.shape(input)?;
        if scalar {
            let index = self.whole(&[position], true)?;
            return Ok(self.push("Gather", &[shape, index], &[("axis", 0i64.into())]));
        }
        // Of the forms that give a vector of one size, this is the one that every reader takes: some lose a Gather of a
        // vector, others misread a Shape with a range.
        let bounds = [position, position + 1, 0].map(|number| self.whole(&[number], false));
        let [start, end, axis] = bounds;
        Ok(self.push("Slice", &[shape, start?, end?, axis?], &[]))
    }

    /// All sizes of a value.
    fn shape(&mut self, value: ValueId) -> Result<String, ExportError> {
        let value = self.value(value)?;
        if let Some(shape) = self.shapes.get(&value) {
            return Ok(shape.clone());
        }
        let shape = self.push("Shape", std::slice::from_ref(&value), &[]);
        self.shapes.insert(value, shape.clone());
        Ok(shape)
    }

    /// `(sum of products) / common denominator`.
    fn formula(&mut self, dim: &Dim, scalar: bool) -> Result<String, ExportError> {
        let common = dim.terms().iter().fold(1i128, |common, (_, coefficient)| {
            common / gcd(common, coefficient.denominator()) * coefficient.denominator()
        });
        let mut sum: Option<String> = None;
        for (monomial, coefficient) in dim.terms() {
            let factor = *coefficient * Ratio::integer(common);
            let factor = factor
                .to_integer()
                .and_then(|factor| i64::try_from(factor).ok())
                .ok_or_else(|| ExportError::Internal { message: "a coefficient out of range".to_string() })?;
            // A negative term is subtracted, so that every operand is a plain size.
            let (size, op) = match (&sum, factor < 0) {
                (Some(_), true) => (-factor, "Sub"),
                _ => (factor, "Add"),
            };
            let term = self.term(monomial, size, scalar)?;
            sum = Some(match sum {
                None => term,
                Some(sum) => self.push(op, &[sum, term], &[]),
            });
        }
        let sum = match sum {
            Some(sum) => sum,
            None => self.whole(&[0], scalar)?,
        };
        if common == 1 {
            return Ok(sum);
        }
        let divisor = self.whole(&[common as i64], scalar)?;
        Ok(self.push("Div", &[sum, divisor], &[]))
    }

    fn term(&mut self, monomial: &Monomial, factor: i64, scalar: bool) -> Result<String, ExportError> {
        let mut product = match (factor, monomial.iter().any(|(_, power)| *power > 0)) {
            (1, true) => None,
            _ => Some(self.whole(&[factor], scalar)?),
        };
        for (atom, power) in monomial.iter().filter(|(_, power)| *power > 0) {
            for _ in 0..*power {
                let value = self.atom(atom, scalar)?;
                product = Some(match product {
                    None => value,
                    Some(product) => self.push("Mul", &[product, value], &[]),
                });
            }
        }
        let mut result = match product {
            Some(product) => product,
            None => self.whole(&[1], scalar)?,
        };
        for (atom, power) in monomial.iter().filter(|(_, power)| *power < 0) {
            for _ in 0..power.unsigned_abs() {
                let value = self.atom(atom, scalar)?;
                result = self.push("Div", &[result, value], &[]);
            }
        }
        Ok(result)
    }

    fn atom(&mut self, atom: &Atom, scalar: bool) -> Result<String, ExportError> {
        match atom {
            Atom::Axis(axis) => self.size(&Dim::axis(*axis), scalar),
            Atom::Floor(inner, divisor) => {
                let may_be_negative = inner.terms().iter().any(|(_, coefficient)| coefficient.numerator() < 0);
                let mut inner = self.size(inner, scalar)?;
                let divisor = self.whole(&[*divisor], scalar)?;
                if may_be_negative {
                    // Div rounds towards zero. Mod has the sign of the divisor, and what is left is a multiple of it.
                    let rest = self.push("Mod", &[inner.clone(), divisor.clone()], &[]);
                    inner = self.push("Sub", &[inner, rest], &[]);
                }
                Ok(self.push("Div", &[inner, divisor], &[]))
            }
            Atom::Min(inner, most) => {
                let (inner, most) = (self.size(inner, scalar)?, self.whole(&[*most], scalar)?);
                // Min takes integers from opset 12 on.
                if self.opset >= Opset::V12 {
                    return Ok(self.push("Min", &[inner, most], &[]));
                }
                let less = self.push("Less", &[inner.clone(), most.clone()], &[]);
                Ok(self.push("Where", &[less, inner, most], &[]))
            }
        }
    }
}
