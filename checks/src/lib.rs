//! Model checks of the real election crate.
