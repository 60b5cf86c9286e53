//! Renders a conformance run for people and tools.
//!
//! [`view::Run`] is the one input of every sink, so no two reports can disagree. A [`Sink`] turns it
//! into text; verdicts are the caller's, and so is writing files.
//!
//! Everything in a run may come from a hostile guest. The sinks show control characters, escape
//! sequences and reordering marks as visible text and never pass them on.

pub mod comparison;
mod html;
mod junit;
mod side_by_side;
mod terminal;
pub mod view;

pub use comparison::Comparison;
pub use html::Html;
pub use junit::Junit;
pub use side_by_side::side_by_side;
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

/// Turns a run into the text of one report.
pub trait Sink {
    /// Renders the report. The same run always gives the same text.
    fn render(&self, run: &view::Run) -> Result<String, RenderError>;
}
