//! Chores of the repository that are more than a shell line: `cargo xtask --help`.
fn main() {}
