//! The parts that depend on the architecture: hand-assembled guests, and tests of its devices.

mod aarch64;

pub use aarch64::{COUNTDOWN, LAST_WORDS, LINE, RESET, RESPONDER, iommu, trials};
