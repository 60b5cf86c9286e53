//! What is an architecture's own, a room each: its CPU, its interrupt controller, how it is booted.
//!
//! Layouts and decoders compile everywhere, so that they are tested on the host; `hw` compiles for its machine alone.

pub mod aarch64;
