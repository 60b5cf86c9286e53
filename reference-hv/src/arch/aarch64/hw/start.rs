//! From the start code to the flow that every architecture shares, and what that asks of the machine.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::board::Board;
use super::el2;
use super::gicv3::Gic;
use super::mmu::{self, Mmu};
use super::ram::Ram;
use super::sysreg::halt;
use super::{heap, image, pl011, smmu, timer};
use crate::addr::{Pa, Span};
use crate::arch::aarch64::gic::VIRTUAL_TIMER;
use crate::arch::aarch64::stage1::Memory;
use crate::arch::aarch64::{guest_layout, linux_image};
use crate::assign::{self, Taken};
use crate::boot::{self, Error, Platform, RamPlan};
use crate::config::{Host, HostBridge};
use crate::dt;
use crate::paging::MapError;
use crate::pci::Inventory;

/// Where QEMU's `virt` has its PL011. Used only while the tree has not told where the console is:
/// without it a bad tree, or a start at the wrong exception level, could not be reported at all.
pub const LAST_RESORT_CONSOLE: u64 = 0x0900_0000;

/// Returns where the device tree lies, as its header tells; `None` where it is no tree or not where
/// the boot protocol allows one.
pub fn tree_span(tree: u64) -> Option<Span<Pa>> {
    if tree == 0 || !tree.is_multiple_of(8) {
        return None;
    }
    let header: *const [u8; 8] = core::ptr::with_exposed_provenance(tree as usize);
    // SAFETY: The boot protocol says that x0 points at a tree in RAM; when it does not, this read is an
    // exception that the vectors report.
    let header = unsafe { header.read_volatile() };
    let size = dt::total_size(&header).ok()?;
    let span = Span::new(Pa::new(tree), size as u64).ok()?;
    (!span.overlaps(image_span())).then_some(span)
}

fn image_span() -> Span<Pa> {
    let image = image::whole();
    // The image is neither empty nor at the end of the address space.
    Span::new(Pa::new(image.start), image.end - image.start)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Opens the console of the last resort, if the real one is not known yet.
pub fn last_resort_console() {
    if pl011::undecided() {
        // SAFETY: On the one machine this address is for, it is the PL011; the first tables map it.
        unsafe { pl011::open(LAST_RESORT_CONSOLE) }
    }
}

/// Reports a start at another exception level than EL2 and halts.
// SAFETY: The name is called by boot.S alone and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn refhv_wrong_level(_tree: u64, level: u64) -> ! {
    last_resort_console();
    pl011::line(format_args!(
        "fatal: entered at EL{level}, needs EL2 (virtualization=on)"
    ));
    halt()
}

/// Takes the machine over from the start code: MMU and caches are on, nothing else is.
// SAFETY: The name is called by boot.S alone and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn refhv_start(tree: u64) -> ! {
    // SAFETY: The start code calls this function once.
    unsafe { heap::open() }
    match Early::take_over(tree).and_then(|(early, tree)| boot::start(early, tree)) {
        Ok(Some(mut hypervisor)) => loop {
            hypervisor.step();
        },
        Ok(None) => halt(),
        Err(error) => {
            last_resort_console();
            pl011::line(format_args!("fatal: {error}"));
            halt()
        }
    }
}

/// Says which part of the machine cannot be used.
fn part<E: fmt::Display>(part: &str) -> impl Fn(E) -> Error {
    move |error| Error::Platform(format!("{part}: {error}"))
}

/// The machine, as far as the start code has set it up.
struct Early {
    mmu: Mmu,
    tree: Span<Pa>,
    smmus: smmu::Found,
}

impl Early {
    /// Takes over what the start code has mapped. Returns the host tree with it, which is at `at`.
    fn take_over(at: u64) -> Result<(Self, &'static [u8]), Error> {
        let no_tables = "no memory for the first translation tables";
        let mmu = mmu::take_over().ok_or_else(|| Error::Platform(no_tables.to_string()))?;
        // The first tables map the tree only where its header is that of one.
        let mapped = Some(at).filter(|at| mmu.is_mapped(Pa::new(*at)));
        let tree = mapped.and_then(tree_span).ok_or_else(|| {
            Error::Platform(format!("no device tree at {at:#x}, where x0 points"))
        })?;
        let start = core::ptr::with_exposed_provenance(tree.first().raw() as usize);
        // SAFETY: The first tables map exactly this range, read-only; nobody writes it: it is taken out of
        // the RAM that domains get.
        let bytes = unsafe { core::slice::from_raw_parts(start, tree.size() as usize) };
        let early = Self {
            mmu,
            tree,
            smmus: Vec::new(),
        };
        Ok((early, bytes))
    }
}

