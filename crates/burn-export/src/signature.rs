//! The declared inputs and outputs, checked against each other, and the dynamic axes that they share.

use std::collections::BTreeSet;

use burn::tensor::DType;

use crate::axis::{Axis, AxisKind, DynamicAxis};
use crate::error::ExportError;
use crate::symbolic::AxisId;

/// An input as the user declares it.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredInput {
    pub(crate) name: String,
    pub(crate) axes: Vec<Axis>,
    pub(crate) dtype: Option<DType>,
}

/// The declared inputs with their axes resolved.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) axes: Vec<DynamicAxis>,
}

/// A declared input.
#[derive(Clone, Debug)]
pub(crate) struct InputSpec {
    pub(crate) name: String,
    pub(crate) axes: Vec<SpecAxis>,
    pub(crate) dtype: Option<DType>,
}

/// An axis of a declared input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SpecAxis {
    Fixed(usize),
    Dynamic(AxisId),
}

impl Signature {
    /// Resolves the axes of the inputs.
    ///
    /// # Errors
    /// When a name is empty or taken, or an axis is declared in two ways or allows no size.
    pub(crate) fn resolve(declared: &[DeclaredInput], outputs: &[String]) -> Result<Self, ExportError> {
        let mut names = BTreeSet::new();
        for name in declared.iter().map(|input| &input.name).chain(outputs) {
            if name.is_empty() {
                return Err(ExportError::EmptyName);
            }
            if !names.insert(name) {
                return Err(ExportError::DuplicateName { name: name.clone() });
            }
        }
        let mut axes: Vec<DynamicAxis> = Vec::new();
        let mut inputs = Vec::new();
        for input in declared {
            let resolved = input
                .axes
                .iter()
                .map(|axis| match &axis.kind {
                    AxisKind::Fixed(size) => Ok(SpecAxis::Fixed(*size)),
                    AxisKind::Dynamic(axis) => resolve(&mut axes, axis, &input.name).map(SpecAxis::Dynamic),
                })
                .collect::<Result<Vec<_>, _>>()?;
            inputs.push(InputSpec { name: input.name.clone(), axes: resolved, dtype: input.dtype });
        }
        Ok(Self { inputs, axes })
    }
}

fn resolve(axes: &mut Vec<DynamicAxis>, axis: &DynamicAxis, input: &str) -> Result<AxisId, ExportError> {
    if axis.name.is_empty() {
        return Err(ExportError::EmptyName);
    }
    let error = |reason| ExportError::Axis { axis: axis.name.clone(), input: input.to_string(), reason };
    if let Some(position) = axes.iter().position(|known| known.name == axis.name) {
        return match axes.get(position) {
            Some(known) if known == axis => Ok(AxisId(position)),
            _ => Err(error("its range or factor differs from that of the same axis elsewhere")),
        };
    }
    if !axis.is_possible() {
        return Err(error("no size lies in its range"));
    }
    axes.push(axis.clone());
    Ok(AxisId(axes.len() - 1))
}

impl InputSpec {
    /// The shape at the given sizes of the dynamic axes.
    pub(crate) fn shape_at(&self, sizes: &[i64]) -> Vec<usize> {
        self.axes
            .iter()
            .map(|axis| match axis {
                SpecAxis::Fixed(size) => *size,
                SpecAxis::Dynamic(AxisId(axis)) => {
                    sizes.get(*axis).and_then(|size| usize::try_from(*size).ok()).unwrap_or(1)
                }
            })
            .collect()
    }
}
