//! Functions that come and go while the machine runs, as somebody who may says.

use core::fmt;

use super::function::{answers, probe, probe_virtual};
use super::iommu_groups::switch_on;
use super::registers as at;
use super::{Function, FunctionDefect, Inventory, Kind, MAX_FUNCTIONS, Port, Registers, Warning};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;

/// Why a function is not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddError {
    /// There is no such bus.
    Bus,
    /// No bridge that is known leads there.
    Unreachable,
    /// Nothing answers there.
    Absent,
    /// Something else is known to be there, which has not been removed.
    Changed,
    /// The function that it is to be a virtual one of is not known, or has none.
    Physical(Sbdf),
    /// There is no room for more.
    Full,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus => f.write_str("no host bridge has that bus"),
            Self::Unreachable => f.write_str("no bridge that is known leads to that bus"),
            Self::Absent => f.write_str("nothing answers there"),
            Self::Changed => f.write_str("another function is known there"),
            Self::Physical(at) => write!(f, "{at} is not known, or has no such virtual function"),
            Self::Full => write!(f, "{MAX_FUNCTIONS} functions are known already"),
        }
    }
}

/// Why a function is not removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemoveError {
    /// It is not known.
    Unknown,
    /// This function, which is known, is behind it or a virtual one of it.
    Needed(Sbdf),
}

impl fmt::Display for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such function is known"),
            Self::Needed(by) => write!(f, "{by} depends on it, and is still known"),
        }
    }
}

impl Inventory {
    /// Looks at a function that has come, one that is virtual if it is said to be one of a `physical` function, and
    /// returns what is known of it. One that is known already stays as it is. Others may belong to other groups after
    /// that.
    ///
    /// # Errors
    /// Says why nothing has changed.
    pub fn add<S: ConfigSpace>(
        &mut self,
        space: &mut S,
        place: Sbdf,
        physical: Option<Sbdf>,
        warnings: &mut dyn FnMut(Warning),
    ) -> Result<&Function, AddError> {
        if let Some(known) = self.get(place) {
            still(space, known, physical)?;
        } else {
            let ends = self.ends_of_segment(place).ok_or(AddError::Bus)?;
            if self.functions.len() >= MAX_FUNCTIONS || self.functions.try_reserve(1).is_err() {
                return Err(AddError::Full);
            }
            let mut found = match physical {
                Some(physical) => self.find_virtual(space, place, physical)?,
                None => self.find_real(space, place, ends, warnings)?,
            };
            if let Some(acs) = found.acs.as_mut().filter(|acs| acs.holds) {
                let registers = &mut Registers::new(space, place);
                acs.holds = switch_on(registers, acs.offset, acs.can);
                if !acs.holds {
                    warnings(Warning::Leaky(place));
                }
            }
            let slot = self.functions.partition_point(|other| other.at < place);
            self.functions.insert(slot, found);
            self.relate(warnings);
        }
        self.get(place).ok_or(AddError::Absent)
    }

    /// Forgets a function that has gone, and returns what was known of it. Others may belong to other groups after that.
    ///
    /// # Errors
    /// Says why nothing has changed.
    pub fn remove(&mut self, place: Sbdf) -> Result<Function, RemoveError> {
        let slot = self.place(place).ok_or(RemoveError::Unknown)?;
        let mut virtuals = self.functions.iter();
        let needs = Some(FunctionDefect::Virtual(place));
        let needed = (virtuals.find(|other| other.flaw == needs))
            .or_else(|| self.behind(place).next())
            .map(|other| other.at);
        if let Some(by) = needed {
            return Err(RemoveError::Needed(by));
        }
        let gone = self.functions.remove(slot);
        self.relate(&mut |_| ());
        Ok(gone)
    }

    /// Returns the first and the last bus of the host bridge that has a function's bus.
    fn ends_of_segment(&self, place: Sbdf) -> Option<(u8, u8)> {
        let own = |segment: &&super::Segment| {
            segment.number == place.segment && segment.buses.contains(&place.bus)
        };
        let segment = self.segments.iter().find(own)?;
        Some((*segment.buses.start(), *segment.buses.end()))
    }

    fn find_virtual<S: ConfigSpace>(
        &self,
        space: &mut S,
        place: Sbdf,
        physical: Sbdf,
    ) -> Result<Function, AddError> {
        let none = AddError::Physical(physical);
        let known = self.get(physical).ok_or(none)?;
        if matches!(known.flaw, Some(FunctionDefect::Virtual(_))) || known.kind != Kind::Endpoint {
            return Err(none);
        }
        // It may be on a bus that no bridge has for its own, but only on one that the bridge above passes on.
        let same = self.above(place).map(|bridge| bridge.at) == known.above;
        if !same || place.segment != physical.segment || place <= physical {
            return Err(AddError::Unreachable);
        }
        probe_virtual(space, place, known).ok_or(AddError::Absent)
    }

