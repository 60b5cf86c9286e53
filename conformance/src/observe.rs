//! What one run showed: the frames of its probes, put together and checked for gaps, and the answers from outside.

use std::collections::BTreeMap;

use runners::Iommus;
use serde::Serialize;
use wire::{Answer, Damage, Disorder, Frame, Note, Order, Reading};

use crate::last_words::Stop;

/// Everything that one run showed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Domains that spoke, by the number in their frames.
    pub domains: BTreeMap<u8, DomainSeen>,
    /// What is wrong with the record itself: damaged, repeated or lost lines.
    pub gaps: Vec<String>,
    /// Frames that break off: who sent each, where that can still be read, and what there is of it.
    pub cut: Vec<(Option<u8>, String)>,
    /// Answers from outside, by label.
    pub outside: BTreeMap<String, OutsideAnswer>,
    /// What the IOMMUs did, where the machine has any.
    pub iommus: Option<Iommus>,
    /// How the run ended.
    pub end: End,
    /// The host's last words, where it stopped.
    pub stop: Option<Stop>,
    /// The console as it was.
    pub console: Vec<u8>,
}

/// What one domain showed.
#[derive(Clone, Debug, Default)]
pub struct DomainSeen {
    /// Greetings of its virtual CPUs.
    pub hellos: usize,
    /// Frequency of its counter in Hz.
    pub frequency: Option<u32>,
    /// Answers by the place of their operation.
    pub answers: BTreeMap<u16, Answer>,
    /// The tree that it was booted with, as far as it was sent.
    pub tree: Vec<u8>,
    /// What went wrong inside: unexpected exceptions, an unusable script.
    pub troubles: Vec<String>,
    /// It reported the end of its script.
    pub ended: bool,
    /// Place of its last frame among those of all domains.
    pub last: usize,
    /// Places of its marks, each as it came first.
    pub marks: BTreeMap<String, usize>,
}

/// An answer from outside the guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum OutsideAnswer {
    /// Done, without a value.
    Done,
    /// The value read.
    Value(u64),
    /// The PCI functions that there are: bus, device and function in 16 bits each, in order.
    Functions(Vec<u16>),
    /// The machine said no.
    Refused(String),
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum End {
    /// Every awaited line came in.
    Complete,
    /// The machine switched itself off or reset.
    PoweredOff(String),
    /// The time ran out.
    #[default]
    Deadline,
    /// The console was flooded: so many bytes came, and only the first and the last of them are kept.
    Flooded(u64),
    /// The rig failed.
    Failed(String),
}

/// Characters of a damaged line that are shown.
const SHOWN: usize = 160;
/// Gaps that are kept: one is enough to doubt the record.
const GAPS: usize = 64;

/// Puts the lines of a console together.
pub struct Recorder {
    order: Order,
    /// Frames taken so far.
    frames: usize,
    /// What was seen so far.
    pub seen: Seen,
}

impl Recorder {
    /// Begins a record of the frames that carry `nonce`.
    pub fn new(nonce: u32) -> Self {
        Self {
            order: Order::new(nonce),
            frames: 0,
            seen: Seen::default(),
        }
    }

    /// Takes one line; returns the frame it held, if it is one of this run.
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
        // What comes a second time is no news: the first answer stands, and no act is taken twice.
        if matches!(
            accepted,
            Err(Disorder::Foreign { .. } | Disorder::Repeated { .. })
        ) {
            return None;
        }
        self.note(&frame);
        Some(frame)
    }

    /// Keeps what is wrong with the record; a babbling guest does not fill memory with it.
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
                // A domain that was started again answers again; what counts is its first life.
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
                domain.troubles.push(frame.note.to_string())
            }
            Note::End { .. } => domain.ended = true,
        }
    }
}

/// Reads the domain out of what there is of a frame: `@pt1 <nonce> <domain> ...`.
fn sender(line: &str) -> Option<u8> {
    let (_, frame) = line.rsplit_once("@pt1 ")?;
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

    /// Frames fill the record whatever stands around them; a lost one is told.
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

    /// A frame that breaks off is told apart from other damage, with its sender where it got so far.
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

    /// A frame with the number of another run counts for nothing.
    #[test]
    fn foreign_frames_are_not_evidence() {
        let mut recorder = Recorder::new(8);
        assert!(recorder.line(&line(0, Note::End { ops: 0 })).is_none());
        assert!(recorder.seen.domains.is_empty());
        assert_eq!(recorder.seen.gaps.len(), 1);
    }
}
