//! How far the processes that open files from strangers are confined.

use clap::Args;

/// The confinement of engines' processes.
#[derive(Debug, Clone, Copy, Args)]
pub struct SandboxArgs {
    /// Leave the processes in which engines run all their rights. Otherwise, on Linux, each gives up what its engine does not need
    /// before it opens a file: it writes nothing, has no network, and starts no programs. For engines that need more than is known
    /// here; every report says it.
    #[arg(long)]
    pub no_sandbox: bool,
}
