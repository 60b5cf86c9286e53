//! The aarch64 probe. Manual page to be written.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use probe as _;

#[cfg(not(target_os = "none"))]
fn main() {}
