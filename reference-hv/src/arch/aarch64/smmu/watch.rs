//! What the console hears of events: one line for a burst of them, however many they are.

use core::fmt;

use super::event::Event;
use crate::ids::{DomainId, SourceId};

/// Most streams that one line names.
const MOST: usize = 4;

/// Events that came together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Burst {
    /// The first event of each of some streams, and how many it had. One that floods takes no other's place.
    streams: [Option<(Event, u64)>; MOST],
    /// Events of streams for which there was no place.
    others: u64,
    /// Whether more came than the queue could hold.
    pub lost: bool,
    /// Errors of the SMMU's own (SMMU_GERROR).
    pub errors: u32,
}

impl Burst {
    /// Adds an event.
    pub fn add(&mut self, event: Event) {
        for place in &mut self.streams {
            match place {
                Some((first, count)) if first.stream == event.stream => {
                    *count += 1;
                    return;
                }
                Some(_) => {}
                None => {
                    *place = Some((event, 1));
                    return;
                }
            }
        }
        self.others += 1;
    }

    /// Tells whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the line, but for the name of the SMMU.
    pub fn describe(
        &self,
        f: &mut fmt::Formatter<'_>,
        owner: impl Fn(SourceId) -> Option<DomainId>,
    ) -> fmt::Result {
        let mut between = "";
        for (event, count) in self.streams.iter().flatten() {
            write!(f, "{between}{} ", event.stream)?;
            between = "; ";
            match owner(event.stream) {
                Some(domain) => write!(f, "({domain}): ")?,
                None => f.write_str("(nobody): ")?,
            }
            match event.access {
                Some(access) => write!(f, "{access} stopped, {}", event.reason)?,
                None => write!(f, "stopped, {}", event.reason)?,
            }
            if *count > 1 {
                write!(f, ", and {} more", count - 1)?;
            }
        }
        if self.others != 0 {
            write!(f, "{between}{} of other streams", self.others)?;
            between = "; ";
        }
        if self.lost {
            write!(f, "{between}more were lost")?;
            between = "; ";
        }
        if self.errors != 0 {
            write!(f, "{between}errors {:#x} of its own", self.errors)?;
        }
        Ok(())
    }
}
