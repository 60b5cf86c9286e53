//! Runs a machine under QEMU and brings back what was seen.
