//! The language of case files: expressions over named places and values, operations of probes, actions outside, and
//! edits of trees. docs/case-language.md is its manual.
//!
//! Every text is parsed once, into types; nothing that was parsed becomes text again.

pub mod expression;
pub mod operand;
pub mod scope;
pub mod values;

pub use expression::Value;
pub use scope::{Inside, Mapped, Names, Scope};
