//! Records what one run showed: the frames of its probes, checked for gaps, and the answers from outside.

use std::collections::BTreeMap;

use runners::Iommus;
use serde::Serialize;
use wire::{Answer, Damage, Disorder, Frame, Note, Order, Reading};

use crate::panic_log::HostPanic;

/// Everything that one run showed.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Domains that sent frames, by the number in the frames.
    pub domains: BTreeMap<u8, DomainObservation>,
    /// What is wrong with the record itself: damaged, repeated or lost lines.
    pub gaps: Vec<String>,
    /// Truncated frames: the sender, if it can still be read, and the text.
    pub cut: Vec<(Option<u8>, String)>,
    /// Answers from outside, by label.
    pub outside: BTreeMap<String, OutsideAnswer>,
    /// What the IOMMUs did, if the machine has any.
    pub iommus: Option<Iommus>,
    /// How the run ended.
    pub end: End,
    /// The host's panic message, if it panicked.
    pub stop: Option<HostPanic>,
    /// The raw console.
    pub console: Vec<u8>,
}

/// What one domain showed.
#[derive(Clone, Debug, Default)]
pub struct DomainObservation {
    /// Hello frames of its virtual CPUs.
    pub hellos: usize,
    /// Frequency of its counter in Hz.
    pub frequency: Option<u32>,
    /// Answers by the place of their operation.
    pub answers: BTreeMap<u16, Answer>,
    /// The device tree that it was booted with, as far as it was sent.
    pub tree: Vec<u8>,
    /// Errors inside the guest: unexpected exceptions, an unusable script.
    pub errors: Vec<String>,
    /// Whether it reported the end of its script.
    pub ended: bool,
    /// Index of its last frame among the frames of all domains.
    pub last: usize,
    /// Index of each of its marks, at the first occurrence.
    pub marks: BTreeMap<String, usize>,
}

/// An answer from outside the guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum OutsideAnswer {
    /// Done, without a value.
    Done,
    /// The value read.
    Value(u64),
    /// The PCI functions of the machine: bus, device and function in 16 bits each, in order.
    Functions(Vec<u16>),
    /// The machine refused the action.
    Refused(String),
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum End {
    /// Every awaited line arrived.
    Complete,
    /// The machine switched itself off or reset.
    PoweredOff(String),
    /// The time ran out.
    #[default]
    Deadline,
    /// The console was flooded: the number of bytes; only the first and the last of them are kept.
    Flooded(u64),
    /// The harness failed.
    Failed(String),
}

/// Number of characters of a damaged line that are shown.
const SHOWN: usize = 160;
/// Number of gaps that are kept: one is enough to doubt the record.
const GAPS: usize = 64;

/// Assembles the record of a run from the lines of its console.
pub struct Recorder {
    order: Order,
    /// Number of frames so far.
    frames: usize,
    /// The observation so far.
    pub seen: Observation,
}

impl Recorder {
    /// Starts a record of the frames that carry `nonce`.
    pub fn new(nonce: u32) -> Self {
        Self {
            order: Order::new(nonce),
            frames: 0,
            seen: Observation::default(),
        }
    }

    /// Takes one line; returns its frame if it is one of this run.
    pub fn line(&mut self, line: &str) -> Option<Frame> {
        let frame = match wire::read(line.as_bytes()) {
            Reading::Frame(frame) => frame,
            Reading::Chatter => return None,
            Reading::Damaged(damage) => {
                let start: String = line.chars().take(SHOWN).collect();
                let shown = text::visible_line(&start);
                let told = format!("damaged line ({damage}): {shown}");
                if damage == Damage::Unterminated && self.seen.cut.len() < GAPS {
                    self.seen.cut.push((sender(line), told));
                } else {
                    self.gap(told);
                }
                return None;
            }
        };
        let accepted = self.order.accept(&frame);
        if let Err(disorder) = accepted {
            self.gap(disorder.to_string());
        }
        // A repeated frame has no effect: the first answer counts, and no action is taken twice.
        if matches!(
            accepted,
            Err(Disorder::Foreign { .. } | Disorder::Repeated { .. })
        ) {
            return None;
        }
        self.note(&frame);
        Some(frame)
    }

