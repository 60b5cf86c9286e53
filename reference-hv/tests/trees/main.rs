//! Trees, what they claim, and what is proven of it.

mod assignment;
mod check;
mod domains;
mod dt_corpus;
mod estate;
mod functions;
mod guest_tree;
mod host_side;
mod interrupts;
mod masters;
mod odd_hosts;
mod ownership;
mod partial_trees;
mod properties;
mod rig;
mod roles;
mod static_memory;
mod streams;
mod tree;
