//! Text for people: the right spelling of a wrong name, and foreign text that no terminal obeys.
//!
//! Every crate of the host side may use it; it knows none of them.

#![forbid(unsafe_code)]

mod spelling;
mod visible;

pub use spelling::nearest;
pub use visible::{one_line, visible, visible_line};
