//! The options of every command, defined once for xtask and for the programs it starts.
