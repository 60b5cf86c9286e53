//! What is specific to one architecture: its CPU, its interrupt controller, its boot protocol.
//!
//! Layouts and decoders compile everywhere, so the host can test them; `hw` compiles only for its target.

pub mod aarch64;
