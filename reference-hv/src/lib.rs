//! Reference hypervisor for device passthrough.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
