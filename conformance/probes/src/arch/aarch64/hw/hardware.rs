//! The machine as scripts see it.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use aarch64_cpu::registers::{CNTFRQ_EL0, ID_AA64MMFR0_EL1, Readable, TCR_EL1};
use smccc::psci::{PSCI_CPU_ON_64, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET};
use spin::{Mutex, Once};
use wire::arch::aarch64::Sysreg;
use wire::{Answer, Attr, Irq, Note, Width, arch};

use super::console::Console;
use super::{access, cpu};
use crate::arch::aarch64::board::{self, Board, CpuSide};
use crate::arch::aarch64::cpu::{Conduit, Cpu};
use crate::arch::aarch64::gic::Gic;
use crate::arch::aarch64::paging::{self, Kind, Tables};
use crate::arch::aarch64::{TIMER, ops, xen};
use crate::irq::Irqs;
use crate::machine::{Abort, Machine, Stop};

const NORMAL: u64 = 0xff;
const DEVICE_NGNRE: u64 = 0x04;

/// The end of what is mapped from the start; only higher addresses may need a new table.
const LOW: u64 = 1 << 39;

/// The most interrupts that are served at a time, so that a line that stays high cannot stop the script.
const BURST: usize = 32;

/// `sched_op` `shutdown` with the reason "crash", as Xen numbers them.
const XEN_SCHED_OP: u64 = 29;
const XEN_SHUTDOWN: u64 = 2;
static XEN_CRASHED: u32 = 3;

/// The number of tables (link/aarch64.ld).
const TABLES: usize = 16;

/// The number of CPUs, without the first, that have a stack (link/aarch64.ld).
const SECONDARIES: u32 = 3;
const STACK: u64 = 4096;

/// What the exception handlers need. It is set once, before the first note.
pub static HARDWARE: Once<Hardware> = Once::new();

/// The interrupts that the script expects.
pub static IRQS: Irqs = Irqs::new();

/// TTBR0, TCR and MAIR for CPUs that start later; read in boot.S with the MMU off.
#[expect(unsafe_code, reason = "boot.S finds it by its name")]
// SAFETY: No other symbol of the image has this name.
#[unsafe(no_mangle)]
static probe_translation: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// The address of a GICv2's CPU interface; 0 for the interface in system registers.
pub static INTERFACE: AtomicU64 = AtomicU64::new(0);
const GICC_CTLR: u64 = 0x00;
const GICC_PMR: u64 = 0x04;

/// The number of interrupts taken.
pub static TAKEN: AtomicU32 = AtomicU32::new(0);
static STARTED: AtomicU32 = AtomicU32::new(0);

/// The machine that the image runs on.
#[derive(Debug)]
pub struct Hardware {
    /// The console.
    pub console: Mutex<Console>,
    tables: Mutex<Tables<'static>>,
    /// Image, tree and ramdisk: first and last addresses.
    own: [(u64, u64); 3],
    /// Devices that the probe itself drives: first and last addresses; unused entries are empty.
    driven: [(u64, u64); 10],
    /// The instruction for PSCI calls.
    conduit: Conduit,
}

// SAFETY: boot.S and link/aarch64.ld define these: the functions with these arguments. Of the others
// only the addresses are used, except for the tables, which `translate` takes once.
unsafe extern "C" {
    fn mmu_first_enable(tables: u64, tcr: u64, mair: u64);
    fn mmu_change_types(mair: u64);
    fn secondary_start();
    static _start: u8;
    static image_end: u8;
    static secondary_stacks: u8;
    static mut tables_begin: paging::Table;
}

/// Returns the image's memory, including stacks and tables: first and last address.
pub fn image() -> (u64, u64) {
    (
        (&raw const _start).addr() as u64,
        (&raw const image_end).addr() as u64 - 1,
    )
}

fn mair(outside: Attr) -> u64 {
    let outside = match outside {
        Attr::Device => DEVICE_NGNRE,
        Attr::Normal => NORMAL,
    };
    NORMAL << (8 * Kind::Ram.index())
        | outside << (8 * Kind::Outside.index())
        | DEVICE_NGNRE << (8 * Kind::Device.index())
}