    /// Records a gap. The number is limited, so that a noisy guest cannot fill memory.
    fn gap(&mut self, gap: String) {
        if self.seen.gaps.len() < GAPS {
            self.seen.gaps.push(gap);
        }
    }

    fn note(&mut self, frame: &Frame) {
        let domain = self.seen.domains.entry(frame.dom).or_default();
        self.frames += 1;
        domain.last = self.frames;
        if let Note::Op {
            answer: Answer::Mark(name),
            ..
        } = frame.note
        {
            let place = self.frames;
            domain
                .marks
                .entry(name.as_str().to_owned())
                .or_insert(place);
        }
        match frame.note {
            Note::Hello { frequency, .. } => {
                domain.hellos += 1;
                domain.frequency = Some(frequency);
            }
            Note::Op { index, answer } => {
                // A domain that was started again answers again; only its first run counts.
                domain.answers.entry(index).or_insert(answer);
            }
            Note::Chunk { offset, data } => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                // A second dump of the same tree overwrites the first with the same bytes.
                if offset <= domain.tree.len() {
                    domain.tree.truncate(offset);
                    domain.tree.extend_from_slice(data.as_ref());
                }
            }
            Note::Fault { .. } | Note::Stray(_) | Note::Bad { .. } => {
                domain.errors.push(frame.note.to_string())
            }
            Note::End { .. } => domain.ended = true,
        }
    }
}

/// Reads the domain from a truncated frame: `@pt2 <nonce> <domain> ...`.
fn sender(line: &str) -> Option<u8> {
    let (_, frame) = line.rsplit_once("@pt2 ")?;
    let number = frame.split(' ').nth(1)?;
    (number.len() == 2).then(|| u8::from_str_radix(number, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u16, note: Note) -> String {
        Frame {
            nonce: 7,
            dom: 1,
            seq,
            note,
        }
        .encode()
        .to_string()
    }

    /// Frames are recorded whatever is between them; a lost one is reported.
    #[test]
    fn frames_are_recorded_and_gaps_told() {
        let mut recorder = Recorder::new(7);
        recorder.line(&line(
            0,
            Note::Hello {
                version: 1,
                privilege: 1,
                frequency: 1,
                cpu: 0,
            },
        ));
        recorder.line(&format!(
            "(HV) d1: {}",
            line(
                1,
                Note::Op {
                    index: 0,
                    answer: Answer::Value(5)
                }
            )
        ));
        recorder.line("(HV) d1 says @pt nothing");
        recorder.line(&line(3, Note::End { ops: 2 }));
        let domain = &recorder.seen.domains[&1];
        assert_eq!((domain.hellos, domain.ended), (1, true));
        assert_eq!(domain.answers.get(&0), Some(&Answer::Value(5)));
        assert_eq!(recorder.seen.gaps.len(), 1, "{:?}", recorder.seen.gaps);
    }

    /// A truncated frame is distinguished from other damage, with its sender if that can be read.
    #[test]
    fn frames_that_break_off_are_kept_apart() {
        let mut recorder = Recorder::new(7);
        let whole = line(0, Note::End { ops: 0 });
        recorder.line(&whole[..20]);
        recorder.line(&whole[..12]);
        let senders: Vec<Option<u8>> = recorder.seen.cut.iter().map(|(dom, _)| *dom).collect();
        assert_eq!(senders, [Some(1), None]);
        assert!(recorder.seen.gaps.is_empty());
    }

    /// A frame with the nonce of another run is ignored.
    #[test]
    fn foreign_frames_are_not_evidence() {
        let mut recorder = Recorder::new(8);
        assert!(recorder.line(&line(0, Note::End { ops: 0 })).is_none());
        assert!(recorder.seen.domains.is_empty());
        assert_eq!(recorder.seen.gaps.len(), 1);
    }
}
