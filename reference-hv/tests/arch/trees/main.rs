//! Trees, what they claim, and what is proven of it.

mod assignment;
mod check;
mod domains;
mod dt_corpus;
mod guest_tree;
mod host_side;
mod interrupts;
mod masters;
mod odd_hosts;
mod ownership;
mod partial_trees;
mod pci_claims;
mod properties;
mod resources;
mod rig;
mod roles;
mod static_memory;
mod streams;
mod tree;
