//! The only place that picks an architecture.
//!
//! What is known of an architecture compiles and is tested everywhere; only what touches the
//! machine is for the target.

pub mod aarch64;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub use aarch64::hw::report_panic;
