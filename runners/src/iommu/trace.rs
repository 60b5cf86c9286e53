//! Reads QEMU's trace of a machine's IOMMUs line by line. The model knows what a line says.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Take};
use std::path::Path;

use super::{Access, Iommu, Model, Tally, Trace};

/// The file in the run's folder that QEMU writes the trace to.
pub const FILE: &str = "iommu-trace.log";
/// The class of QEMU's log messages that reports stopped accesses.
pub const COMPLAINTS: &str = "guest_errors";

/// How many bytes of a trace are read.
const LONGEST: u64 = 256 << 20;
/// How many bytes of a line are read; QEMU's own lines are far shorter.
const LINE: u64 = 4096;

/// Reads the lines of a trace that are about one model.
pub trait Lines {
    /// Takes a line and adds the accesses that it settles. Returns `false` for a line about the model that is not
    /// understood, and ignores lines about anything else.
    fn line(&mut self, line: &str, settled: &mut VecDeque<Access>) -> bool;

    /// Adds the access that the last line left open.
    fn end(&mut self, settled: &mut VecDeque<Access>);
}

/// Returns the models of these IOMMUs, each once.
pub fn models(iommus: &[Iommu]) -> Vec<&'static dyn Model> {
    let mut models: Vec<&'static dyn Model> = Vec::new();
    for iommu in iommus {
        let events = iommu.model.trace_events();
        if !models.iter().any(|model| model.trace_events() == events) {
            models.push(iommu.model);
        }
    }
    models
}

/// Reads QEMU's trace of these IOMMUs.
pub fn read(file: &Path, iommus: &[Iommu]) -> Trace {
    match std::fs::File::open(file) {
        Ok(file) => of(file, &models(iommus)),
        Err(error) => Trace {
            lost: Some(format!("QEMU's trace cannot be read: {error}")),
            ..Trace::default()
        },
    }
}

/// Reads a trace of these models.
pub fn of(file: impl Read, models: &[&dyn Model]) -> Trace {
    let mut reading = Reading {
        lines: BufReader::new(file.take(LONGEST)),
        models: models.iter().map(|model| model.trace()).collect(),
        settled: VecDeque::new(),
        lost: None,
        over: false,
    };
    let mut accesses = Tally::default();
    accesses.extend(&mut reading);
    Trace {
        accesses,
        lost: reading.lost,
    }
}

/// A trace that is being read: an iterator over its accesses.
struct Reading<R: Read> {
    lines: BufReader<Take<R>>,
    models: Vec<Box<dyn Lines>>,
    /// Accesses that were read and not yet returned.
    settled: VecDeque<Access>,
    /// Why the trace may be incomplete.
    lost: Option<String>,
    over: bool,
}

impl<R: Read> Iterator for Reading<R> {
    type Item = Access;

    fn next(&mut self) -> Option<Access> {
        while self.settled.is_empty() && !self.over {
            match self.line() {
                Some(line) => self.understand(&line),
                None => {
                    self.over = true;
                    for model in &mut self.models {
                        model.end(&mut self.settled);
                    }
                }
            }
        }
        self.settled.pop_front()
    }
}

impl<R: Read> Reading<R> {
    /// Reads a line; of a long line, its beginning.
    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.lines.by_ref().take(LINE).read_until(b'\n', &mut line);
        match read {
            Ok(0) if self.lines.get_ref().limit() == 0 => {
                self.lost(format!("QEMU's trace is longer than {LONGEST} bytes"));
                None
            }
            Ok(0) => None,
            Ok(_) => Some(String::from_utf8_lossy(&line).into_owned()),
            Err(error) => {
                self.lost(format!("QEMU's trace breaks off: {error}"));
                None
            }
        }
    }

    /// Gives a line to each model.
    fn understand(&mut self, line: &str) {
        for model in &mut self.models {
            if !model.line(line, &mut self.settled) {
                let line = line.trim();
                let strange = format!("a line of QEMU's trace is not understood: {line}");
                self.lost.get_or_insert(strange);
            }
        }
    }

    fn lost(&mut self, why: String) {
        self.lost.get_or_insert(why);
    }
}
