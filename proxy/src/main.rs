//! The one binary, `ficus`.

fn main() {}