/// Makes the tables and enables translation and caches. The first CPU calls it once.
///
/// # Safety
/// The MMU is off, and nothing else has taken the tables' memory.
pub unsafe fn translate(board: &Board<'_>) -> Result<Tables<'static>, paging::Full> {
    // SAFETY: The linker script reserves that many pages for this one reference, and no other reference
    // aliases it as long as this function runs once. Any bits are valid entries.
    let pool = unsafe { core::slice::from_raw_parts_mut(&raw mut tables_begin, TABLES) };
    let base = pool.as_ptr().addr() as u64;
    let mut tables = Tables::new(pool, base)?;
    let image = image();
    let mut covered = false;
    for (first, size) in board.banks {
        if size > 0 {
            // The tree's reader returns no bank that wraps. A bank for which no table is left stays outside.
            let last = first + (size - 1);
            covered |=
                tables.map(first, last, Kind::Ram).is_ok() && first <= image.0 && image.1 <= last;
        }
    }
    if !covered {
        tables.map(image.0, image.1, Kind::Ram)?;
    }
    // 48 bits in, at most 48 bits out.
    let range = ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange).min(5);
    let tcr = TCR_EL1::T0SZ.val(16)
        + TCR_EL1::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
        + TCR_EL1::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
        + TCR_EL1::SH0::Inner
        + TCR_EL1::EPD1::DisableTTBR1Walks
        + TCR_EL1::IPS.val(range);
    let settings = [base, tcr.value, mair(Attr::Device)];
    probe_translation
        .iter()
        .zip(settings)
        .for_each(|(slot, value)| slot.store(value, Ordering::Relaxed));
    // SAFETY: The tables identity-map the image as memory, so this code and its stack stay valid.
    unsafe { mmu_first_enable(base, tcr.value, settings[2]) };
    Ok(tables)
}

impl Hardware {
    /// Makes the machine of what the start found.
    pub fn new(console: Console, tables: Tables<'static>, board: &Board<'_>, tree: &[u8]) -> Self {
        let tree = tree.as_ptr_range();
        let span = |first: u64, end: u64| {
            if first < end {
                (first, end - 1)
            } else {
                image()
            }
        };
        let ramdisk = board
            .ramdisk
            .map_or_else(image, |(first, end)| span(first, end));
        let own = [
            image(),
            span(tree.start.addr() as u64, tree.end.addr() as u64),
            ramdisk,
        ];
        let mut driven = [(1, 0); 10];
        if let (Some(uart), [first, ..]) = (board.uart, &mut driven) {
            *first = (uart.base, uart.base.saturating_add(0xfff));
        }
        if let Some(gic) = &board.gic {
            let regions = match gic.cpu {
                CpuSide::Redistributors(regions) => regions,
                CpuSide::Interface(base) => [(base, 0x1000); 8],
            };
            let regions = regions.iter().filter(|(_, size)| *size > 0);
            let regions = regions.map(|(base, size)| (*base, base.saturating_add(size - 1)));
            let distributor = (gic.distributor, gic.distributor.saturating_add(0xffff));
            let all = core::iter::once(distributor).chain(regions);
            driven
                .iter_mut()
                .skip(1)
                .zip(all)
                .for_each(|(slot, span)| *slot = span);
        }
        Self {
            console: Mutex::new(console),
            tables: Mutex::new(tables),
            own,
            driven,
            conduit: if board.smc {
                Conduit::Smc
            } else {
                Conduit::Hvc
            },
        }
    }

    /// Makes sure that stage 1 maps every byte of an access.
    fn reach(&self, at: u64, bytes: u64) -> Result<(), Abort> {
        let last = at.checked_add(bytes - 1).ok_or(Abort::Unmapped)?;
        if last < LOW {
            return Ok(());
        }
        // One table maps high addresses, so an access must be within its 512 GiB.
        if at / LOW != last / LOW {
            return Err(Abort::Unmapped);
        }
        match self.tables.lock().reach(at) {
            Ok(true) => cpu::forget_translations(),
            Ok(false) => cpu::publish_tables(),
            Err(paging::Full) => return Err(Abort::Unmapped),
        }
        Ok(())
    }

    fn touches_own(&self, at: u64, bytes: u64) -> bool {
        let last = at.saturating_add(bytes - 1);
        self.own
            .iter()
            .any(|(first, end)| *first <= last && at <= *end)
    }
}

impl Machine for Hardware {
    const TIMER: Irq = TIMER;

    type InterruptsAt = board::Gic;

    type Interrupts = Gic;

    type Abi = xen::Arm;

    fn read(&self, width: Width, at: u64) -> Result<u64, Abort> {
        self.reach(at, width.bytes())?;
        access::read(width, at)
    }

    fn write(&self, width: Width, at: u64, value: u64) -> Result<(), Abort> {
        if self.touches_own(at, width.bytes()) {
            return Err(Abort::Own);
        }
        self.reach(at, width.bytes())?;
        // SAFETY: No byte of it is the probe's, as just tested.
        unsafe { access::write(width, at, value) }
    }

    fn exec(&self, at: u64) -> Result<(), Abort> {
        if self.touches_own(at, 4) {
            return Err(Abort::Own);
        }
        self.reach(at, 4)?;
        // Instruction fetches are allowed for this call only, so that the CPU never fetches from devices
        // speculatively. Break-before-make: an entry is invalid before it changes (Arm ARM D8.16.1).
        let exchange = |change: &dyn Fn(u64) -> u64| {
            let old = self
                .tables
                .lock()
                .replace(at, change)
                .map_err(|paging::Full| Abort::Unmapped)?;
            cpu::forget_translations();
            Ok(old)
        };
        let old = exchange(&|_| 0)?;
        exchange(&|_| Tables::executable(old))?;
        let result = access::exec(at);
        exchange(&|_| 0)?;
        exchange(&|_| old)?;
        result
    }

