//! Checks the order of frames: detects lost and repeated ones, and frames of another run.

use core::fmt;

use crate::frame::Frame;
use crate::note::Note;

/// Follows the sequence numbers of every domain of one run.
#[derive(Debug, Clone)]
pub struct Order {
    nonce: u32,
    next: [u16; 256],
    met: [bool; 256],
}

/// A frame that does not continue its domain's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disorder {
    /// The frame carries another run's nonce.
    Foreign {
        /// The nonce it carries.
        nonce: u32,
    },
    /// The frame repeats an earlier number.
    Repeated {
        /// The domain.
        dom: u8,
        /// The repeated number.
        seq: u16,
    },
    /// Frames before this one are missing.
    Lost {
        /// The domain.
        dom: u8,
        /// The first missing number.
        from: u16,
        /// The number of the frame that came instead.
        to: u16,
    },
    /// The domain sent a second hello: it was restarted.
    Restarted {
        /// The domain.
        dom: u8,
    },
}

impl Order {
    /// Starts a run in which no domain has sent a frame.
    pub const fn new(nonce: u32) -> Self {
        Self {
            nonce,
            next: [0; 256],
            met: [false; 256],
        }
    }

    /// Checks the next frame. After an error the order continues from that frame, but a foreign or
    /// repeated frame changes nothing.
    pub fn accept(&mut self, frame: &Frame) -> Result<(), Disorder> {
        let Frame {
            nonce,
            dom,
            seq,
            note,
        } = *frame;
        if nonce != self.nonce {
            return Err(Disorder::Foreign { nonce });
        }
        let slot = usize::from(dom);
        let (Some(next), Some(met)) = (self.next.get_mut(slot), self.met.get_mut(slot)) else {
            return Ok(()); // 256 slots for 256 domains
        };
        let due = *next;
        let first = !core::mem::replace(met, true);
        if seq == due {
            *next = due.wrapping_add(1);
            return Ok(());
        }
        // A restarted domain begins with frame 0 again. Frame 0 right after frame 0 is an echo.
        if seq == 0 && due > 1 && matches!(note, Note::Hello { .. }) {
            *next = 1;
            return Err(Disorder::Restarted { dom });
        }
        // Numbers wrap, so the half of them before the expected one counts as earlier.
        if !first && due.wrapping_sub(seq) < 0x8000 {
            return Err(Disorder::Repeated { dom, seq });
        }
        *next = seq.wrapping_add(1);
        Err(Disorder::Lost {
            dom,
            from: due,
            to: seq,
        })
    }
}

impl fmt::Display for Disorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Foreign { nonce } => write!(f, "frame of another run: nonce {nonce:08x}"),
            Self::Repeated { dom, seq } => write!(f, "domain {dom}: frame {seq} came again"),
            Self::Lost { dom, from, to } => {
                write!(f, "domain {dom}: frame {to} came where {from} was due")
            }
            Self::Restarted { dom } => write!(f, "domain {dom}: started again"),
        }
    }
}

impl core::error::Error for Disorder {}

#[cfg(test)]
mod tests {
    use super::{Disorder, Order};
    use crate::{Frame, Note};

    const NONCE: u32 = 0x5eed;

    fn hello() -> Note {
        Note::Hello {
            version: 1,
            privilege: 1,
            frequency: 1,
            cpu: 0,
        }
    }

    fn frame(dom: u8, seq: u16, note: Note) -> Frame {
        Frame {
            nonce: NONCE,
            dom,
            seq,
            note,
        }
    }

    #[track_caller]
    fn check(order: &mut Order, dom: u8, seq: u16, wanted: Result<(), Disorder>) {
        assert_eq!(order.accept(&frame(dom, seq, Note::End { ops: 0 })), wanted);
    }

    /// Each domain has its own sequence, which begins at 0.
    #[test]
    fn domains_count_separately() {
        let mut order = Order::new(NONCE);
        check(&mut order, 0, 0, Ok(()));
        check(&mut order, 255, 0, Ok(()));
        check(&mut order, 0, 1, Ok(()));
        check(&mut order, 255, 1, Ok(()));
    }

    /// A gap is reported with both its ends, a repetition with its number, and neither hides later errors.
    #[test]
    fn gaps_and_echoes() {
        let mut order = Order::new(NONCE);
        check(
            &mut order,
            1,
            2,
            Err(Disorder::Lost {
                dom: 1,
                from: 0,
                to: 2,
            }),
        );
        check(&mut order, 1, 3, Ok(()));
        check(&mut order, 1, 3, Err(Disorder::Repeated { dom: 1, seq: 3 }));
        check(&mut order, 1, 0, Err(Disorder::Repeated { dom: 1, seq: 0 }));
        check(
            &mut order,
            1,
            5,
            Err(Disorder::Lost {
                dom: 1,
                from: 4,
                to: 5,
            }),
        );
        check(&mut order, 1, 6, Ok(()));
    }

    /// A frame of another run does not change the order.
    #[test]
    fn foreign_frames() {
        let mut order = Order::new(NONCE + 1);
        check(&mut order, 1, 0, Err(Disorder::Foreign { nonce: NONCE }));
    }

    /// A second hello is a restart, but an echo of the first one is not.
    #[test]
    fn restarts() {
        let mut order = Order::new(NONCE);
        assert_eq!(order.accept(&frame(1, 0, hello())), Ok(()));
        assert_eq!(
            order.accept(&frame(1, 0, hello())),
            Err(Disorder::Repeated { dom: 1, seq: 0 })
        );
        check(&mut order, 1, 1, Ok(()));
        assert_eq!(
            order.accept(&frame(1, 0, hello())),
            Err(Disorder::Restarted { dom: 1 })
        );
        check(&mut order, 1, 1, Ok(()));
    }

    /// A wrapped number does not count as a repetition.
    #[test]
    fn numbers_wrap() {
        let mut order = Order::new(NONCE);
        for seq in 0..=u16::MAX {
            check(&mut order, 1, seq, Ok(()));
        }
        check(&mut order, 1, 0, Ok(()));
    }
}
