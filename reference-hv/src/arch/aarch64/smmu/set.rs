//! All SMMUs of a machine: whose streams are whose, and what is said of what they stop.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Port;
use super::driver::{Dead, Smmu};
use super::watch::Burst;
use crate::addr::{Ipa, Pa};
use crate::fault::{self, Fault};
use crate::ids::{DomainId, IommuDomainId, IrqLine, SourceId, Stream};
use crate::paging::Tables;

/// SMMU_GERROR.EVENTQ_ABT_ERR: an event could not be written (7.5).
const EVENTS_LOST: u32 = 1 << 2;

/// Whose accesses a stream's are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The domain.
    pub domain: DomainId,
    /// The tag of its translations.
    pub tag: IommuDomainId,
    /// Its tables.
    pub root: Pa,
}

/// Why a stream is not translated for a domain. It is stopped then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachError {
    /// No SMMU that works has it.
    NoSmmu,
    /// It lies beyond the stream table.
    Range(SourceId),
    /// Another domain has it.
    Owned(SourceId, DomainId),
    /// The SMMU fails, or has no room.
    Dead,
}

impl From<Dead> for AttachError {
    fn from(Dead: Dead) -> Self {
        Self::Dead
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSmmu => f.write_str("has no SMMU that works"),
            Self::Range(id) => write!(f, "{id} is beyond the stream table"),
            Self::Owned(id, owner) => write!(f, "{id} belongs to {owner}"),
            Self::Dead => f.write_str("its SMMU has failed"),
        }
    }
}

/// One SMMU, and whose its streams are.
#[derive(Debug)]
pub struct Unit<P> {
    /// What it is called in messages.
    name: String,
    smmu: Smmu<P>,
    /// The lines of its interrupts.
    lines: Vec<IrqLine>,
    streams: Vec<(SourceId, Owner)>,
    /// When to look for events again. Until then it does not interrupt for them.
    again: Option<u64>,
}

/// The SMMUs of a machine.
#[derive(Debug)]
pub struct Set<P> {
    /// In the order of the host's tree; nothing for one that is off or cannot be used.
    units: Vec<Option<Unit<P>>>,
    /// How long no SMMU interrupts for events after it did, in ticks of the clock.
    pause: u64,
    /// The first of the times to look again.
    due: Option<u64>,
}

/// Shows a burst with the name of the SMMU and the owners of the streams.
struct Line<'u, P> {
    unit: &'u Unit<P>,
    burst: &'u Burst,
}

impl<P> fmt::Display for Line<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.unit.name)?;
        self.burst.describe(f, |id| self.unit.owner(id))
    }
}

impl<P> Unit<P> {
    /// Makes one of an SMMU.
    pub fn new(name: String, smmu: Smmu<P>, lines: Vec<IrqLine>) -> Self {
        Self {
            name,
            smmu,
            lines,
            streams: Vec::new(),
            again: None,
        }
    }

    fn owner(&self, id: SourceId) -> Option<DomainId> {
        let mut owned = self.streams.iter();
        owned
            .find(|(stream, _)| *stream == id)
            .map(|(_, owner)| owner.domain)
    }

    fn serves(&self, tag: IommuDomainId) -> bool {
        self.streams.iter().any(|(_, owner)| owner.tag == tag)
    }
}

impl<P: Port> Unit<P> {
    fn attach(
        &mut self,
        tables: &mut impl Tables,
        id: SourceId,
        owner: Owner,
    ) -> Result<(), AttachError> {
        let id = match self.smmu.covers(id) {
            true => id,
            false if fault::on(Fault::StreamCut) => self.smmu.cut(id),
            false => return Err(AttachError::Range(id)),
        };
        match self.streams.iter().find(|(stream, _)| *stream == id) {
            Some((_, other)) if other.domain == owner.domain => return Ok(()),
            Some(_) if fault::on(Fault::SecondStreamOwner) => {}
            Some((_, other)) => return Err(AttachError::Owned(id, other.domain)),
            None => {}
        }
        self.smmu.attach(tables, id, owner.root, owner.tag)?;
        self.streams.retain(|(other, _)| *other != id);
        self.streams.push((id, owner));
        Ok(())
    }

    /// Stops the streams that `of` names, then forgets the translations of those whom no other stream serves.
    fn release(
        &mut self,
        tables: &mut impl Tables,
        of: impl Fn(SourceId, &Owner) -> bool,
    ) -> Result<(), Dead> {
        let mut tags = Vec::new();
        let mut done = Ok(());
        for (id, owner) in self.streams.iter().filter(|(id, owner)| of(*id, owner)) {
            if !fault::on(Fault::StreamKept) {
                done = done.and(self.smmu.detach(tables, *id));
            }
            if !tags.contains(&owner.tag) {
                tags.push(owner.tag);
            }
        }
        self.streams.retain(|(id, owner)| !of(*id, owner));
        for tag in tags {
            if !self.serves(tag) && !fault::on(Fault::ReleaseTranslationsKept) {
                done = done.and(self.smmu.invalidate(tables, tag));
            }
        }
        done
    }