    fn hypercall(&self, number: u64, arguments: [u64; 5]) -> Result<u64, Abort> {
        access::xen_call(number, arguments)
    }

    fn copy(&self, at: u64, bytes: &[u8]) -> Result<(), Abort> {
        let Some(last) = (bytes.len() as u64).checked_sub(1) else {
            return Ok(());
        };
        if self.touches_own(at, last + 1) {
            return Err(Abort::Own);
        }
        self.reach(at, last + 1)?;
        // SAFETY: No byte of it is the probe's, as just tested.
        unsafe { access::copy(at, bytes) }
    }

    fn treat_as_memory(&self, first: u64, last: u64) -> Result<(), Abort> {
        self.tables
            .lock()
            .map(first, last, Kind::Ram)
            .map_err(|paging::Full| Abort::Unmapped)?;
        cpu::forget_translations();
        Ok(())
    }

    fn attr(&self, attr: Attr) -> Result<(), Abort> {
        // Devices that the probe itself drives stay Device.
        for (first, last) in self.driven.into_iter().filter(|(first, last)| first < last) {
            self.tables
                .lock()
                .map(first, last, Kind::Device)
                .map_err(|paging::Full| Abort::Unmapped)?;
        }
        cpu::forget_translations();
        // SAFETY: The image is mapped as `Ram`, whose type does not change.
        unsafe { mmu_change_types(mair(attr)) };
        Ok(())
    }

    fn perform(
        &self,
        op: &arch::Op,
        interrupts: impl FnOnce() -> Result<Option<Gic>, Abort>,
    ) -> Result<Answer, Abort> {
        ops::perform(self, op, interrupts)
    }

    fn start_interrupts(&self, at: &board::Gic) -> Result<Option<Gic>, Abort> {
        Gic::start(self, at)
    }

    fn now(&self) -> u64 {
        cpu::count()
    }

    fn frequency(&self) -> u64 {
        CNTFRQ_EL0.get()
    }

    fn serve(&self) {
        for _ in 0..BURST {
            let before = TAKEN.load(Ordering::Relaxed);
            cpu::open_window();
            if TAKEN.load(Ordering::Relaxed) == before {
                break;
            }
        }
    }

    fn sleep(&self, until: u64) {
        cpu::arm_timer(until);
        cpu::wait_for_interrupt();
        self.serve();
        cpu::silence_timer();
    }

    fn own(&self) -> &[(u64, u64)] {
        &self.own
    }

    fn say(&self, note: Note) {
        self.console.lock().say(note);
    }

    fn stop(&self, how: Stop) -> ! {
        // If these calls return, their result does not matter: the probe ends here.
        match how {
            Stop::Idle => {}
            Stop::Spin => loop {
                core::hint::spin_loop();
            },
            Stop::Off => _ = access::call(self.conduit, [PSCI_SYSTEM_OFF.into(), 0, 0, 0]),
            Stop::Reset => _ = access::call(self.conduit, [PSCI_SYSTEM_RESET.into(), 0, 0, 0]),
            Stop::Crash => {
                let reason = (&raw const XEN_CRASHED).addr() as u64;
                _ = access::xen_call(XEN_SCHED_OP, [XEN_SHUTDOWN, reason, 0, 0, 0]);
            }
        }
        idle()
    }
}

impl Cpu for Hardware {
    fn call(&self, conduit: Conduit, arguments: [u64; 4]) -> Result<u64, Abort> {
        access::call(conduit, arguments)
    }

    fn mrs(&self, register: Sysreg) -> Result<u64, Abort> {
        access::mrs(register)
    }

    fn open_interrupts(&self, interface: Option<u64>) -> Result<(), Abort> {
        match interface {
            None => cpu::open_gic(),
            Some(base) => {
                self.write(Width::W32, base + GICC_PMR, 0xff)?;
                self.write(Width::W32, base + GICC_CTLR, 1)?;
                INTERFACE.store(base, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn send_sgi(&self, irq: Irq) {
        cpu::send_sgi(irq);
    }

    fn start_cpu(&self, mpidr: u64) -> Result<u64, Abort> {
        // The stack of a CPU that does not start is lost; scripts start too few CPUs for that to matter.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        if number >= SECONDARIES {
            return Err(Abort::Full);
        }
        probe_translation
            .iter()
            .for_each(|slot| cpu::clean_line((&raw const *slot).addr() as u64));
        let entry = (secondary_start as *const ()).addr() as u64;
        // Stacks grow down from here; the first one is the nearest.
        let top = (&raw const secondary_stacks).addr() as u64 - u64::from(number) * STACK;
        access::call(self.conduit, [PSCI_CPU_ON_64.into(), mpidr, entry, top])
    }
}

/// Waits for ever and takes no interrupt.
pub fn idle() -> ! {
    cpu::silence_timer();
    loop {
        cpu::wait_for_interrupt();
    }
}
