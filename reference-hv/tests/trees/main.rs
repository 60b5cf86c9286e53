//! Trees, what they claim, and what is proven of it.

mod assignment;
mod domains;
mod dt_corpus;
mod guest_tree;
mod ownership;
mod properties;
mod rig;
mod tree;
