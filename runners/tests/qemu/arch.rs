//! What is an architecture's own: guests assembled by hand, and tests of its devices.

mod aarch64;

pub use aarch64::{COUNTDOWN, LAST_WORDS, LINE, RESET, RESPONDER, iommu, trials};
