//! A machine without hardware: guests do what a list says, memory is a map of pages.

use std::collections::{BTreeMap, VecDeque};
use std::string::{String, ToString};
use std::vec::Vec;

use core::fmt;

use crate::access::Width;
use crate::addr::{Ipa, PAGE_SIZE, Pa, Span};
use crate::arch::aarch64::exit::Exit;
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::stage2::Stage2;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::arch::aarch64::vgic::{Features, Lists};
use crate::arch::aarch64::{Aarch64, VcpuContext};
use crate::hal::*;
use crate::ids::{DomainId, IommuDomainId, IrqLine, Sbdf, Stream, Trigger, VcpuId, Vmid};
use crate::paging::{ENTRIES, Shape, Tables};

/// Frames for tables.
#[derive(Debug, Default)]
pub struct Pool {
    entries: BTreeMap<(u64, u64), u64>,
    next: u64,
    /// How many frames are left.
    pub left: u64,
    /// How many frames are in use.
    pub used: u64,
}

impl Tables for Pool {
    fn take(&mut self, frames: u64) -> Option<Pa> {
        self.left = self.left.checked_sub(frames)?;
        self.used += frames;
        let at = self.next.next_multiple_of(frames * PAGE_SIZE);
        self.next = at + frames * PAGE_SIZE;
        Some(Pa::new(at))
    }
    fn left(&self) -> u64 {
        self.left
    }
    fn give_back(&mut self, table: Pa, frames: u64) {
        let first = table.raw();
        let gone = (first, 0)..(first + frames * PAGE_SIZE, 0);
        let entries: Vec<_> = self.entries.range(gone).map(|(at, _)| *at).collect();
        for at in entries {
            self.entries.remove(&at);
        }
        self.used -= frames;
        self.left += frames;
    }
    fn load(&self, table: Pa, index: u64) -> u64 {
        let frame = table.raw() + index / ENTRIES * PAGE_SIZE;
        self.entries
            .get(&(frame, index % ENTRIES))
            .copied()
            .unwrap_or(0)
    }
    fn replace(
        &mut self,
        table: Pa,
        first: u64,
        count: u64,
        mut new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64 {
        for nth in 0..count {
            let index = first + nth;
            let Some(entry) = new(nth, self.load(table, index)) else {
                return nth;
            };
            let frame = table.raw() + index / ENTRIES * PAGE_SIZE;
            self.entries.insert((frame, index % ENTRIES), entry);
        }
        count
    }
}

/// One thing that a guest does.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Something that takes it out.
    Exit(Exit),
    /// Arms its virtual timer for this time, and goes on.
    Arm(u64),
    /// Computes for so long.
    Compute(u64),
    /// Has the memory system report an error.
    Error,
    /// Leaves an error behind that shows when it is switched away from.
    LateError,
}

/// A virtual CPU's registers.
#[derive(Debug)]
pub struct Registers {
    /// Whose they are.
    pub id: VcpuId,
    /// What its translations are tagged with.
    pub tag: Vmid,
    /// General registers.
    pub x: [u64; 31],
    /// Program counter.
    pub pc: u64,
    due: Option<u64>,
    late_error: bool,
    loaded: bool,
}

