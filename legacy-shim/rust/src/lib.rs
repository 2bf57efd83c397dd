//! Flask formats.