    fn find_real<S: ConfigSpace>(
        &mut self,
        space: &mut S,
        place: Sbdf,
        (start, end): (u8, u8),
        warnings: &mut dyn FnMut(Warning),
    ) -> Result<Function, AddError> {
        self.number_late(space, place.segment);
        let above = self.above(place);
        let (bus, last, link) = match above.map(|bridge| (bridge.kind, bridge.port)) {
            Some((
                Kind::Bridge {
                    secondary: Some(bus),
                    subordinate,
                },
                port,
            )) => (bus, subordinate, port == Some(Port::Downstream)),
            _ => (start, end, false),
        };
        if bus != place.bus {
            return Err(AddError::Unreachable);
        }
        let above = above.map(|bridge| bridge.at);
        let first = Sbdf {
            devfn: place.devfn & !7,
            ..place
        };
        if link && place.device() != 0 {
            return Err(AddError::Absent);
        }
        let multifunction = if place == first {
            None
        } else {
            let header = Registers::new(space, first).word(at::CACHE_LINE);
            let many = header != u32::MAX && header & at::MULTIFUNCTION != 0;
            Some(many.then_some(true).ok_or(AddError::Absent)?)
        };
        let mut found = probe(space, place, multifunction, warnings).ok_or(AddError::Absent)?;
        found.above = above;
        if let Kind::Bridge {
            secondary: Some(first),
            subordinate,
        } = found.kind
            && !self.is_possible(place, first, subordinate, last)
        {
            found.kind = Kind::Bridge {
                secondary: None,
                subordinate,
            };
            warnings(Warning::Numbers {
                bridge: place,
                secondary: first,
                subordinate,
                last,
            });
        }
        Ok(found)
    }

    /// Returns the innermost bridge that has the bus of a function behind it.
    fn above(&self, place: Sbdf) -> Option<&Function> {
        let within = |function: &&Function| match function.kind {
            Kind::Bridge {
                secondary: Some(first),
                subordinate: last,
            } => function.at.segment == place.segment && (first..=last).contains(&place.bus),
            _ => false,
        };
        // Of two bridges one of which is behind the other, this one has the higher bus.
        self.functions.iter().rfind(within)
    }

    /// Tells whether a bridge on which nobody relied yet can have these buses behind it.
    fn is_possible(&self, bridge: Sbdf, first: u8, last: u8, end: u8) -> bool {
        let taken = |function: &Function| match function.kind {
            _ if function.at.segment != bridge.segment => false,
            _ if (first..=last).contains(&function.at.bus) => true,
            // Those above it have its buses as well, and have to.
            Kind::Bridge {
                secondary: Some(other),
                subordinate,
            } => {
                let above = (other..=subordinate).contains(&bridge.bus);
                !above && other <= last && first <= subordinate
            }
            _ => false,
        };
        let inside = bridge.bus < first && first <= last && last <= end;
        inside && !self.functions.iter().any(taken)
    }

    /// Looks whether bridges without believable buses behind them have got some.
    fn number_late<S: ConfigSpace>(&mut self, space: &mut S, segment: u16) {
        for place in 0..self.functions.len() {
            let Some(bridge) = self.functions.get(place) else {
                continue;
            };
            let unnumbered = matches!(
                bridge.kind,
                Kind::Bridge {
                    secondary: None,
                    ..
                }
            );
            if !unnumbered || bridge.at.segment != segment {
                continue;
            }
            let buses = Registers::new(space, bridge.at).word(at::BUSES);
            let [_, first, last, _] = buses.to_le_bytes();
            let end = match self.above(bridge.at).map(|above| above.kind) {
                Some(Kind::Bridge { subordinate, .. }) => subordinate,
                _ => self.ends_of_segment(bridge.at).map_or(0, |(_, end)| end),
            };
            if self.is_possible(bridge.at, first, last, end)
                && let Some(bridge) = self.functions.get_mut(place)
            {
                bridge.kind = Kind::Bridge {
                    secondary: Some(first),
                    subordinate: last,
                };
            }
        }
    }
}

/// Tells whether what is known of a function is still so.
fn still<S: ConfigSpace>(
    space: &mut S,
    known: &Function,
    physical: Option<Sbdf>,
) -> Result<(), AddError> {
    let said = physical.map(FunctionDefect::Virtual);
    let was = (known.flaw).filter(|flaw| matches!(flaw, FunctionDefect::Virtual(_)));
    if said != was {
        return Err(AddError::Changed);
    }
    let registers = &mut Registers::new(space, known.at);
    if said.is_some() {
        let there = registers.word(at::REVISION) != u32::MAX;
        return there.then_some(()).ok_or(AddError::Absent);
    }
    let id = registers.word(at::VENDOR);
    if !answers(id) {
        return Err(AddError::Absent);
    }
    let same = id == known.id();
    same.then_some(()).ok_or(AddError::Changed)
}
