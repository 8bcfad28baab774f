//! The command `puna`.
fn main() {}
