//! Declared files, brought here and verified.
//!
//! A [`Manifest`] in `datasets/` names the files of a data set, their sizes and SHA-256, and the sources to try in
//! order. [`fetch`] makes them present. Whatever a source sends, only bytes with the declared hash get their name. Of files whose
//! publisher states no hash the first fetch is recorded, and decides from then on.
//!
//! This is a crate of its own because TLS and archives take longer to compile than everything that xtask needs.

mod local;
mod package;
mod patience;
mod record;
mod server;
mod sources;
mod store;

pub use artifact::manifest::{FileEntry, Manifest, ManifestError, Source};
pub use local::{Archive, unpack};
pub use patience::Patience;
pub use sources::{FetchError, Fetched, Observer, Options, fetch, is_intact};
