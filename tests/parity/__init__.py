"""The same request to Flask and to Rust; the answers must be equal."""
