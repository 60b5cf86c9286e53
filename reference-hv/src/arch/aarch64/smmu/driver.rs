//! One SMMU: how it is brought up, told of changes and listened to.

use super::command::{self, Command};
use super::event::{self, Event};
use super::features::{Features, Identity, Unusable};
use super::queue::{Index, Ring};
use super::table::{Entry, Geometry, Streams, Translated};
use super::{Port, register};
use crate::addr::{Ipa, Pa};
use crate::fault::{self, Fault};
use crate::ids::{IommuDomainId, SourceId};
use crate::paging::{Shape, Tables};

/// CR0 (6.3.9).
const SMMUEN: u32 = 1 << 0;
const EVENTQEN: u32 = 1 << 2;
const CMDQEN: u32 = 1 << 3;
/// Translated requests are checked against the stream table instead of being believed.
const ATSCHK: u32 = 1 << 4;
/// CR1 (6.3.11): tables and queues are inner shareable, write-back, inside and outside.
const CACHED: u32 = 0b11 << 10 | 0b01 << 8 | 0b01 << 6 | 0b11 << 4 | 0b01 << 2 | 0b01;
/// CR2 (6.3.12): streams beyond the table are reported; broadcast invalidations are not listened to, since
/// every change of a table is followed by a command of its own.
const RECINVSID: u32 = 1 << 1;
const PTM: u32 = 1 << 2;
/// GBPA (6.3.14).
const ABORT: u32 = 1 << 20;
const UPDATE: u32 = 1 << 31;
/// IRQ_CTRL (6.3.15).
const GERROR_IRQ: u32 = 1 << 0;
const EVENTQ_IRQ: u32 = 1 << 2;
/// GERROR (6.3.17).
const CMDQ_ERR: u32 = 1 << 0;
/// EVENTQ_PROD.OVFLG and its acknowledgement in EVENTQ_CONS (7.4).
const OVERFLOW: u32 = 1 << 31;

/// How often a register is read until it says what it should. An SMMU answers within microseconds; a
/// read takes at least a good part of one tenth of that.
const POLLS: u32 = 1_000_000;

/// An SMMU that stops every access, before anything else is done with it.
#[derive(Debug)]
pub struct Blocked<P> {
    port: P,
    features: Features,
}

/// What all translations on a machine have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// VTCR_EL2.
    pub control: u64,
    /// Whether the entries force write-back memory (HCR_EL2.FWB).
    pub forced: bool,
}

/// An SMMU that works.
#[derive(Debug)]
pub struct Smmu<P> {
    port: P,
    features: Features,
    context: Context,
    streams: Streams,
    commands: (Ring, Pa),
    /// Behind the last command written.
    produced: Index,
    events: (Ring, Pa),
    /// Behind the last event read.
    consumed: Index,
    /// Whether it failed a command, and stops every access since.
    dead: bool,
}

/// The SMMU fails commands; it was switched to stop every access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dead;

/// Waits until a register, as far as the mask goes, has a value.
fn wait(port: &mut impl Port, offset: u32, mask: u32, value: u32) -> bool {
    (0..POLLS).any(|_| port.read(offset) & mask == value)
}

/// Has the SMMU stop every access while it does not translate (6.3.14, "Update"), and makes sure of it.
fn abort_all(port: &mut impl Port) -> Result<(), Unusable> {
    const SILENT: Unusable = Unusable::Silent("SMMU_GBPA");
    if fault::on(Fault::IommuLeftOff) {
        return Ok(());
    }
    if !wait(port, register::GBPA, UPDATE, 0) {
        return Err(SILENT);
    }
    let attributes = port.read(register::GBPA);
    port.write(register::GBPA, attributes | ABORT | UPDATE);
    if wait(port, register::GBPA, UPDATE | ABORT, ABORT) {
        Ok(())
    } else {
        Err(SILENT)
    }
}

/// Sets CR0 and waits until the SMMU has done so.
fn control(port: &mut impl Port, value: u32) -> Result<(), Unusable> {
    port.order();
    port.write(register::CR0, value);
    if wait(port, register::CR0ACK, u32::MAX, value) {
        Ok(())
    } else {
        Err(Unusable::Silent("SMMU_CR0"))
    }
}

