//! Calls as guests make them, on a machine that only pretends.

mod calls;
mod devices;
mod memory;
mod pointers;
mod property;
mod rig;
