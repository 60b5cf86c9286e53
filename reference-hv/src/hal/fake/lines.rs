//! The lines of an interrupt controller, which remember edges and follow levels.

use std::collections::BTreeMap;

use super::{Fake, Interrupt, InterruptController, IrqChip};
use crate::ids::{IrqLine, Trigger};

/// One line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    pub edge: bool,
    pub high: bool,
    pub latched: bool,
    pub enabled: bool,
    pub active: bool,
}

impl Line {
    pub fn pending(self) -> bool {
        self.latched || (self.high && !self.edge)
    }
}

/// The lines that there are, by number. A call for any other fails the test.
#[derive(Debug, Default)]
pub struct Lines {
    pub lines: BTreeMap<u32, Line>,
}

impl Lines {
    /// Returns a line.
    pub fn line(&mut self, line: IrqLine) -> &mut Line {
        self.lines
            .get_mut(&line.number())
            .unwrap_or_else(|| panic!("{line} is not the domain's"))
    }

    /// Drives a line.
    pub fn drive(&mut self, line: IrqLine, high: bool) {
        let line = self.line(line);
        line.latched |= line.edge && high && !line.high;
        line.high = high;
    }

    /// Takes the interrupt of a line, as a CPU that acknowledges it does.
    pub fn take(&mut self, line: IrqLine) {
        let line = self.line(line);
        line.active = true;
        line.latched = false;
    }
}

impl IrqChip for Lines {
    fn set_enabled(&mut self, line: IrqLine, on: bool) {
        self.line(line).enabled = on;
    }
    fn is_pending(&mut self, line: IrqLine) -> bool {
        self.line(line).pending()
    }
    fn clear_pending(&mut self, line: IrqLine) {
        self.line(line).latched = false;
    }
    fn deactivate(&mut self, line: IrqLine) {
        self.line(line).active = false;
    }
}

impl Fake {
    /// Returns its lines, this one among them.
    pub fn chip(&mut self, line: IrqLine) -> &mut Lines {
        self.chip.lines.entry(line.number()).or_default();
        &mut self.chip
    }

    fn act(&mut self, line: IrqLine, what: &'static str) -> &mut Lines {
        self.lines.push((line, what));
        self.log.push(format!("{line} {what}"));
        self.chip(line)
    }
}

impl IrqChip for Fake {
    fn set_enabled(&mut self, line: IrqLine, on: bool) {
        self.act(line, if on { "on" } else { "off" })
            .set_enabled(line, on);
    }
    fn is_pending(&mut self, line: IrqLine) -> bool {
        self.chip(line).is_pending(line)
    }
    fn clear_pending(&mut self, line: IrqLine) {
        self.act(line, "clear").clear_pending(line);
    }
    fn deactivate(&mut self, line: IrqLine) {
        self.act(line, "deactivate").deactivate(line);
    }
}

impl InterruptController for Fake {
    fn configure(&mut self, line: IrqLine, trigger: Trigger) {
        let how = match trigger {
            Trigger::Edge => "edge",
            Trigger::Level => "level",
        };
        self.lines.push((line, how));
        self.chip(line).line(line).edge = trigger == Trigger::Edge;
    }
    fn unroute(&mut self, line: IrqLine) {
        self.act(line, "unroute");
    }
    fn acknowledge(&mut self) -> Option<Interrupt> {
        let taken = self.arriving.pop_front();
        if let Some(Interrupt::Line(line)) = taken {
            self.chip(line).take(line);
        }
        taken
    }
}