fn interrupts(port: &mut impl Port, value: u32) -> Result<(), Unusable> {
    port.write(register::IRQ_CTRL, value);
    if wait(port, register::IRQ_CTRLACK, u32::MAX, value) {
        Ok(())
    } else {
        Err(Unusable::Silent("SMMU_IRQ_CTRL"))
    }
}

impl<P: Port> Blocked<P> {
    /// Has an SMMU stop every access, whatever firmware had it do, and looks at what it is. First comes what
    /// holds while it is off, then it is switched off: there is no moment at which anything passes.
    ///
    /// # Errors
    /// Names what it lacks. It stops every access all the same, unless it does not take that either.
    pub fn new(mut port: P) -> Result<Self, Unusable> {
        // Where nothing answers, a bus reads as ones.
        if port.read(register::IDR0) == u32::MAX {
            return Err(Unusable::Unknown);
        }
        abort_all(&mut port)?;
        control(&mut port, 0)?;
        let identity = Identity {
            idr0: port.read(register::IDR0),
            idr1: port.read(register::IDR1),
            idr3: port.read(register::IDR3),
            idr5: port.read(register::IDR5),
        };
        let features = identity.judge()?;
        Ok(Self { port, features })
    }

    /// Returns what it offers.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Has it translate by tables of this shape, every stream being nobody's (6.3.9.6 and 3.11: queues and
    /// tables, then the command queue, then what it remembers is forgotten, then translation).
    ///
    /// # Errors
    /// Says what it did not do. It stops every access then.
    pub fn open(
        self,
        tables: &mut impl Tables,
        shape: Shape,
        memory_bits: u8,
        context: Context,
    ) -> Result<Smmu<P>, Unusable> {
        let Self { mut port, features } = self;
        features.fit(shape, memory_bits)?;
        let geometry = Geometry::of(&features);
        let commands = Ring::of_a_page(command::SIZE, features.commands);
        let events = Ring::of_a_page(event::SIZE, features.events);
        let streams = Streams::new(tables, geometry).ok_or(Unusable::NoRoom)?;
        let mut page = || tables.take(1).ok_or(Unusable::NoRoom);
        let (command_page, event_page) = (page()?, page()?);

        interrupts(&mut port, 0)?;
        port.write(register::CR1, CACHED);
        port.write(register::CR2, RECINVSID | PTM);
        port.write_double(register::STRTAB_BASE, streams.register());
        port.write(register::STRTAB_BASE_CFG, geometry.register());
        let base = |ring: Ring, page: Pa| page.raw() | u64::from(ring.log2()) | 1 << 62;
        port.write_double(register::CMDQ_BASE, base(commands, command_page));
        port.write(register::CMDQ_PROD, 0);
        port.write(register::CMDQ_CONS, 0);
        port.write_double(register::EVENTQ_BASE, base(events, event_page));
        port.write(register::EVENTQ_PROD, 0);
        port.write(register::EVENTQ_CONS, 0);
        if features.messages {
            // An address of zero: by wire (6.3.19).
            port.write_double(register::GERROR_IRQ_CFG0, 0);
            port.write_double(register::EVENTQ_IRQ_CFG0, 0);
        }
        let errors = port.read(register::GERROR);
        port.write(register::GERRORN, errors);

        let mut smmu = Smmu {
            port,
            features,
            context,
            streams,
            commands: (commands, command_page),
            produced: Index::default(),
            events: (events, event_page),
            consumed: Index::default(),
            dead: false,
        };
        let checks = if features.remote_translation {
            ATSCHK
        } else {
            0
        };
        control(&mut smmu.port, CMDQEN | checks)?;
        smmu.invalidate_all(tables)?;
        let events = if fault::on(Fault::EventQueueOff) {
            0
        } else {
            EVENTQEN
        };
        control(&mut smmu.port, CMDQEN | events | checks)?;
        smmu.listen(true)?;
        if !fault::on(Fault::IommuLeftOff) {
            control(&mut smmu.port, CMDQEN | events | checks | SMMUEN)?;
        }
        Ok(smmu)
    }
}

impl<P: Port> Smmu<P> {
    /// Returns what it offers.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Tells whether the stream table covers a stream.
    pub fn covers(&self, id: SourceId) -> bool {
        self.streams.geometry().covers(id)
    }

