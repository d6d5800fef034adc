//! The program.

#[allow(
    dead_code,
    reason = "the commands that show these come with the command line"
)]
mod view;

fn main() {}