    /// Takes what events there are, says so in one line, and has the SMMU be silent for a while if there
    /// were any: who makes them decides how many, but not how often anybody has to listen.
    fn look(
        &mut self,
        tables: &impl Tables,
        now: u64,
        pause: u64,
        print: &mut impl FnMut(fmt::Arguments<'_>),
    ) {
        if self.again.is_some_and(|again| now < again) {
            return;
        }
        let mut burst = self.take(tables);
        if burst.is_empty() && self.again.is_some() {
            self.again = None;
            // What came before the SMMU interrupts again would wait for the next event.
            if self.smmu.listen(true).is_ok() {
                burst = self.take(tables);
            }
        }
        if burst.is_empty() {
            return;
        }
        let (unit, burst) = (&*self, &burst);
        print(format_args!("{}", Line { unit, burst }));
        if self.again.is_none() {
            // If it does not take that it interrupts on, which is no less safe.
            let _ = self.smmu.listen(false);
        }
        self.again = Some(now.saturating_add(pause));
    }

    fn take(&mut self, tables: &impl Tables) -> Burst {
        let mut burst = Burst::default();
        burst.lost = self.smmu.events(tables, |event| burst.add(event));
        burst.errors = self.smmu.errors();
        if burst.errors & EVENTS_LOST != 0 {
            burst.errors &= !EVENTS_LOST;
            burst.lost = true;
        }
        burst
    }
}

impl<P: Port> Set<P> {
    /// Makes one of SMMUs in the order of the host's tree.
    pub fn new(units: Vec<Option<Unit<P>>>, pause: u64) -> Self {
        Self {
            units,
            pause,
            due: None,
        }
    }

    /// Returns how many streams each SMMU can tell apart; nothing for one that does not translate.
    pub fn streams(&self) -> Vec<Option<u64>> {
        let units = self.units.iter();
        units
            .map(|unit| unit.as_ref().map(|unit| unit.smmu.count()))
            .collect()
    }

    /// Returns the lines of all interrupts.
    pub fn lines(&self) -> impl Iterator<Item = IrqLine> {
        self.units
            .iter()
            .flatten()
            .flat_map(|unit| unit.lines.iter().copied())
    }

    /// Makes sure that a stream can be attached without more memory than it has now.
    ///
    /// # Errors
    /// Says why it never can be.
    pub fn prepare(&mut self, tables: &mut impl Tables, stream: Stream) -> Result<(), AttachError> {
        let unit = self.unit(stream).ok_or(AttachError::NoSmmu)?;
        if !unit.smmu.covers(stream.id) {
            return Err(AttachError::Range(stream.id));
        }
        unit.smmu.prepare(tables, stream.id).map_err(Into::into)
    }

    fn unit(&mut self, stream: Stream) -> Option<&mut Unit<P>> {
        self.units.get_mut(stream.iommu)?.as_mut()
    }

    /// Has a stream translated by a domain's tables.
    ///
    /// # Errors
    /// Says why not; the stream is stopped then.
    pub fn attach(
        &mut self,
        tables: &mut impl Tables,
        stream: Stream,
        owner: Owner,
    ) -> Result<(), AttachError> {
        match self.unit(stream) {
            Some(unit) => unit.attach(tables, stream.id, owner),
            None if fault::on(Fault::DisabledIommuProtects) => Ok(()),
            None => Err(AttachError::NoSmmu),
        }
    }

    /// Stops a stream; when this returns, no access of it is on its way any more.
    pub fn detach(&mut self, tables: &mut impl Tables, stream: Stream) {
        if let Some(unit) = self.unit(stream) {
            // One that fails stops every stream.
            let _ = unit.release(tables, |id, _| id == stream.id);
        }
    }

    /// Stops every stream whose translations have this tag, and forgets these; when this returns, no access
    /// that made use of one is on its way any more.
    pub fn release(&mut self, tables: &mut impl Tables, tag: IommuDomainId) {
        for unit in self.units.iter_mut().flatten() {
            let _ = unit.release(tables, |_, owner| owner.tag == tag);
        }
    }

    /// Forgets the translations with this tag, after a change of the tables.
    pub fn invalidate(&mut self, tables: &mut impl Tables, tag: IommuDomainId) {
        if fault::on(Fault::UnmapTranslationsKept) {
            return;
        }
        let units = self.units.iter_mut().flatten();
        for unit in units.filter(|unit| unit.serves(tag)) {
            let _ = unit.smmu.invalidate(tables, tag);
        }
    }

    /// Forgets the translation of one page with this tag, after a change of the tables.
    pub fn invalidate_page(&mut self, tables: &mut impl Tables, tag: IommuDomainId, at: Ipa) {
        if fault::on(Fault::UnmapTranslationsKept) {
            return;
        }
        let units = self.units.iter_mut().flatten();
        for unit in units.filter(|unit| unit.serves(tag)) {
            let _ = unit.smmu.invalidate_page(tables, tag, at);
        }
    }

    /// Returns when to call [`Self::look`] at the latest.
    pub fn due(&self) -> Option<u64> {
        self.due
    }

    /// Tells whether a line is an SMMU's.
    pub fn has_line(&self, line: IrqLine) -> bool {
        self.lines().any(|own| own == line)
    }

    /// Reports what was stopped since.
    pub fn look(
        &mut self,
        tables: &impl Tables,
        now: u64,
        mut print: impl FnMut(fmt::Arguments<'_>),
    ) {
        let pause = self.pause;
        for unit in self.units.iter_mut().flatten() {
            unit.look(tables, now, pause, &mut print);
        }
        let times = self.units.iter().flatten().filter_map(|unit| unit.again);
        self.due = times.min();
    }
}
