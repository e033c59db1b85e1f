//! Pools, adaptive ones too.

use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig, AvgPool2dConfig,
    MaxPool1dConfig, MaxPool2dConfig,
};

use super::agrees;

#[test]
fn pools() {
    agrees("AvgPool1d", &AvgPool1dConfig::new(3).with_stride(2).init(), [0, 2, 9], |pool, x| pool.forward(x));
    agrees("MaxPool1d", &MaxPool1dConfig::new(3).with_stride(2).init(), [0, 2, 9], |pool, x| pool.forward(x));
    agrees("AvgPool2d", &AvgPool2dConfig::new([2, 3]).init(), [0, 2, 6, 9], |pool, x| pool.forward(x));
    agrees("MaxPool2d", &MaxPool2dConfig::new([2, 3]).init(), [0, 2, 6, 9], |pool, x| pool.forward(x));
    agrees("AdaptiveAvgPool1d", &AdaptiveAvgPool1dConfig::new(3).init(), [0, 2, 7], |pool, x| pool.forward(x));
    agrees("AdaptiveAvgPool2d", &AdaptiveAvgPool2dConfig::new([2, 3]).init(), [0, 2, 5, 7], |pool, x| pool.forward(x));
    agrees("AdaptiveAvgPool3d", &AdaptiveAvgPool3dConfig::new([2, 1, 2]).init(), [0, 2, 3, 4, 5], |pool, x| {
        pool.forward(x)
    });
}
