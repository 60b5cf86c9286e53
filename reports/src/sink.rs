//! The reports there are: each a name and what it makes of a run.

use crate::view::Run;
use crate::{Html, Junit, RenderError, Terminal};

/// How people want to see reports.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to colour what goes to a terminal.
    pub colour: bool,
    /// Columns of that terminal.
    pub width: usize,
}

/// What a report is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The file that it belongs into; none: it is printed.
    pub file: Option<&'static str>,
    /// Its text.
    pub text: String,
}

/// One kind of report.
#[derive(Clone, Copy)]
pub struct Sink {
    /// The name that commands know it by.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Renders a run; the same run and look always give the same artifacts.
    pub render: fn(&Run, Look) -> Result<Vec<Artifact>, RenderError>,
}

/// Every kind of report, in the order in which they are made. A further one is one more line here and one more file.
pub const SINKS: &[Sink] = &[
    Sink {
        name: "html",
        about: "one page for people: report.html",
        render: |run, _| Ok(vec![file("report.html", Html.render(run)?)]),
    },
    Sink {
        name: "junit",
        about: "for CI servers: junit.xml",
        render: |run, _| Ok(vec![file("junit.xml", Junit.render(run)?)]),
    },
    Sink {
        name: "terminal",
        about: "the summary on standard output",
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
