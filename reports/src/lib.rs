//! Renders a conformance run for people and tools.
//!
//! [`view::Run`] is the only input of every report, so no two reports can disagree. A [`Sink`] turns it into
//! [`Artifact`]s. The caller gives the verdicts and writes the files. [`SINKS`] lists all sinks.
//!
//! Anything in a run may come from a hostile guest. The sinks show control characters, escape sequences and reordering
//! marks as visible text and never output them raw.

pub mod comparison;
mod html;
mod junit;
mod side_by_side;
mod sink;
mod terminal;
pub mod view;

pub use comparison::Comparison;
pub use html::Html;
pub use junit::Junit;
pub use side_by_side::side_by_side;
pub use sink::{Artifact, Look, SINKS, Sink};
pub use terminal::Terminal;

/// Why a report could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The page template failed.
    #[error("html report: {0}")]
    Html(#[from] askama::Error),
    /// The XML writer failed.
    #[error("junit report: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}