/// The machine.
#[derive(Debug)]
pub struct Fake {
    /// The counter.
    pub time: u64,
    /// What was printed.
    pub console: Vec<String>,
    /// What each virtual CPU does next.
    pub deeds: BTreeMap<(u16, u32), VecDeque<Deed>>,
    /// Interrupts on their way.
    pub arriving: VecDeque<Interrupt>,
    /// Interrupts that arrive at a time.
    pub later: Vec<(u64, Interrupt)>,
    /// Which virtual CPUs were entered, in order.
    pub entered: Vec<VcpuId>,
    /// What was done to lines.
    pub lines: Vec<(IrqLine, &'static str)>,
    /// Exceptions that guests took.
    pub injected: Vec<Exception>,
    /// RAM, by page.
    pub ram: BTreeMap<u64, Vec<u8>>,
    /// What there is of it.
    pub windows: Vec<Span<Pa>>,
    /// Frames.
    pub pool: Pool,
    /// Interrupts shown at the last entry.
    pub shown: Vec<u64>,
    /// Lines that are high.
    pub high: Vec<IrqLine>,
    /// What was done, in order, where the order matters.
    pub log: Vec<String>,
    /// Bytes that the hypervisor can still allocate.
    pub heap: u64,
    /// Whether the machine was switched off.
    pub off: bool,
    /// What was written back.
    pub written_back: Vec<Span<Pa>>,
    /// Pages that the guest's own tables have elsewhere: where, and whether they can be written.
    pub stage1: BTreeMap<u64, (u64, bool)>,
    /// The stream that cannot be attached.
    pub broken_stream: u32,
    /// PCI functions.
    pub functions: crate::pci::fake::Fake,
}

impl Fake {
    /// Makes a machine with 16 MiB of RAM at 0x8000_0000.
    pub fn new() -> Self {
        Self {
            time: 1000,
            console: Vec::new(),
            deeds: BTreeMap::new(),
            arriving: VecDeque::new(),
            later: Vec::new(),
            entered: Vec::new(),
            lines: Vec::new(),
            injected: Vec::new(),
            ram: BTreeMap::new(),
            windows: vec![Span::new(Pa::new(0x8000_0000), 16 << 20).unwrap()],
            pool: Pool {
                next: 0x1_0000_0000,
                left: 64,
                ..Pool::default()
            },
            shown: Vec::new(),
            high: Vec::new(),
            log: Vec::new(),
            heap: 1 << 20,
            off: false,
            written_back: Vec::new(),
            stage1: BTreeMap::new(),
            broken_stream: u32::MAX,
            functions: crate::pci::fake::Fake::default(),
        }
    }

    fn holds(&self, at: Pa, size: u64) -> bool {
        Span::new(at, size).is_ok_and(|span| self.windows.iter().any(|w| w.covers(span)))
    }

    /// Returns a byte of RAM; what was never written is junk.
    pub fn byte(&self, at: u64) -> u8 {
        let page = self.ram.get(&(at / PAGE_SIZE));
        page.map_or(0xa5, |page| page[usize::try_from(at % PAGE_SIZE).unwrap()])
    }

    fn set_byte(&mut self, at: u64, value: u8) {
        let page = self
            .ram
            .entry(at / PAGE_SIZE)
            .or_insert_with(|| vec![0xa5; 4096]);
        page[usize::try_from(at % PAGE_SIZE).unwrap()] = value;
    }

    fn act(&mut self, line: IrqLine, what: &'static str) {
        self.lines.push((line, what));
        self.log.push(format!("{line} {what}"));
    }

    fn pass_time(&mut self, ticks: u64) {
        self.time += ticks;
        let now = self.time;
        let due = self.later.iter().filter(|(at, _)| *at <= now);
        self.arriving.extend(due.map(|(_, interrupt)| *interrupt));
        self.later.retain(|(at, _)| *at > now);
    }
}

impl Ram for Fake {
    fn scrub(&mut self, span: Span<Pa>) -> bool {
        let fine = self.holds(span.first(), span.size()) && span.is_page_exact();
        for page in (0..span.pages()).filter(|_| fine) {
            self.ram
                .insert(span.first().raw() / PAGE_SIZE + page, vec![0; 4096]);
        }
        self.log.push(format!("scrub {span}"));
        fine
    }
    fn read(&self, from: Pa, bytes: &mut [u8]) -> bool {
        let fine = u64::try_from(bytes.len()).is_ok_and(|size| self.holds(from, size));
        for (byte, at) in bytes.iter_mut().zip(from.raw()..).filter(|_| fine) {
            *byte = self.byte(at);
        }
        fine
    }
    fn copy(&mut self, from: Pa, to: Pa, size: u64) -> bool {
        let fine = self.holds(from, size) && self.holds(to, size);
        for offset in (0..size).filter(|_| fine) {
            let byte = self.byte(from.raw() + offset);
            self.set_byte(to.raw() + offset, byte);
        }
        fine
    }
    fn write(&mut self, to: Pa, bytes: &[u8]) -> bool {
        let fine = u64::try_from(bytes.len()).is_ok_and(|size| self.holds(to, size));
        for (byte, at) in bytes.iter().zip(to.raw()..).filter(|_| fine) {
            self.set_byte(at, *byte);
        }
        fine
    }
    fn write_back(&mut self, span: Span<Pa>) -> bool {
        self.written_back.push(span);
        self.holds(span.first(), span.size())
    }
    fn publish_code(&mut self) {}
}

impl Console for Fake {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.console.push(text.to_string());
    }
    fn domain_line(&mut self, domain: DomainId, text: &[u8]) {
        self.console
            .push(format!("{domain}: {}", String::from_utf8_lossy(text)));
    }
}

