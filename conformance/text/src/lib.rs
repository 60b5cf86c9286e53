//! Text for people: suggestions for misspelled names, and untrusted text made harmless for terminals.
//!
//! Every host-side crate may use this crate; it depends on none of them.

#![forbid(unsafe_code)]

mod spelling;
mod visible;

pub use spelling::nearest;
pub use visible::{one_line, visible, visible_line};
