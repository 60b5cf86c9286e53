//! What lies where in a domain's RAM when it starts.

use super::{Load, Placed};
use crate::addr::{Address, BLOCK_SIZE, Ipa, PAGE_SIZE, Span};
use crate::config::{ConfigError, DomainClaim, Module, ModuleKind, Modules};

/// How far above the start of RAM the tree and the RAM disk may lie, so that every kernel of the
/// last decade maps them early.
const REACH: u64 = 256 * 1024 * 1024;

/// The header of a Linux Image (Linux, Documentation/arch/arm64/booting.rst).
struct Header {
    text_offset: u64,
    image_size: u64,
    flags: u64,
}

impl Header {
    const MAGIC_AT: usize = 56;
    const MAGIC: &[u8] = b"ARM\x64";

    fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        if bytes.get(Self::MAGIC_AT..)?.first_chunk::<4>()? != Self::MAGIC {
            return None;
        }
        Some(Self {
            text_offset: word(8)?,
            image_size: word(16)?,
            flags: word(24)?,
        })
    }
}

/// Places kernel, RAM disk and tree in the first bank: the kernel where its header wants it, the
/// others at the top, in whole pages.
pub(super) fn place<'t>(
    claim: &DomainClaim<'t>,
    banks: &[Span<Ipa>],
    modules: &dyn Modules<'t>,
    partial: usize,
) -> Result<Load, ConfigError> {
    let Some(kernel) = claim.module(ModuleKind::Kernel) else {
        return Err(ConfigError::new(
            claim.origin,
            "compatible",
            "is that of a domain without a kernel",
        ));
    };
    let ramdisk = claim.module(ModuleKind::Ramdisk);
    let kib = claim.memory_kib;
    let too_small = |what: &str| {
        ConfigError::new(
            claim.origin,
            claim.names.memory,
            format_args!("is {kib} KiB, too little for {what}"),
        )
    };
    let bank = banks
        .first()
        .copied()
        .ok_or_else(|| too_small("anything"))?;

    let (offset, size) = kernel_room(kernel, modules)?;
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

/// Returns where the kernel wants to lie from the start of RAM on and how much it needs there.
fn kernel_room<'t>(
    kernel: &Module<'t>,
    modules: &dyn Modules<'t>,
) -> Result<(u64, u64), ConfigError> {
    let refuse = |what: core::fmt::Arguments<'_>| ConfigError::new(kernel.origin, "reg", what);
    let bytes = modules
        .bytes(kernel.span)
        .ok_or_else(|| super::module_claims::unreachable(kernel))?;
    let header = Header::read(bytes).ok_or_else(|| {
        refuse(format_args!(
            "names {}, which is no arm64 Image",
            kernel.span
        ))
    })?;
    if header.flags & 1 != 0 {
        return Err(refuse(format_args!(
            "names a big-endian kernel, flags {:#x}",
            header.flags
        )));
    }
    // Images of before Linux 3.17 do not say their size and mean this offset.
    let (offset, size) = match header.image_size {
        0 => (0x8_0000, kernel.span.size()),
        stated => (header.text_offset, stated.max(kernel.span.size())),
    };
    if !offset.is_multiple_of(PAGE_SIZE) || offset >= BLOCK_SIZE {
        return Err(refuse(format_args!(
            "names a kernel with the text offset {offset:#x}"
        )));
    }
    Ok((offset, size))
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
