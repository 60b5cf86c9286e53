//! The kinds of reports: each has a name and a function that renders a run.

use crate::view::Run;
use crate::{Html, Junit, RenderError, Terminal};

/// The form in which people want to see reports.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether terminal output is coloured.
    pub colour: bool,
    /// Width of the terminal in columns.
    pub width: usize,
}

/// One output of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The file for it; none if it is printed.
    pub file: Option<&'static str>,
    /// Its text.
    pub text: String,
}

/// One kind of report.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Its name in commands.
    pub name: &'static str,
    /// Its purpose, in one line.
    pub about: &'static str,
    /// The file that it writes, if it writes one.
    pub file: Option<&'static str>,
    /// Renders a run; the same run and look always give the same artifacts.
    pub render: fn(&Run, Look) -> Result<Vec<Artifact>, RenderError>,
}

const PAGE: &str = "report.html";
const JUNIT: &str = "junit.xml";

/// Every kind of report, in the order in which they are made. A new kind is one more entry here and one more file.
pub const SINKS: &[Sink] = &[
    Sink {
        name: "html",
        about: "one page for people",
        file: Some(PAGE),
        render: |run, _| Ok(vec![file(PAGE, Html.render(run)?)]),
    },
    Sink {
        name: "junit",
        about: "for CI servers",
        file: Some(JUNIT),
        render: |run, _| Ok(vec![file(JUNIT, Junit.render(run)?)]),
    },
    Sink {
        name: "terminal",
        about: "the summary on standard output",
        file: None,
        render: |run, look| {
            let text = Terminal {
                colour: look.colour,
                width: look.width,
            }
            .render(run);
            Ok(vec![Artifact { file: None, text }])
        },
    },
];

impl Sink {
    /// Returns the kind of report of this name.
    pub fn find(name: &str) -> Option<Self> {
        SINKS.iter().copied().find(|sink| sink.name == name)
    }
}

fn file(name: &'static str, text: String) -> Artifact {
    Artifact {
        file: Some(name),
        text,
    }
}
