//! From the start code to the first domain.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::board::{Board, Private};
use super::ecam::Ecam;
use super::el2::{self, CpuError};
use super::gicv3::{Gic, GicError};
use super::mmu::{self, Mmu};
use super::ram::Ram;
use super::sysreg::halt;
use super::{heap, image, pl011, smmu, timer};
use crate::addr::{PAGE_SIZE, Pa, Span};
use crate::arch::aarch64::gic::VIRTUAL_TIMER;
use crate::arch::aarch64::stage1::Memory;
use crate::arch::aarch64::{Aarch64, guest_layout, linux_image};
use crate::assign::{self, Taken};
use crate::config::{DomainRequest, Host, HostBridge, HostError, Modules, Owner, domain_requests};
use crate::dt::{self, Blob, DtError};
#[cfg(feature = "seeded-faults")]
use crate::fault;
use crate::paging::MapError;

use crate::pci::{Function, Inventory, Kind, quiesce};
use crate::span_set;
use crate::vm::{self, Guest, Hypervisor};

/// Where QEMU's `virt` has its PL011. Used only while the tree has not told where the console is:
/// without it a bad tree, or a start at the wrong exception level, could not be reported at all.
pub const LAST_RESORT_CONSOLE: u64 = 0x0900_0000;

/// Part of RAM that each of the heap and the pool of table frames gets, and the bounds of that.
const POOL_SHARE: u64 = 64;
const POOL_BOUNDS: (u64, u64) = (512 << 10, 32 << 20);

/// Returns where the device tree lies, as its header tells; `None` where it is no tree or not where
/// the boot protocol allows one.
pub fn tree_range(tree: u64) -> Option<Range<u64>> {
    if tree == 0 || !tree.is_multiple_of(8) {
        return None;
    }
    let header: *const [u8; 8] = core::ptr::with_exposed_provenance(tree as usize);
    // SAFETY: The boot protocol says that x0 points at a tree in RAM; when it does not, this read is an
    // exception that the vectors report.
    let header = unsafe { header.read_volatile() };
    let size = dt::total_size(&header).ok()?;
    let range = tree..tree.checked_add(size as u64)?;
    let image = image::whole();
    (range.end <= image.start || image.end <= range.start).then_some(range)
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
    match start(tree) {
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

/// Why there is nothing to run.
enum StartError<'t> {
    NoTables,
    NoTree(u64),
    Tree(DtError<'t>),
    Host(HostError),
    Cpu(CpuError),
    Map(MapError),
    Gic(GicError),
    Timer(u32),
    NoRoom(u64),
    #[cfg(feature = "seeded-faults")]
    Fault(&'t str),
}

impl fmt::Display for StartError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTables => f.write_str("no memory for the first translation tables"),
            Self::NoTree(at) => write!(f, "no device tree at {at:#x}, where x0 points"),
            Self::Tree(error) => write!(f, "host device tree: {error}"),
            Self::Host(error) => error.fmt(f),
            Self::Cpu(error) => write!(f, "CPU: {error}"),
            Self::Map(error) => write!(f, "address space of the hypervisor: {error}"),
            Self::Gic(error) => write!(f, "interrupt controller: {error}"),
            Self::Timer(line) => {
                write!(f, "the virtual timer has INTID {line}, not {VIRTUAL_TIMER}")
            }
            Self::NoRoom(size) => write!(f, "no room in RAM for a pool of {size:#x} bytes"),
            #[cfg(feature = "seeded-faults")]
            Self::Fault(name) => write!(f, "no seeded fault is called {name}"),
        }
    }
}

