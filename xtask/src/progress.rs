//! Shows progress: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One piece of work in progress. All output goes to standard error: standard output is for results.
#[derive(Debug)]
pub struct Progress {
    label: String,
    started: Instant,
    /// `None` if standard error is not a terminal.
    bar: Option<ProgressBar>,
    /// Whether there was something to do. Other work prints nothing.
    announced: bool,
}

impl Progress {
    /// Starts to show `label`.
    pub fn start(label: impl Into<String>) -> Self {
        let label = label.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(label.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self {
            label,
            started: Instant::now(),
            bar,
            announced: false,
        }
    }

    /// Prints `what` if no bar shows the work, because there is something to do.
    pub fn announce(&mut self, what: &str) {
        if self.bar.is_none() && !self.announced {
            eprintln!("xtask: {what} ...");
        }
        self.announced = true;
    }

    /// Shows the current step.
    pub fn detail(&self, text: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.into());
        }
    }

    /// Shows the progress from 0 to 100.
    pub fn percent(&self, done: f32) {
        let Some(bar) = &self.bar else { return };
        if bar.length().is_none() {
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} [{bar:30}] {wide_msg} {elapsed}")
            {
                bar.set_style(style);
            }
            bar.set_length(100);
        }
        // The value comes from another program's text, so it may be out of range.
        bar.set_position(done.clamp(0.0, 100.0) as u64);
    }

    /// Prints a line of another program above the bar.
    pub fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Ends the display. Announced work also prints its result and duration.
    pub fn finish(self, well: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.announced {
            let end = if well { "done in" } else { "failed after" };
            let seconds = self.started.elapsed().as_secs_f32();
            eprintln!("xtask: {}: {end} {seconds:.1} s", self.label);
        }
    }
}
