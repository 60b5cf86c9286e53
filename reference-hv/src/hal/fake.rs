//! A machine without hardware: guests do what a list says, memory is a map of pages, interrupt lines and PCI functions
//! behave as the standards say. Everything above the seam is tested on it.

use std::collections::{BTreeMap, VecDeque};
use std::string::{String, ToString};
use std::vec::Vec;

use core::fmt;

use super::*;
use crate::addr::PAGE_SIZE;
use crate::arch::tested::{self, Exception};
use crate::ids::IrqLine;

pub(crate) mod functions;
pub(crate) mod lines;
mod tables;

pub use crate::arch::tested::{Deed, Registers};
use functions::Functions;
use lines::Lines;
pub use tables::Pool;
pub(crate) use tables::one_by_one;

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
    /// The lines of its interrupt controller.
    pub chip: Lines,
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
    pub functions: Functions,
    /// Whether no configuration space can be mapped.
    pub unmapped_bridges: bool,
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
            chip: Lines::default(),
            lines: Vec::new(),
            injected: Vec::new(),
            ram: BTreeMap::new(),
            windows: vec![Span::new(Pa::new(0x8000_0000), 16 << 20).unwrap()],
            pool: Pool::new(64),
            shown: Vec::new(),
            log: Vec::new(),
            heap: 1 << 20,
            off: false,
            written_back: Vec::new(),
            stage1: BTreeMap::new(),
            broken_stream: u32::MAX,
            functions: Functions::default(),
            unmapped_bridges: false,
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

    /// Puts bytes into RAM, as a boot loader does.
    pub fn load(&mut self, at: u64, bytes: &[u8]) {
        for (byte, at) in bytes.iter().zip(at..) {
            self.set_byte(at, *byte);
        }
    }

    pub(crate) fn pass_time(&mut self, ticks: u64) {
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
    fn bytes(&self, at: Span<Pa>) -> Option<&[u8]> {
        let mut bytes = vec![0; usize::try_from(at.size()).ok()?];
        // The fake keeps pages apart, and tests are short.
        self.read(at.first(), &mut bytes).then(|| &*bytes.leak())
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

impl Translation for Fake {
    type Format = tested::Format;
    type Tables = Pool;
    fn layout(&self) -> (Shape, tested::Format) {
        (Shape { bits: 40, start: 1 }, tested::FORMAT)
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

impl ConfigSpace for Fake {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.functions.config_read(at, offset, width)
    }
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.functions.config_write(at, offset, width, value);
    }
}
