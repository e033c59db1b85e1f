//! Resizing images and sampling them at given places.

use burn::backend::ir::{GridSample2dOpIr, GridSamplePaddingModeIr, InterpolateModeIr, InterpolateOpIr};
use onnx_model::{Attribute, DataType};

use super::{Lowering, Result};
use crate::graph::Operand;
use crate::opset::Opset;
use crate::symbolic::Dim;

/// The largest scale that is looked for.
const LARGEST_SCALE: u16 = 64;

impl Lowering<'_> {
    pub(super) fn interpolate(&mut self, op: &InterpolateOpIr) -> Result<()> {
        self.follows_from_shapes("/output_size");
        let x = self.value(&op.x)?;
        let shape = self.shape(&op.out);
        let corners = if op.options.align_corners { "align_corners" } else { "half_pixel" };
        let mut attributes: Vec<(&'static str, Attribute)> = match op.options.mode {
            InterpolateModeIr::Nearest => vec![
                ("mode", "nearest".into()),
                ("coordinate_transformation_mode", "asymmetric".into()),
                ("nearest_mode", "floor".into()),
            ],
            InterpolateModeIr::NearestExact => vec![
                ("mode", "nearest".into()),
                ("coordinate_transformation_mode", "half_pixel".into()),
                ("nearest_mode", "round_prefer_ceil".into()),
            ],
            InterpolateModeIr::Bilinear => {
                vec![("mode", "linear".into()), ("coordinate_transformation_mode", corners.into())]
            }
            InterpolateModeIr::Bicubic => vec![
                ("mode", "cubic".into()),
                ("coordinate_transformation_mode", corners.into()),
                ("cubic_coeff_a", (-0.75f32).into()),
            ],
            InterpolateModeIr::Lanczos3 => {
                return Err(self.refuse("ONNX has no Lanczos interpolation; use bicubic"));
            }
        };
        let kind = (self.b.dtype(x), shape.clone());
        // The region may be left out from opset 13, and so may the scales; opset 11 wants empty tensors.
        let empty = if self.b.since(Opset::V13) {
            Operand::Absent
        } else {
            Operand::Value(self.b.constant(DataType::F32, &[0], Vec::new()))
        };
        attributes.sort_by_key(|(name, _)| *name);
        // Scales spare the graph the computation of sizes.
        let out = match scales(self.b.graph.shape(x), &shape) {
            Some(scales) => {
                let bytes: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
                let scales = self.b.constant(DataType::F32, &[scales.len()], bytes);
                self.b.node("Resize", [x.into(), empty, scales.into()], [], kind)
            }
            None => self.b.node("Resize", [x.into(), empty.clone(), empty, Operand::Dims(shape)], [], kind),
        };
        if let Some(node) = self.b.graph.nodes.last_mut() {
            node.attributes.extend(attributes);
        }
        self.bind(&op.out, out)
    }

    pub(super) fn grid_sample(&mut self, op: &GridSample2dOpIr) -> Result<()> {
        self.need(Opset::V16)?;
        let (x, grid) = (self.value(&op.tensor)?, self.value(&op.grid)?);
        // Opset 20 renamed the modes.
        let renamed = self.b.since(Opset::V20);
        let mode = match op.options.mode {
            InterpolateModeIr::Bilinear if renamed => "linear",
            InterpolateModeIr::Bilinear => "bilinear",
            InterpolateModeIr::Nearest => "nearest",
            InterpolateModeIr::Bicubic if renamed => "cubic",
            InterpolateModeIr::Bicubic => "bicubic",
            InterpolateModeIr::NearestExact | InterpolateModeIr::Lanczos3 => {
                return Err(self.refuse("ONNX has no such sampling; use bilinear, bicubic or nearest"));
            }
        };
        let padding = match op.options.padding_mode {
            GridSamplePaddingModeIr::Zeros => "zeros",
            GridSamplePaddingModeIr::Border => "border",
            GridSamplePaddingModeIr::Reflection => "reflection",
        };
        let kind = (self.b.dtype(x), self.shape(&op.out));
        let attributes = [
            ("align_corners", op.options.align_corners.into()),
            ("mode", mode.into()),
            ("padding_mode", padding.into()),
        ];
        let out = self.b.node("GridSample", [x.into(), grid.into()], attributes, kind);
        self.bind(&op.out, out)
    }
}

/// The factors between two shapes, if they are whole at every size of the axes.
fn scales(from: &[Dim], to: &[Dim]) -> Option<Vec<f32>> {
    let scale = |(from, to): (&Dim, &Dim)| {
        (1..=LARGEST_SCALE).find(|scale| &Dim::fixed((*scale).into()) * from == *to).map(f32::from)
    };
    from.iter().zip(to).map(scale).collect()
}
