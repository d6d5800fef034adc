//! The program.

#[allow(dead_code, reason = "the pipeline that reads the plan comes next")]
mod source;

fn main() {}
