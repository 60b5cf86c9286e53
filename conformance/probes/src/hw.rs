//! The machine itself: start, exceptions, translation, timer, interrupts, console.

#[cfg(target_arch = "aarch64")]
mod aarch64;
