//! What lies where in a domain's RAM when it starts.

use super::{ClaimError, ClaimFlaw, Load, Machine, Placed};
use crate::addr::{Address, BLOCK_SIZE, Ipa, PAGE_SIZE, Span};
use crate::config::{DomainClaim, Module, ModuleKind, Modules};

/// How far above the start of RAM the tree and the RAM disk may lie, so that every kernel of the
/// last decade maps them early.
const REACH: u64 = 256 * 1024 * 1024;

/// What a kernel says of where it wants to lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelRoom {
    /// Bytes from a multiple of 2 MiB on to its own start; less than 2 MiB, and whole pages.
    pub offset: u64,
    /// Bytes that it needs from there on.
    pub size: u64,
}

/// Why a kernel cannot be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KernelError {
    /// It has not the format that it should have.
    NoImage(&'static str),
    /// It says something of itself, with this value, that is not supported.
    Unsupported(&'static str, u64),
}

/// Places kernel, RAM disk and tree in the first bank: the kernel where its header wants it, the
/// others at the top, in whole pages.
pub(super) fn place<'t>(
    claim: &DomainClaim<'t>,
    banks: &[Span<Ipa>],
    modules: &dyn Modules<'t>,
    machine: &Machine,
    partial: usize,
) -> Result<Load, ClaimError<'t>> {
    let Some(kernel) = claim.module(ModuleKind::Kernel) else {
        return Err(ClaimFlaw::NoKernel.at(claim.origin, "compatible"));
    };
    let ramdisk = claim.module(ModuleKind::Ramdisk);
    let kib = claim.memory_kib;
    let too_small = |what| ClaimFlaw::TooLittle(kib, what).at(claim.origin, claim.names.memory);
    let bank = banks
        .first()
        .copied()
        .ok_or_else(|| too_small("anything"))?;

    let KernelRoom { offset, size } = kernel_room(kernel, modules, machine)?;
    // From a multiple of 2 MiB on, wherever RAM begins.
    let base = bank.first().raw().checked_next_multiple_of(BLOCK_SIZE);
    let start = base.and_then(|base| Ipa::new(base).checked_add(offset));
    let kernel_span = start
        .and_then(|start| Span::new(start, size).ok())
        .filter(|span| bank.covers(*span))
        .ok_or_else(|| too_small("the kernel"))?;

    let mut top = bank.first().raw() + bank.size().min(REACH);
    let mut below = |bytes: u64| {
        let base = top.checked_sub(bytes)? / PAGE_SIZE * PAGE_SIZE;
        let span = Span::new(Ipa::new(base), bytes).ok()?;
        top = base;
        (base > kernel_span.last().raw()).then_some(span)
    };
    let tree =
        below(tree_room(claim, partial)).ok_or_else(|| too_small("kernel and device tree"))?;
    let ramdisk = match ramdisk {
        None => None,
        Some(module) => {
            let span = below(module.span.size())
                .ok_or_else(|| too_small("kernel, device tree and RAM disk"))?;
            Some(Placed {
                from: module.span,
                to: span.first(),
            })
        }
    };
    Ok(Load {
        kernel: Placed {
            from: kernel.span,
            to: kernel_span.first(),
        },
        ramdisk,
        tree,
    })
}

/// Returns where the kernel wants to lie, as its own header says.
fn kernel_room<'t>(
    kernel: &Module<'t>,
    modules: &dyn Modules<'t>,
    machine: &Machine,
) -> Result<KernelRoom, ClaimError<'t>> {
    let bytes = modules
        .bytes(kernel.span)
        .ok_or_else(|| super::module_claims::unreachable(kernel))?;
    (machine.kernel)(bytes, kernel.span.size()).map_err(|error| {
        let flaw = match error {
            KernelError::NoImage(format) => ClaimFlaw::NoImage(kernel.span, format),
            KernelError::Unsupported(what, value) => ClaimFlaw::KernelUnsupported(what, value),
        };
        flaw.at(kernel.origin, "reg")
    })
}

/// Returns how much room the domain's tree gets: what may come from a partial tree of `partial`
/// bytes, and more than what the hypervisor adds. The figures are those of readable trees, so none
/// of this can wrap.
fn tree_room(claim: &DomainClaim<'_>, partial: usize) -> u64 {
    let arguments = claim
        .module(ModuleKind::Kernel)
        .and_then(|kernel| kernel.arguments);
    let bytes = partial + arguments.map_or(0, str::len);
    let cpus = u64::from(claim.cpus) * 256;
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX / 2);
    (bytes + cpus + 2 * PAGE_SIZE).next_multiple_of(PAGE_SIZE)
}
