//! Properties of frames and scripts, also of damaged ones.

mod arch;
mod control;
mod frames;
mod scripts;
mod strategies;