    /// Returns the stream whose number is what the table's width leaves of this one's.
    pub fn cut(&self, id: SourceId) -> SourceId {
        SourceId(id.0 & ((1 << self.streams.geometry().log2) - 1))
    }

    /// Returns how many streams the table covers.
    pub fn count(&self) -> u64 {
        1 << self.streams.geometry().log2
    }

    fn invalidate_all(&mut self, tables: &mut impl Tables) -> Result<(), Unusable> {
        self.submit(tables, Command::ForgetAllStreams)?;
        if self.features.hypervisor {
            self.submit(tables, Command::ForgetHypervisorTranslations)?;
        }
        self.submit(tables, Command::ForgetAllTranslations)?;
        self.submit(tables, Command::Sync)
    }

    /// Writes a command, and for [`Command::Sync`] waits until it is done.
    fn submit(&mut self, tables: &mut impl Tables, command: Command) -> Result<(), Unusable> {
        let (ring, page) = self.commands;
        let has_room = |port: &mut P| {
            let consumer = ring.index(port.read(register::CMDQ_CONS));
            !ring.is_full(self.produced, consumer)
        };
        if !(0..POLLS).any(|_| has_room(&mut self.port)) {
            return Err(self.failure());
        }
        for (word, place) in command
            .encode()
            .into_iter()
            .zip(ring.place(self.produced)..)
        {
            tables.store(page, place, word);
        }
        self.produced = ring.next(self.produced);
        // The command, and every table that it is about, before the SMMU can know of it.
        self.port.order();
        self.port.write(register::CMDQ_PROD, self.produced.0);
        if command != Command::Sync {
            return Ok(());
        }
        let produced = self.produced;
        let done = |port: &mut P| ring.index(port.read(register::CMDQ_CONS)) == produced;
        if !(0..POLLS).any(|_| done(&mut self.port)) {
            return Err(self.failure());
        }
        // What comes after, such as giving memory to somebody else, comes after.
        self.port.order();
        Ok(())
    }

    /// Says why the command queue does not go on (7.1, CMDQ_ERR).
    fn failure(&mut self) -> Unusable {
        let [.., error] = self.port.read(register::CMDQ_CONS).to_le_bytes();
        Unusable::Command(error & 0x7f)
    }

    /// Carries commands out up to their end. An SMMU that fails one no longer knows what it should, so it is
    /// switched off, and stops every access.
    fn carry_out(&mut self, tables: &mut impl Tables, commands: &[Command]) -> Result<(), Dead> {
        if self.dead {
            return Err(Dead);
        }
        let last = [Command::Sync];
        let all = commands.iter().chain(&last);
        let done = all
            .copied()
            .try_for_each(|command| self.submit(tables, command));
        done.map_err(|_| {
            self.dead = true;
            // GBPA still says that what is not translated is aborted.
            let _ = control(&mut self.port, 0);
            Dead
        })
    }

    /// Makes the entry of a stream, for which there is no room otherwise when it is needed.
    ///
    /// # Errors
    /// Fails when there is no room now.
    pub fn prepare(&mut self, tables: &mut impl Tables, id: SourceId) -> Result<(), Dead> {
        let Self { port, streams, .. } = self;
        if streams.reach(tables, id, || port.order()) {
            Ok(())
        } else {
            Err(Dead)
        }
    }

    /// Has a stream translated by a domain's tables, tagged as the CPUs tag them.
    ///
    /// # Errors
    /// Fails when there is no room for its entry, which [`Self::covers`] must have said there is in the
    /// table, or when the SMMU fails; the stream is stopped then.
    pub fn attach(
        &mut self,
        tables: &mut impl Tables,
        id: SourceId,
        root: Pa,
        tag: IommuDomainId,
    ) -> Result<(), Dead> {
        self.prepare(tables, id)?;
        if self.streams.first(tables, id) != 0 {
            // Only what the SMMU takes for invalid may be changed word by word (3.21.3.1).
            self.become_invalid(tables, id)?;
        }
        let entry = match Entry::Translated(Translated {
            root,
            tag,
            control: self.context.control,
            forced: self.context.forced,
            output_bits: self.features.output_bits,
        }) {
            _ if fault::on(Fault::StreamBypassed) => Entry::Bypass,
            entry => entry,
        };
        let words = entry.encode();
        self.streams.set_rest(tables, id, &words);
        self.port.order();
        self.streams.set_first(tables, id, words[0]);
        if fault::on(Fault::AttachNotInvalidated) {
            self.port.order();
            return Ok(());
        }
        // An SMMU may remember that an entry was invalid (3.21.1).
        self.carry_out(tables, &[Command::ForgetStream(id)])
    }

