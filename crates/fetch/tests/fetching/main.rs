//! Fetching, from servers and package indexes of our own and from folders.

mod packages;
mod patience;
mod server;
mod sources;
mod stopping;