macro_rules! from {
    ($($error:ty => $variant:ident),+) => {
        $(impl From<$error> for StartError<'_> {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from!(HostError => Host, CpuError => Cpu, MapError => Map, GicError => Gic);

/// Gets as far as the first domain; `None` when that was not what the arguments ask for.
fn start(at: u64) -> Result<Option<Hypervisor<Board>>, StartError<'static>> {
    let mut mmu = mmu::take_over().ok_or(StartError::NoTables)?;
    // The first tables map the tree only where its header is that of one.
    let tree = Some(at).filter(|at| mmu.is_mapped(Pa::new(*at)));
    let tree = tree.and_then(tree_bytes).ok_or(StartError::NoTree(at))?;
    let blob = Blob::new(tree).map_err(StartError::Tree)?;
    let host = Host::read(blob)?;
    open_console(&mut mmu, &host)?;
    let (version, hertz) = (env!("CARGO_PKG_VERSION"), timer::frequency());
    pl011::line(format_args!(
        "refhv {version}, AArch64 EL2, counter at {hertz} Hz"
    ));
    for warning in host.warnings.clone().into_lines() {
        pl011::line(format_args!("{warning}"));
    }
    let Some(mut host) = select_fault(blob, host)? else {
        return Ok(None);
    };

    // SAFETY: The tree says that these are SMMUs; nobody else maps their registers.
    let smmus = unsafe { smmu::block(&mut mmu, &host)? };
    // Their entries must mean the same to the CPU and to every SMMU, for these are the same entries.
    let mut usable = smmus.iter().flatten().flatten();
    let stage2 = el2::configure(usable.all(|smmu| smmu.features().forces_write_back))?;
    let gic = open_gic(&mut mmu, &host)?;
    if host.timer.virtual_.number() != VIRTUAL_TIMER {
        return Err(StartError::Timer(host.timer.virtual_.number()));
    }
    let private = Private {
        alarm: host.timer.hypervisor.number(),
        maintenance: host.gic.maintenance.map(|line| line.number()),
    };

    let mut taken = alloc::vec![
        Taken {
            span: span(image::whole()),
            what: "hypervisor"
        },
        Taken {
            span: Span::new(Pa::new(at), tree.len() as u64).map_err(|_| StartError::NoTree(at))?,
            what: "host device tree"
        },
    ];
    // A device behind an SMMU may read past the caches, whatever guests do.
    let cached = stage2.format.forced && smmus.is_empty();
    let requests = domain_requests(&host);
    let ram = open_ram(&mut mmu, &host, &requests, &mut taken, cached)?;
    let smmus = smmu::open(&mut mmu, &host, smmus, &stage2);
    // SAFETY: The tree says that these are configuration spaces.
    let mut ecam = unsafe { Ecam::open(&mut mmu, &mut host) };
    let functions = discover(&host, &requests, &mut ecam);
    let machine = assign::Machine {
        taken,
        pa_bits: u32::from(stage2.pa_bits),
        ipa_bits: u32::from(stage2.shape.bits),
        lines: gic.shared_lines(),
        guest: &guest_layout::GUEST,
        kernel: linux_image::room,
        streams: smmus.streams(),
        functions,
    };
    let mut board = Board::new(mmu, ram, gic, private, stage2, smmus, ecam);
    for iommu in host.iommus.iter().filter(|iommu| iommu.active) {
        board.listen(&host.interrupts(iommu.id).unwrap_or_default().lines);
    }
    // What is claimed later is judged by what the tree says, so that stays.
    Ok(Some(populate(board, Box::leak(Box::new(host)), &machine)))
}

/// Finds the PCI functions, unless a hardware domain is to do that, and switches off what belongs to nobody yet.
/// `pci-scan=on` and `pci-scan=off` say it otherwise.
fn discover(host: &Host<'_>, requests: &[DomainRequest<'_>], ecam: &mut Ecam) -> Inventory {
    let is_hardware = |requests: &DomainRequest<'_>| matches!(&requests.claim, Ok(claim) if claim.privilege.hardware);
    let wanted = match host.argument("pci-scan") {
        Some("on") => true,
        Some("off") => false,
        Some(other) => {
            pl011::line(format_args!("pci-scan={other} is neither on nor off; off"));
            false
        }
        None => !requests.iter().any(is_hardware),
    };
    let segments: Vec<_> = host.bridges.iter().map(HostBridge::as_segment).collect();
    if !wanted {
        return Inventory::empty(segments);
    }
    let mut warnings = |warning| pl011::line(format_args!("{warning}"));
    let mut found = Inventory::scan(ecam, &segments, &mut warnings);
    found.isolate(ecam, &mut warnings);
    for function in found.functions() {
        let Function {
            at,
            vendor,
            device,
            class,
            ..
        } = function;
        let described = assign::described(host, function);
        match described.map(|id| host.node(id).path()) {
            Some(path) => pl011::line(format_args!(
                "PCI {at} {vendor:04x}:{device:04x} class {class:06x}, which is {path}"
            )),
            None => pl011::line(format_args!(
                "PCI {at} {vendor:04x}:{device:04x} class {class:06x}"
            )),
        }
        if described.is_none() && function.kind == Kind::Endpoint {
            quiesce(ecam, function);
        }
    }
    found
}

/// Proves what the trees claim and makes the domains.
fn populate(
    board: Board,
    host: &'static Host<'static>,
    machine: &assign::Machine,
) -> Hypervisor<Board> {
    let (assignment, resources) = assign::prove(host, &Loaded(&board.ram), machine);
    for warning in assignment.warnings() {
        pl011::line(format_args!("{warning}"));
    }
    for refusal in assignment.refusals() {
        pl011::line(format_args!("{refusal}"));
    }
    let mut refused = assignment.refusals().len();
    let mut made = 0;
    let mut hypervisor = Hypervisor::new(board, resources);
    for (plan, before) in assignment.domains().iter().zip(0..) {
        let plan = &*vm::with_injected_mappings(plan, &assignment.domains()[..before], host);
        let tree = Aarch64::describe(plan, host, &Loaded(&hypervisor.machine().ram));
        let done = match tree {
            Ok(tree) => hypervisor.create(plan, &tree),
            Err(error) => Err(hypervisor.give_up(plan, error)),
        };
        match done {
            Ok(()) => made += 1,
            Err(refusal) => {
                refused += 1;
                pl011::line(format_args!("{refusal}"));
            }
        }
    }
    pl011::line(format_args!("{made} domains, {refused} refused"));
    hypervisor
}

/// The RAM as the reader of modules sees it.
struct Loaded<'t>(&'t Ram);