impl Clock for Fake {
    fn now(&self) -> u64 {
        self.time
    }
    fn frequency(&self) -> u64 {
        50_000
    }
    fn idle(&mut self, until: Option<u64>) {
        let next = self.later.iter().map(|(at, _)| *at).min();
        let wake = [until, next].into_iter().flatten().min();
        let wake = wake.expect("idle for ever, with nothing that could come");
        self.pass_time(wake.saturating_sub(self.time));
    }
}

impl IrqChip for Fake {
    fn set_enabled(&mut self, line: IrqLine, on: bool) {
        self.act(line, if on { "on" } else { "off" });
    }
    fn is_pending(&mut self, line: IrqLine) -> bool {
        self.high.contains(&line)
    }
    fn clear_pending(&mut self, line: IrqLine) {
        self.act(line, "clear");
    }
    fn deactivate(&mut self, line: IrqLine) {
        self.act(line, "deactivate");
    }
}

impl InterruptController for Fake {
    fn configure(&mut self, line: IrqLine, trigger: Trigger) {
        let how = match trigger {
            Trigger::Edge => "edge",
            Trigger::Level => "level",
        };
        self.lines.push((line, how));
    }
    fn unroute(&mut self, line: IrqLine) {
        self.act(line, "unroute");
    }
    fn acknowledge(&mut self) -> Option<Interrupt> {
        self.arriving.pop_front()
    }
}

impl Translation for Fake {
    type Format = Stage2;
    type Tables = Pool;
    fn layout(&self) -> (Shape, Stage2) {
        (Shape { bits: 40, start: 1 }, Stage2 { forced: false })
    }
    fn tables(&mut self) -> &mut Pool {
        &mut self.pool
    }
    fn publish(&mut self) {}
    fn invalidate(&mut self, _: Pa, tag: Vmid) {
        self.log.push(format!("forget {}", tag.number()));
    }
    fn retire(&mut self, _: Pa, tag: Vmid) {
        self.log.push(format!("retire {}", tag.number()));
    }
}

impl Iommu for Fake {
    fn attach(&mut self, stream: Stream, domain: DomainId, _: Pa, tag: IommuDomainId) -> bool {
        let Stream { iommu, id } = stream;
        self.log
            .push(format!("attach {iommu} {id} to {domain} {}", tag.number()));
        id.0 != self.broken_stream
    }
    fn detach(&mut self, stream: Stream) {
        let Stream { iommu, id } = stream;
        self.log.push(format!("detach {iommu} {id}"));
    }
    fn release(&mut self, tag: IommuDomainId) {
        self.log.push(format!("release {}", tag.number()));
    }
}

impl Board for Fake {
    fn free_heap(&self) -> u64 {
        self.heap
    }
    fn off(&mut self) {
        self.off = true;
    }
}

impl Cpu for Fake {
    type Arch = Aarch64;
    type Vcpu = Registers;