impl Platform for Early {
    type Machine = Board;

    fn describe(&self) -> String {
        format!("AArch64 EL2, counter at {} Hz", timer::frequency())
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        pl011::line(text);
    }

    fn taken(&self) -> Vec<Taken> {
        let taken = |span, what| Taken { span, what };
        let own = taken(image_span(), "hypervisor");
        alloc::vec![own, taken(self.tree, "host device tree")]
    }

    fn open_console(&mut self, registers: Option<Span<Pa>>) -> Result<(), Error> {
        match registers {
            None => pl011::close(),
            Some(registers) => {
                if !self.mmu.is_mapped(registers.first()) {
                    // SAFETY: The tree says that a PL011 is there.
                    unsafe { self.mmu.map(registers, Memory::Device)? }
                }
                // SAFETY: It is mapped, and the proof gives the console to no domain.
                unsafe { pl011::open(registers.first().raw()) }
            }
        }
        Ok(())
    }

    fn block_iommus(&mut self, host: &Host<'_>) -> Result<(), Error> {
        // SAFETY: The tree says that these are SMMUs; nobody else maps their registers.
        self.smmus = unsafe { smmu::block(&mut self.mmu, host)? };
        Ok(())
    }

    fn hand_over(
        mut self,
        host: &Host<'_>,
        plan: RamPlan,
    ) -> Result<(Board, assign::Machine), Error> {
        // Their entries must mean the same to the CPU and to every SMMU, for these are the same entries.
        let mut usable = self.smmus.iter().flatten().flatten();
        let stage2 = el2::configure(usable.all(|smmu| smmu.features().forces_write_back));
        let stage2 = stage2.map_err(part("CPU"))?;
        // SAFETY: The tree says that these are the frames of the interrupt controller.
        let map = |span| unsafe { self.mmu.map(span, Memory::Device) };
        // SAFETY: As above, and the frames are mapped as they are looked at.
        let gic = unsafe { Gic::open(host.controller.shared, &host.controller.per_cpu, map) };
        let gic = gic.map_err(part("interrupt controller"))?;
        let timer = host.timer.virtual_.number();
        if timer != VIRTUAL_TIMER {
            return Err(Error::Platform(format!(
                "the virtual timer has INTID {timer}, not {VIRTUAL_TIMER}"
            )));
        }
        for window in &plan.windows {
            // SAFETY: The tree says that this is RAM; what else is mapped of it was taken out.
            unsafe { self.mmu.map(*window, Memory::Data)? }
        }
        // SAFETY: Both are RAM, just mapped, that holds nothing, and not part of the rest.
        unsafe {
            self.mmu.frames.extend(plan.frames);
            heap::set_reserve(plan.heap);
        }
        // A device behind an SMMU may read past the caches, whatever guests do.
        let coherent = stage2.format.forced && self.smmus.is_empty();
        // SAFETY: It is RAM, just mapped, without image, tree and pools, so nothing refers into
        // it; stage 2 gets only what the proof has found to be no module.
        let ram = unsafe { Ram::new(plan.rest, coherent) };
        let smmus = smmu::open(&mut self.mmu, host, self.smmus, &stage2);
        let about = assign::Machine {
            taken: plan.taken,
            pa_bits: u32::from(stage2.pa_bits),
            ipa_bits: u32::from(stage2.shape.bits),
            lines: gic.shared_lines(),
            guest: &guest_layout::GUEST,
            kernel: linux_image::room,
            streams: smmus.streams(),
            functions: Inventory::default(),
        };
        let board = Board::new(host, self.mmu, ram, gic, stage2, smmus);
        Ok((board, about))
    }

    fn open_config_space(board: &mut Board, bridge: &HostBridge) -> Result<(), MapError> {
        // SAFETY: The tree says that this is a configuration space.
        unsafe { board.ecam.open(&mut board.mmu, bridge) }
    }
}