    fn become_invalid(&mut self, tables: &mut impl Tables, id: SourceId) -> Result<(), Dead> {
        let [invalid, ..] = Entry::Nobody.encode();
        self.streams.set_first(tables, id, invalid);
        if fault::on(Fault::AttachNotInvalidated) {
            return Ok(());
        }
        self.carry_out(tables, &[Command::ForgetStream(id)])
    }

    /// Stops the accesses of a stream; when it returns, none is on its way any more. What the SMMU remembers
    /// of the tables is another matter: see [`Self::invalidate`].
    ///
    /// # Errors
    /// Fails when the SMMU fails; it stops every access then.
    pub fn detach(&mut self, tables: &mut impl Tables, id: SourceId) -> Result<(), Dead> {
        let released = Entry::Released.encode();
        self.streams.set_first(tables, id, released[0]);
        if fault::on(Fault::ReleaseNotInvalidated) {
            self.port.order();
            return Ok(());
        }
        self.carry_out(tables, &[Command::ForgetStream(id)])
    }

    /// Forgets every translation with this tag; when it returns, no access that made use of one is on its
    /// way any more.
    ///
    /// # Errors
    /// Fails when the SMMU fails; it stops every access then.
    pub fn invalidate(&mut self, tables: &mut impl Tables, tag: IommuDomainId) -> Result<(), Dead> {
        self.carry_out(tables, &[Command::ForgetTag(tag)])
    }

    /// Forgets the translation of a page with this tag.
    ///
    /// # Errors
    /// Fails when the SMMU fails; it stops every access then.
    pub fn invalidate_page(
        &mut self,
        tables: &mut impl Tables,
        tag: IommuDomainId,
        at: Ipa,
    ) -> Result<(), Dead> {
        self.carry_out(tables, &[Command::ForgetPage(tag, at)])
    }

    /// Has it interrupt for events, or for errors of its own alone.
    ///
    /// # Errors
    /// Fails when it does not take that.
    pub fn listen(&mut self, events: bool) -> Result<(), Unusable> {
        let events = if events { EVENTQ_IRQ } else { 0 };
        interrupts(&mut self.port, GERROR_IRQ | events)
    }

    /// Takes every event that is there, oldest first, and tells whether any were lost for want of room.
    pub fn events(&mut self, tables: &impl Tables, mut each: impl FnMut(Event)) -> bool {
        let (ring, page) = self.events;
        let state = self.port.read(register::EVENTQ_PROD);
        let produced = ring.index(state);
        if ring.is_empty(produced, self.consumed) {
            return false;
        }
        // An entry is there before the index says so; it must not be read before the index is.
        self.port.order();
        while !ring.is_empty(produced, self.consumed) {
            let place = ring.place(self.consumed);
            let word = |n| tables.load(page, place + n);
            each(Event::decode([word(0), word(1), word(2), word(3)]));
            self.consumed = ring.next(self.consumed);
        }
        // The entries were read before their room is given away.
        self.port.order();
        let known = self.port.read(register::EVENTQ_CONS);
        self.port
            .write(register::EVENTQ_CONS, self.consumed.0 | state & OVERFLOW);
        (state ^ known) & OVERFLOW != 0
    }

    /// Takes notice of errors of the SMMU itself, and returns those that are new (6.3.17, 6.3.18). Commands
    /// that fail are found by who submits them.
    pub fn errors(&mut self) -> u32 {
        let state = self.port.read(register::GERROR);
        let new = state ^ self.port.read(register::GERRORN);
        if new & !CMDQ_ERR != 0 {
            self.port.write(register::GERRORN, state);
        }
        new
    }
}