    fn create(&mut self, id: VcpuId, _: Pa, tag: Vmid, _: u64) -> Registers {
        Registers {
            id,
            tag,
            x: [0; 31],
            pc: 0,
            due: None,
            late_error: false,
            loaded: false,
        }
    }
    fn reset(&mut self, vcpu: &mut Registers, entry: Ipa, context: u64) {
        assert!(!vcpu.loaded, "reset while loaded");
        *vcpu = self.create(vcpu.id, Pa::new(0), vcpu.tag, 0);
        vcpu.pc = entry.raw();
        vcpu.x[0] = context;
    }
    fn set_context(&mut self, vcpu: &mut Registers, context: &VcpuContext) {
        self.reset(vcpu, Ipa::new(context.pc), 0);
        vcpu.x = context.x;
    }
    fn load(&mut self, id: VcpuId, vcpu: &mut Registers) {
        assert_eq!(id, vcpu.id);
        assert!(!vcpu.loaded, "loaded twice");
        vcpu.loaded = true;
    }
    fn save(&mut self, vcpu: &mut Registers) -> bool {
        assert!(vcpu.loaded, "saved without being loaded");
        vcpu.loaded = false;
        core::mem::take(&mut vcpu.late_error)
    }
    fn enter(
        &mut self,
        vcpu: &mut Registers,
        lists: &mut Lists,
        until: Option<u64>,
    ) -> Event<Exit> {
        assert!(vcpu.loaded, "entered without being loaded");
        self.entered.push(vcpu.id);
        self.shown = lists.lr[..lists.used].to_vec();
        loop {
            let key = (vcpu.id.domain.number(), vcpu.id.index);
            // Who has nothing left to do computes for ever.
            let deed = self.deeds.get_mut(&key).and_then(|deeds| deeds.pop_front());
            match deed.unwrap_or(Deed::Compute(u64::MAX)) {
                Deed::Exit(exit) => {
                    self.pass_time(1);
                    return Event::Exit(exit);
                }
                Deed::Error => return Event::Error,
                Deed::Arm(at) => vcpu.due = Some(at),
                Deed::LateError => vcpu.late_error = true,
                Deed::Compute(ticks) => {
                    let next = self.later.iter().map(|(at, _)| *at).min();
                    let stop = [until, next].into_iter().flatten().min();
                    assert!(
                        stop.is_some() || ticks < u64::MAX,
                        "computes for ever, and nothing would stop it"
                    );
                    let left = stop.unwrap_or(u64::MAX).saturating_sub(self.time);
                    self.pass_time(left.min(ticks));
                    if ticks >= left {
                        self.arriving.push_back(Interrupt::Own);
                        return Event::Interrupt;
                    }
                }
            }
        }
    }
    fn interrupt_features(&self) -> Features {
        Features {
            list_registers: 4,
            priority_bits: 5,
        }
    }
    fn timer(&self, vcpu: &Registers) -> (bool, Option<u64>) {
        (vcpu.due.is_some_and(|due| due <= self.time), vcpu.due)
    }
    fn register(&self, vcpu: &Registers, n: u8) -> u64 {
        vcpu.x.get(usize::from(n)).copied().unwrap_or(0)
    }
    fn stage1(&mut self, va: u64, write: bool) -> Option<Ipa> {
        match self.stage1.get(&(va / PAGE_SIZE)) {
            None => Some(Ipa::new(va)),
            Some(&(to, writable)) => (writable || !write).then(|| Ipa::new(to + va % PAGE_SIZE)),
        }
    }
    fn set_register(&mut self, vcpu: &mut Registers, n: u8, value: u64) {
        if let Some(x) = vcpu.x.get_mut(usize::from(n)) {
            *x = value;
        }
    }
    fn skip(&mut self, vcpu: &mut Registers, bytes: u64) {
        vcpu.pc = vcpu.pc.wrapping_add(bytes);
    }
    fn inject(&mut self, vcpu: &mut Registers, exception: &Exception) {
        assert!(vcpu.loaded, "injected without being loaded");
        self.injected.push(*exception);
    }
    fn identify(&self, _: IdRegister) -> u64 {
        u64::MAX
    }
    fn describe(&self, vcpu: &Registers, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pc {:#x}", vcpu.pc)
    }
}

impl ConfigSpace for Fake {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.functions.config_read(at, offset, width)
    }
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.functions.config_write(at, offset, width, value);
    }
}
