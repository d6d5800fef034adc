//! The program.

mod time_spec;

fn main() {}
