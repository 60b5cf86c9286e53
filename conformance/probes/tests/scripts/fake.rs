//! A fake machine for scripts.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use probe::irq::Irqs;
use probe::machine::{Abort, Machine, Stop};
use probe::run::handle;
use wire::{Answer, Attr, Irq, Note, Width};

use crate::arch::{self, Interrupts, InterruptsAt};

pub const RAM: u64 = 0x4000_0000;
/// The highest RAM bank of the tree (address and size), and the address after it where the probe maps foreign pages.
pub const HIGH: (u64, u64) = (0x4100_0000, 0x1_0000);
pub const WINDOW: u64 = 0x4140_0000;

/// Answers hypercalls, given number and arguments, and the memory that they point to.
pub type Xen = Box<dyn Fn(&Fake, u64, [u64; 5]) -> u64>;

/// A machine with a page of RAM, some more above, an interrupt controller in plain memory, one page whose faults
/// report no address, and a clock that advances with each read.
pub struct Fake {
    pub memory: RefCell<BTreeMap<u64, u8>>,
    pub stuck: Option<u64>,
    pub own: Vec<(u64, u64)>,
    pub clock: Cell<u64>,
    pub due: RefCell<VecDeque<Irq>>,
    pub irqs: Irqs,
    pub notes: RefCell<Vec<Note>>,
    pub ended: Cell<Option<Stop>>,
    pub interface: Cell<Option<u64>>,
    pub xen: Option<Xen>,
    pub treated_as_memory: RefCell<Vec<(u64, u64)>>,
}

impl Fake {
    pub fn new() -> Self {
        let fake = Self {
            memory: RefCell::default(),
            stuck: None,
            own: vec![(RAM + 0x100, RAM + 0x1ff)],
            clock: Cell::new(0),
            due: RefCell::default(),
            irqs: Irqs::new(),
            notes: RefCell::default(),
            ended: Cell::new(None),
            interface: Cell::new(None),
            xen: None,
            treated_as_memory: RefCell::default(),
        };
        arch::prepare(&fake);
        fake
    }

    pub fn poke(&self, width: Width, at: u64, value: u64) {
        let mut memory = self.memory.borrow_mut();
        (at..)
            .zip(value.to_le_bytes())
            .take(width.bytes() as usize)
            .for_each(|(at, byte)| {
                memory.insert(at, byte);
            });
    }

    pub fn peek(&self, width: Width, at: u64) -> u64 {
        let memory = self.memory.borrow();
        let byte = |at| u64::from(memory.get(&at).copied().unwrap_or(0));
        (0..width.bytes())
            .map(|offset| byte(at + offset) << (8 * offset))
            .sum()
    }

    fn check(at: u64) -> Result<(), Abort> {
        match at {
            RAM..0x4000_1000 | 0x4100_0000..0x4101_0000 | WINDOW..0x4141_0000 => Ok(()),
            at if arch::is_controller(at) => Ok(()),
            0x5000_0000..0x5000_1000 => Err(Abort::Fault(arch::without_address())),
            0x6000_0000..0x6000_1000 => Err(Abort::Fault(arch::asynchronous())),
            0x7000_0000.. => Err(Abort::Unmapped),
            _ => Err(Abort::Fault(arch::external(at))),
        }
    }
}

impl Machine for Fake {
    const TIMER: Irq = arch::TIMER;

    type InterruptsAt = InterruptsAt;

    type Interrupts = Interrupts;

    type Abi = arch::Abi;

    fn read(&self, width: Width, at: u64) -> Result<u64, Abort> {
        Self::check(at)?;
        Ok(self.peek(width, at))
    }

    fn write(&self, width: Width, at: u64, value: u64) -> Result<(), Abort> {
        if self
            .own
            .iter()
            .any(|(first, last)| *first < at + width.bytes() && at <= *last)
        {
            return Err(Abort::Own);
        }
        Self::check(at)?;
        if self.stuck != Some(at) {
            self.poke(width, at, value);
        }
        Ok(())
    }

    fn exec(&self, at: u64) -> Result<(), Abort> {
        Self::check(at)
    }

    fn hypercall(&self, number: u64, arguments: [u64; 5]) -> Result<u64, Abort> {
        match &self.xen {
            Some(xen) => Ok(xen(self, number, arguments)),
            None => Err(Abort::Fault(arch::undefined())),
        }
    }

    fn copy(&self, at: u64, bytes: &[u8]) -> Result<(), Abort> {
        (at..)
            .zip(bytes)
            .try_for_each(|(at, byte)| self.write(Width::W8, at, u64::from(*byte)))
    }

    fn treat_as_memory(&self, first: u64, last: u64) -> Result<(), Abort> {
        self.treated_as_memory.borrow_mut().push((first, last));
        Ok(())
    }

    fn attr(&self, _: Attr) -> Result<(), Abort> {
        Ok(())
    }

    fn perform(
        &self,
        op: &wire::arch::Op,
        interrupts: impl FnOnce() -> Result<Option<Interrupts>, Abort>,
    ) -> Result<Answer, Abort> {
        arch::perform(self, op, interrupts)
    }

    fn start_interrupts(&self, at: &InterruptsAt) -> Result<Option<Interrupts>, Abort> {
        Interrupts::start(self, at)
    }

    fn now(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    fn frequency(&self) -> u64 {
        1_000_000
    }

    fn serve(&self) {
        while let Some(irq) = self.due.borrow_mut().pop_front() {
            handle(self, &self.irqs, irq);
        }
    }

    fn sleep(&self, until: u64) {
        if self.due.borrow().is_empty() {
            self.clock.set(self.clock.get().max(until));
            self.due.borrow_mut().push_back(Self::TIMER);
        }
        self.serve();
    }

    fn own(&self) -> &[(u64, u64)] {
        &self.own
    }

    fn say(&self, note: Note) {
        self.notes.borrow_mut().push(note);
    }

    fn stop(&self, how: Stop) -> ! {
        self.ended.set(Some(how));
        panic!("the machine stopped")
    }
}
