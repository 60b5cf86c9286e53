//! Calls as guests make them, on a machine that only pretends.

mod calls;
mod pointers;
mod rig;