impl<'t> Modules<'t> for Loaded<'t> {
    fn bytes(&self, at: Span<Pa>) -> Option<&'t [u8]> {
        self.0.bytes(at)
    }
}

fn span(range: Range<u64>) -> Span<Pa> {
    // Ranges of the image are neither empty nor at the end of the address space.
    Span::new(Pa::new(range.start), range.end - range.start)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn tree_bytes(at: u64) -> Option<&'static [u8]> {
    let range = tree_range(at)?;
    let start = core::ptr::with_exposed_provenance(range.start as usize);
    // SAFETY: The first tables map exactly this range, read-only; nobody writes it: it is taken out of
    // the RAM that domains get.
    Some(unsafe { core::slice::from_raw_parts(start, (range.end - range.start) as usize) })
}

/// Opens the console that the tree names; `console=none` leaves it alone.
fn open_console(mmu: &mut Mmu, host: &Host<'_>) -> Result<(), MapError> {
    let wanted = host.argument("console") != Some("none");
    match host.console.as_ref().filter(|_| wanted) {
        None => pl011::close(),
        Some(console) => {
            if !mmu.is_mapped(console.span.first()) {
                // SAFETY: The tree says that a PL011 is there.
                unsafe { mmu.map(console.span, Memory::Device)? }
            }
            // SAFETY: It is mapped, and the proof gives the console to no domain.
            unsafe { pl011::open(console.span.first().raw()) }
        }
    }
    Ok(())
}

