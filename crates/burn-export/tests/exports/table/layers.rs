//! The operations of whole layers.

use burn::tensor::module::*;
use burn::tensor::ops::*;
use burn::tensor::{Bool, Int, Tensor};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("embedding", [w: Real, "5,3" => Tensor<2>, i: Below(5), "n,m" => Tensor<2, Int>], embedding(w, i)),
        row!("linear", [x: Real, "n,3" => Tensor<2>, w: Real, "3,4" => Tensor<2>, b: Real, "4" => Tensor<1>], {
            linear(x, w, Some(b))
        }),
        row!("linear rank 3", [x: Real, "n,m,3" => Tensor<3>, w: Real, "3,4" => Tensor<2>, b: Real, "4" => Tensor<1>], {
            linear(x, w, Some(b))
        }),
        row!("conv1d", [x: Real, "n,4,7" => Tensor<3>, w: Real, "6,2,3" => Tensor<3>, b: Real, "6" => Tensor<1>], {
            conv1d(x, w, Some(b), ConvOptions::new([2], [1], [1], 2))
        }),
        row!("conv2d", [x: Real, "n,2,h,6" => Tensor<4>, w: Real, "3,2,1,3" => Tensor<4>, b: Real, "3" => Tensor<1>], {
            conv2d(x, w, Some(b), ConvOptions::new([1, 2], [0, 1], [1, 1], 1))
        }),
        row!("conv2d dynamic", [x: Real, "n,1,h,w" => Tensor<4>, k: Real, "2,1,3,3" => Tensor<4>], {
            conv2d(x, k, None, ConvOptions::new([2, 2], [1, 1], [1, 1], 1))
        }),
        row!("conv3d", [x: Real, "n,1,4,4,4" => Tensor<5>, w: Real, "2,1,3,3,3" => Tensor<5>], {
            conv3d(x, w, None, ConvOptions::new([1, 1, 1], [1, 1, 1], [1, 1, 1], 1))
        }),
        row!("conv_transpose1d", [x: Real, "n,2,5" => Tensor<3>, w: Real, "2,3,3" => Tensor<3>], {
            conv_transpose1d(x, w, None, ConvTransposeOptions::new([2], [1], [1], [1], 1))
        }),
        row!("conv_transpose2d", [x: Real, "n,2,h,4" => Tensor<4>, w: Real, "2,3,3,3" => Tensor<4>, b: Real, "3" => Tensor<1>], {
            conv_transpose2d(x, w, Some(b), ConvTransposeOptions::new([2, 2], [1, 1], [0, 1], [1, 1], 1))
        }),
        row!("conv_transpose3d", [x: Real, "n,2,3,3,3" => Tensor<5>, w: Real, "2,1,2,2,2" => Tensor<5>], {
            conv_transpose3d(x, w, None, ConvTransposeOptions::new([1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1], 1))
        }),
        row!("deform_conv2d", [x: Real, "n,2,5,5" => Tensor<4>, o: Unit, "n,18,3,3" => Tensor<4>, w: Real, "3,2,3,3" => Tensor<4>], {
            deform_conv2d(x, o, w, None, None, DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1))
        })
        .since(19)
        .within(1e-4),
        row!("max_pool1d", [x: Real, "n,2,7" => Tensor<3>], max_pool1d(x, MaxPoolOptions::new([3]).with_padding([1]))),
        row!("max_pool2d", [x: Real, "n,2,6,7" => Tensor<4>], {
            max_pool2d(x, MaxPoolOptions::new([2, 3]).with_stride([2, 2]).with_padding([0, 1]))
        }),
        row!("max_pool2d ceil", [x: Real, "n,2,5,6" => Tensor<4>], {
            max_pool2d(x, MaxPoolOptions::new([2, 3]).with_stride([2, 2]).with_ceil_mode(true))
        }),
        row!("max_pool1d_with_indices", [x: Real, "n,2,7" => Tensor<3>], 2, max_pool1d_with_indices(x, MaxPoolOptions::new([3]))),
        row!("max_pool2d_with_indices", [x: Real, "n,2,6,6" => Tensor<4>], 2, max_pool2d_with_indices(x, MaxPoolOptions::new([2, 2]))),
        row!("avg_pool1d", [x: Real, "n,2,7" => Tensor<3>], avg_pool1d(x, AvgPoolOptions::new([3]).with_padding([1]))),
        row!("avg_pool2d", [x: Real, "n,2,6,7" => Tensor<4>], {
            avg_pool2d(x, AvgPoolOptions::new([2, 3]).with_stride([2, 2]).with_padding([1, 1]).with_count_include_pad(false))
        }),
        row!("adaptive_avg_pool1d", [x: Real, "n,2,6" => Tensor<3>], adaptive_avg_pool1d(x, 3)),
        row!("adaptive_avg_pool2d uneven", [x: Real, "n,2,7,5" => Tensor<4>], adaptive_avg_pool2d(x, [3, 2])),
        row!("adaptive_avg_pool2d dynamic", [x: Real, "n,2,h,w" => Tensor<4>], adaptive_avg_pool2d(x, [3, 2])),
        row!("adaptive_avg_pool2d one", [x: Real, "n,2,h,w" => Tensor<4>], adaptive_avg_pool2d(x, [1, 1])),
        row!("adaptive_avg_pool3d", [x: Real, "n,2,4,5,6" => Tensor<5>], adaptive_avg_pool3d(x, [2, 2, 4])),
        row!("interpolate nearest", [x: Real, "n,2,4,5" => Tensor<4>], {
            interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([7, 10]))
        }),
        row!("interpolate dynamic", [x: Real, "n,2,h,w" => Tensor<4>], {
            let [_, _, h, w] = x.dims();
            interpolate(x, InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([2 * h, 2 * w]).with_align_corners(false))
        }),
        row!("interpolate corners", [x: Real, "n,2,4,5" => Tensor<4>], {
            interpolate(x, InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([7, 10]).with_align_corners(true))
        }),
        row!("interpolate bicubic", [x: Real, "n,2,4,5" => Tensor<4>], {
            interpolate(x, InterpolateOptions::new(InterpolateMode::Bicubic).with_output_size([8, 10]).with_align_corners(false))
        })
        .within(1e-4),
        row!("attention", [q: Real, "n,2,s,4" => Tensor<4>, k: Real, "n,2,t,4" => Tensor<4>, v: Real, "n,2,t,3" => Tensor<4>], {
            attention(q, k, v, None, None, AttentionModuleOptions::default())
        }),
        row!("attention causal", [q: Real, "n,2,s,4" => Tensor<4>, k: Real, "n,2,s,4" => Tensor<4>, v: Real, "n,2,s,3" => Tensor<4>], {
            attention(q, k, v, None, None, AttentionModuleOptions { is_causal: true, ..Default::default() })
        }),
        row!("attention masked", [q: Real, "n,2,s,4" => Tensor<4>, k: Real, "n,2,t,4" => Tensor<4>, v: Real, "n,2,t,3" => Tensor<4>, m: Truth, "n,2,s,t" => Tensor<4, Bool>], {
            attention(q, k, v, Some(m), None, AttentionModuleOptions { softcap: Some(3.0), scale: Some(0.7), ..Default::default() })
        }),
        row!("layer_norm", [x: Real, "n,m,4" => Tensor<3>, g: Real, "4" => Tensor<1>, b: Real, "4" => Tensor<1>], {
            layer_norm(x, g, Some(b), 1e-5)
        })
        .within(1e-4),
        row!("batch_norm", [x: Real, "n,3,4" => Tensor<3>, g: Real, "3" => Tensor<1>, b: Real, "3" => Tensor<1>, m: Real, "3" => Tensor<1>, v: Positive, "3" => Tensor<1>], {
            batch_norm(x, g, b, m, v, 1e-5)
        }),
        row!("unfold4d", [x: Real, "n,2,5,6" => Tensor<4>], {
            unfold4d(x, [2, 3], UnfoldOptions::new([1, 2], [1, 0], [1, 1]))
        }),
    ]
}
