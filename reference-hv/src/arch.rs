//! The only place that picks an architecture.
//!
//! What is known of an architecture compiles and is tested everywhere; only what touches the
//! machine is for the target.

pub mod aarch64;

/// The architecture whose guests run in the tests of everything above it.
#[cfg(test)]
pub use aarch64::fake as tested;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub use aarch64::hw::report_panic;