fn open_gic(mmu: &mut Mmu, host: &Host<'_>) -> Result<Gic, StartError<'static>> {
    // SAFETY: The tree says that these are the frames of the interrupt controller.
    let map = |span| unsafe { mmu.map(span, Memory::Device) };
    // SAFETY: As above, and the frames are mapped as they are looked at.
    Ok(unsafe { Gic::open(host.gic.distributor, &host.gic.redistributors, map)? })
}

/// Maps the RAM that is not in use, and cuts the heap and the pool of table frames from it.
fn open_ram(
    mmu: &mut Mmu,
    host: &Host<'_>,
    requests: &[DomainRequest<'_>],
    taken: &mut Vec<Taken>,
    coherent: bool,
) -> Result<Ram, StartError<'static>> {
    let reserved = host
        .regions
        .iter()
        .filter(|region| region.owner != Owner::Memory);
    let holes: Vec<_> = taken
        .iter()
        .map(|taken| taken.span)
        .chain(reserved.map(|region| region.span))
        .collect();
    let windows = span_set::without(&host.ram, &holes);
    for window in &windows {
        // SAFETY: The tree says that this is RAM; what else is mapped of it was taken out.
        unsafe { mmu.map(*window, Memory::Data)? }
    }

    let size: u64 = windows.iter().map(|window| window.size()).sum();
    let (least, most) = POOL_BOUNDS;
    let pool = (size / POOL_SHARE / PAGE_SIZE * PAGE_SIZE).clamp(least, most);
    let (modules, named) = in_use(requests);
    let free = span_set::without(&windows, &modules);
    // Who names all there is as its RAM is refused for that, but does not keep the others from running.
    let room = span_set::room(&span_set::without(&free, &named), 2 * pool)
        .or_else(|| span_set::room(&free, 2 * pool))
        .ok_or(StartError::NoRoom(2 * pool))?;
    // Frames come first: what is used of them then lies close to the image.
    let (Ok(frames), Ok(heap)) = (
        Span::new(room.first(), pool),
        Span::new(Pa::new(room.first().raw() + pool), room.size() - pool),
    ) else {
        return Err(StartError::NoRoom(2 * pool));
    };
    // SAFETY: Both are mapped RAM that holds nothing; they are taken out of the windows below.
    unsafe {
        mmu.frames.extend(frames);
        heap::set_reserve(heap);
    }
    taken.push(Taken {
        span: room,
        what: "hypervisor",
    });
    // SAFETY: The windows are RAM, just mapped, without image, tree and pools, so nothing refers into
    // them; stage 2 gets only what the proof has found to be no module.
    Ok(unsafe { Ram::new(span_set::without(&windows, &[room]), coherent) })
}

/// Returns where modules were loaded, and what domains name as their RAM, as far as that can be read.
fn in_use(requests: &[DomainRequest<'_>]) -> (Vec<Span<Pa>>, Vec<Span<Pa>>) {
    let (mut modules, mut named) = (Vec::new(), Vec::new());
    for requests in requests {
        named.extend(&requests.reserved);
        let claimed = requests.claim.iter().flat_map(|claim| &claim.modules);
        modules.extend(claimed.map(|module| module.span));
    }
    (modules, named)
}

/// Makes the decision wrong that `fault=` names. Returns nothing when it only asked for the list.
#[cfg(feature = "seeded-faults")]
fn select_fault(
    blob: Blob<'static>,
    host: Host<'static>,
) -> Result<Option<Host<'static>>, StartError<'static>> {
    match host.argument("fault") {
        None => Ok(Some(host)),
        Some("list") => {
            for entry in fault::ALL {
                pl011::line(format_args!(
                    "fault {} {} {}",
                    entry.name, entry.requirement, entry.text
                ));
            }
            pl011::line(format_args!("faults end"));
            Ok(None)
        }
        Some(name) => match fault::select(name) {
            Ok(_) => {
                pl011::line(format_args!("fault {name} is seeded"));
                // Some decisions fall while the tree is read, which was before anybody knew of the fault.
                Ok(Some(Host::read(blob)?))
            }
            Err(_) => Err(StartError::Fault(name)),
        },
    }
}

#[cfg(not(feature = "seeded-faults"))]
fn select_fault(
    _: Blob<'static>,
    host: Host<'static>,
) -> Result<Option<Host<'static>>, StartError<'static>> {
    Ok(Some(host))
}
