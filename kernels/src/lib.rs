//! Blocks and the loops over them.
