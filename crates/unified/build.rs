//! Makes cargo look at the dependencies of build scripts, whose features are unified as well.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
