//! What an export needs of a network.

use std::path::Path;

use anyhow::{Result, bail};
use burn_export::Opset;
use infer::progress::Progress;
use infer::runtime::Runtime;
use infer::session::{Session, SessionOptions};
use infer::verify::{Expected, Verification};
use onnx_model::Model;

use crate::Metadata;

/// A network in Burn that becomes an ONNX file.
pub trait Network {
    /// Its name.
    const NAME: &'static str;

    /// The network as ONNX.
    ///
    /// # Errors
    /// When the exporter refuses it.
    fn export(&self, opset: Opset, metadata: &Metadata) -> Result<Model>;

    /// What the network computes in float32 and float64 on inputs of many sizes. It takes the network, whose memory is free
    /// afterwards. `progress` hears the share that is done.
    ///
    /// # Errors
    /// When it cannot be run.
    fn expected(self, progress: &mut dyn FnMut(f64)) -> Result<Expected>;

    /// Whether a file has the inputs and outputs of this network.
    ///
    /// # Errors
    /// When it has others.
    fn check_signature(session: &Session, path: &Path) -> Result<()>;
}

/// Runs the file at `path` under ONNX Runtime and judges it by what the network computes.
///
/// The network is gone before the runtime loads the file: of a large one, the weights in float32 and float64 and the
/// runtime's own copies would not fit in memory together.
///
/// # Errors
/// When one of both cannot be run, or the file does not say what it was made to say.
pub fn verify<N: Network>(network: N, path: &Path, metadata: &Metadata, runtime: &Runtime) -> Result<Verification> {
    let expected = {
        let progress = Progress::new("verifying");
        network.expected(&mut |share| progress.set(share))?
    };
    if let Some(case) = expected.not_finite() {
        bail!(
            "the network itself gives values that are no finite numbers ({case}): its weights hold NaN or infinity, or it \
             overflows; nothing is kept"
        );
    }
    let mut session = Session::open(runtime, path, SessionOptions::default())?;
    N::check_signature(&session, path)?;
    check_metadata(&session, metadata)?;
    Ok(expected.judge(&mut session)?)
}

/// Refuses a file that does not say what it was made to say.
fn check_metadata(session: &Session, metadata: &Metadata) -> Result<()> {
    let read = session.metadata()?.entries;
    match metadata.iter().find(|(key, value)| read.get(*key) != Some(value)) {
        Some((key, value)) => bail!("the file's metadata lost `{key}`, which is {value}"),
        None => Ok(()),
    }
}
