//! A machine made up for the purpose of running scripts.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use probe::irq::Irqs;
use probe::machine::{Abort, Conduit, Machine, Stop};
use probe::run::{TIMER, handle};
use wire::{Attr, Note, Sysreg, Width};

pub const RAM: u64 = 0x4000_0000;
/// The highest RAM, as a tree would have it, and where the probe maps what is others' behind it.
pub const HIGH: (u64, u64) = (0x4100_0000, 0x1_0000);
pub const WINDOW: u64 = 0x4140_0000;
pub const GICD: u64 = 0x0300_1000;
pub const GICR: u64 = 0x0302_0000;
/// Synchronous external abort on a read, FAR valid; the same with FnV set.
pub const ESR: u64 = 0x9600_0010;
const ESR_NO_FAR: u64 = ESR | 1 << 10;

/// What answers hypercalls: number and arguments, and the memory that they point to.
pub type Xen = Box<dyn Fn(&Fake, u64, [u64; 5]) -> u64>;

/// A page of RAM, some more above, a GIC made of plain memory, one faulting page that reports no FAR, and a clock that
/// advances as it is looked at.
pub struct Fake {
    pub memory: RefCell<BTreeMap<u64, u8>>,
    pub stuck: Option<u64>,
    pub own: Vec<(u64, u64)>,
    pub clock: Cell<u64>,
    pub due: RefCell<VecDeque<u32>>,
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
        // ITLinesNumber 2: 96 interrupts. GICR_TYPER: affinity 1 first, then this CPU's, the last one.
        fake.poke(Width::W32, GICD + 4, 2);
        fake.poke(Width::W64, GICR + 8, 1 << 32);
        fake.poke(Width::W64, GICR + 0x2_0008, 1 << 4);
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
            RAM..0x4000_1000
            | 0x4100_0000..0x4101_0000
            | WINDOW..0x4141_0000
            | GICD..0x0301_1000
            | GICR..0x0306_0000 => Ok(()),
            0x5000_0000..0x5000_1000 => Err(Abort::Fault {
                esr: ESR_NO_FAR,
                far: at,
            }),
            0x6000_0000..0x6000_1000 => Err(Abort::Serror { esr: 0xbe00_0000 }),
            0x7000_0000.. => Err(Abort::Unmapped),
            _ => Err(Abort::Fault { esr: ESR, far: at }),
        }
    }
}

impl Machine for Fake {
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

    fn call(&self, conduit: Conduit, [x0, ..]: [u64; 4]) -> Result<u64, Abort> {
        match conduit {
            Conduit::Hvc => Ok(x0 + 1),
            Conduit::Smc => Err(Abort::Fault {
                esr: 0x0200_0000,
                far: 0,
            }),
        }
    }

    fn hypercall(&self, number: u64, arguments: [u64; 5]) -> Result<u64, Abort> {
        match &self.xen {
            Some(xen) => Ok(xen(self, number, arguments)),
            None => Err(Abort::Fault { esr: 0, far: 0 }),
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

    fn mrs(&self, _: Sysreg) -> Result<u64, Abort> {
        Ok(0x8000_0000)
    }

    fn attr(&self, _: Attr) -> Result<(), Abort> {
        Ok(())
    }

    fn now(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    fn frequency(&self) -> u64 {
        1_000_000
    }

    fn open_interrupts(&self, interface: Option<u64>) -> Result<(), Abort> {
        self.interface.set(interface);
        Ok(())
    }

    fn send_sgi(&self, intid: u32) {
        self.due.borrow_mut().push_back(intid);
    }

    fn serve(&self) {
        while let Some(intid) = self.due.borrow_mut().pop_front() {
            handle(self, &self.irqs, intid);
        }
    }

    fn sleep(&self, until: u64) {
        if self.due.borrow().is_empty() {
            self.clock.set(self.clock.get().max(until));
            self.due.borrow_mut().push_back(TIMER);
        }
        self.serve();
    }

    fn start_cpu(&self, _: Conduit, mpidr: u64) -> Result<u64, Abort> {
        match mpidr {
            1 => Ok(0),
            2 => Ok(-2i64 as u64),
            _ => Err(Abort::Full),
        }
    }

    fn own(&self) -> &[(u64, u64)] {
        &self.own
    }

    fn say(&self, note: Note) {
        self.notes.borrow_mut().push(note);
    }

    fn stop(&self, _: Conduit, how: Stop) -> ! {
        self.ended.set(Some(how));
        panic!("the machine stopped")
    }
}
