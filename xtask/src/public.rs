//! Files that a command needs and that have a public home: they are fetched before the command starts.

use anyhow::{Result, bail};
use cli::export::{ExportArgs, ExportModel};
use cli::predict::{PredictArgs, PredictNetwork};

use crate::programs::fetch;
use crate::workspace;

/// What can be done when the weights of a network cannot be had from their public home.
pub const OTHER_WAYS: &str = "name a file with `cargo xtask export alexnet --weights PATH`, get it by hand and run \
                              `cargo xtask fetch alexnet --from FOLDER`, or see the network at work with \
                              `cargo xtask export alexnet --random-init SEED`; for BERT there is --hf-dir FOLDER";

/// AlexNet's weights, if the user names no others.
///
/// # Errors
/// When they cannot be had; the message says what else can be done.
pub fn before_export(arguments: &ExportArgs) -> Result<()> {
    let pretrained = arguments.weights.is_none() && arguments.random_init.is_none() && arguments.hf_dir.is_none();
    if arguments.model != Some(ExportModel::Alexnet) || !pretrained {
        return Ok(());
    }
    if !workspace::root().join(ExportModel::Alexnet.default_weights()).is_file() && !fetch(&["alexnet"])? {
        bail!("AlexNet's weights cannot be had from their public home (the message above says why); {OTHER_WAYS}");
    }
    Ok(())
}

/// The names of the ImageNet classes, if the user names no other file.
///
/// # Errors
/// When they cannot be had.
pub fn before_predict(arguments: &PredictArgs) -> Result<()> {
    let PredictNetwork::Alexnet(arguments) = &arguments.network else { return Ok(()) };
    let labels = workspace::root().join(&arguments.labels);
    let declared = arguments.labels.starts_with("datasets/imagenet-labels");
    if declared && !labels.is_file() && !fetch(&["imagenet-labels"])? {
        bail!(
            "the names of the ImageNet classes cannot be had (the message above says why); name a file with --labels"
        );
    }
    Ok(())
}
