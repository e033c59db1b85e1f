//! Small networks as practitioners write them, of any size.

mod detector;
mod resnet;
mod swin;
mod unet;
