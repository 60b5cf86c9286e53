//! The commands `requirements list` and `requirements trace` without the printing: they turn a catalog into text and an
//! exit code. `cases` is the kind of the items that are test cases: they are shown with what they cover, and counted
//! separately.

use super::{catalog::Catalog, diagnostic::Diagnostic, excerpt};

mod json;
mod text;

/// The output format of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, in a file or a pipe.
    #[default]
    Text,
    /// For people at a terminal: diagnostics mark the wrong part, in colours if wanted.
    Terminal {
        /// Whether colours are wanted.
        colours: bool,
    },
    /// For programs: one JSON document with a `schema` that names its version.
    Json,
}

/// The output of a command. The caller prints it and exits with the code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// 0 for success, 1 for defects, 2 for wrong use or bad input.
    pub code: u8,
}

/// Lists the requirements by group, each with its title, the number of its cases and its place.
pub fn list(catalog: &Catalog, cases: &str, format: Format) -> Output {
    let trace = catalog.trace();
    answer(
        catalog.diagnostics(),
        format,
        0,
        match format {
            Format::Text | Format::Terminal { .. } => text::list(&trace, cases),
            Format::Json => json::list(&trace, cases, catalog.diagnostics()),
        },
    )
}

/// Traces the items: links, deep coverage, defects, and for each requirement its cases. The code
/// is 1 if any item is a defect.
pub fn trace(catalog: &Catalog, cases: &str, format: Format) -> Output {
    let trace = catalog.trace();
    let code = u8::from(!trace.is_clean());
    answer(
        catalog.diagnostics(),
        format,
        code,
        match format {
            Format::Text | Format::Terminal { .. } => text::trace(catalog, &trace, cases),
            Format::Json => json::trace(&trace, cases, catalog.diagnostics()),
        },
    )
}

/// Reports why no catalog could be loaded. The code is 2.
pub fn refused(problems: &[Diagnostic], format: Format) -> Output {
    answer(
        problems,
        format,
        2,
        match format {
            Format::Text | Format::Terminal { .. } => String::new(),
            Format::Json => json::refused(problems),
        },
    )
}

/// Combines answer and diagnostics: text goes to standard output and error, JSON contains both.
fn answer(notes: &[Diagnostic], format: Format, code: u8, stdout: String) -> Output {
    let stderr = match format {
        Format::Text => notes.iter().map(|note| format!("{note}\n\n")).collect(),
        Format::Terminal { colours } => {
            let shown = notes.iter().map(|note| excerpt::render(note, colours));
            shown.map(|note| note + "\n").collect()
        }
        Format::Json => String::new(),
    };
    Output {
        stdout,
        stderr,
        code,
    }
}

#[cfg(test)]
mod tests;
