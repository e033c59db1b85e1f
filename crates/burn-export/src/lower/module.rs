//! The operations of whole layers, and the ones of training, which are refused by name.

use burn::backend::ir::ModuleOperationIr;

use super::pooling::Pool;
use super::{Lowering, Result};
use crate::error::ExportError;

impl Lowering<'_> {
    pub(super) fn module(&mut self, op: &ModuleOperationIr) -> Result<()> {
        use ModuleOperationIr as M;
        match op {
            M::BatchNorm(op) => self.batch_norm(op),
            M::Embedding(op) => self.embedding(op),
            M::Linear(op) => self.linear(op),
            M::Conv1d(op) => self.conv1d(op),
            M::Conv2d(op) => self.conv2d(op),
            M::Conv3d(op) => self.conv3d(op),
            M::DeformableConv2d(op) => self.deform_conv(op),
            M::ConvTranspose1d(op) => self.conv_transpose1d(op),
            M::ConvTranspose2d(op) => self.conv_transpose2d(op),
            M::ConvTranspose3d(op) => self.conv_transpose3d(op),
            M::AvgPool1d(op) => {
                let pool = Pool {
                    kernel: &[op.kernel_size],
                    stride: &[op.stride],
                    padding: &[op.padding],
                    dilation: None,
                    ceil: op.ceil_mode,
                };
                self.avg_pool(&op.x, &pool, op.count_include_pad, &op.out)
            }
            M::AvgPool2d(op) => {
                let pool = Pool {
                    kernel: &op.kernel_size,
                    stride: &op.stride,
                    padding: &op.padding,
                    dilation: None,
                    ceil: op.ceil_mode,
                };
                self.avg_pool(&op.x, &pool, op.count_include_pad, &op.out)
            }
            M::AdaptiveAvgPool1d(op) => self.adaptive_avg_pool(&op.x, &[op.output_size], &op.out),
            M::AdaptiveAvgPool2d(op) => self.adaptive_avg_pool(&op.x, &op.output_size, &op.out),
            M::AdaptiveAvgPool3d(op) => self.adaptive_avg_pool(&op.x, &op.output_size, &op.out),
            M::MaxPool1d(op) => {
                let pool = Pool {
                    kernel: &[op.kernel_size],
                    stride: &[op.stride],
                    padding: &[op.padding],
                    dilation: Some(&[op.dilation]),
                    ceil: op.ceil_mode,
                };
                self.max_pool(&op.x, &pool, &op.out, None)
            }
            M::MaxPool1dWithIndices(op) => {
                let pool = Pool {
                    kernel: &[op.kernel_size],
                    stride: &[op.stride],
                    padding: &[op.padding],
                    dilation: Some(&[op.dilation]),
                    ceil: op.ceil_mode,
                };
                self.max_pool(&op.x, &pool, &op.out, Some(&op.out_indices))
            }
            M::MaxPool2d(op) => {
                let pool = Pool {
                    kernel: &op.kernel_size,
                    stride: &op.stride,
                    padding: &op.padding,
                    dilation: Some(&op.dilation),
                    ceil: op.ceil_mode,
                };
                self.max_pool(&op.x, &pool, &op.out, None)
            }
            M::MaxPool2dWithIndices(op) => {
                let pool = Pool {
                    kernel: &op.kernel_size,
                    stride: &op.stride,
                    padding: &op.padding,
                    dilation: Some(&op.dilation),
                    ceil: op.ceil_mode,
                };
                self.max_pool(&op.x, &pool, &op.out, Some(&op.out_indices))
            }
            M::Interpolate(op) => self.interpolate(op),
            M::Attention(op) => self.attention(op),
            M::LayerNorm(op) => self.layer_norm(op),
            M::Unfold4d(op) => self.unfold4d(op),
            M::CtcLoss(_) => Err(self.refuse("a loss belongs to training; export the network without it")),
            M::EmbeddingBackward(_)
            | M::LinearXBackward(_)
            | M::LinearWeightBackward(_)
            | M::LinearBiasBackward(_)
            | M::Conv1dXBackward(_)
            | M::Conv1dWeightBackward(_)
            | M::Conv1dBiasBackward(_)
            | M::Conv2dXBackward(_)
            | M::Conv2dWeightBackward(_)
            | M::Conv2dBiasBackward(_)
            | M::Conv3dXBackward(_)
            | M::Conv3dWeightBackward(_)
            | M::Conv3dBiasBackward(_)
            | M::DeformableConv2dBackward(_)
            | M::AvgPool1dBackward(_)
            | M::AvgPool2dBackward(_)
            | M::AdaptiveAvgPool1dBackward(_)
            | M::AdaptiveAvgPool2dBackward(_)
            | M::AdaptiveAvgPool3dBackward(_)
            | M::MaxPool1dWithIndicesBackward(_)
            | M::MaxPool2dWithIndicesBackward(_)
            | M::InterpolateBackward(_)
            | M::CtcLossBackward(_)
            | M::ConvTranspose1dWeightBackward(_)
            | M::ConvTranspose1dBiasBackward(_)
            | M::ConvTranspose2dWeightBackward(_)
            | M::ConvTranspose2dBiasBackward(_)
            | M::ConvTranspose3dWeightBackward(_)
            | M::ConvTranspose3dBiasBackward(_) => Err(self.backward()),
        }
    }

    pub(super) fn backward(&self) -> ExportError {
        self.refuse("gradients belong to training; export `module.valid()` and call forward only")
    }
}
