//! Properties of frames and scripts, whatever the console does to them.

mod arch;
mod control;
mod frames;
mod scripts;
mod strategies;
