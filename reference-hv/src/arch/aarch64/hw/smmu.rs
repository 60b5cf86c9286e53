//! The registers of the SMMUs, and their part of the start. Clauses are those of Arm IHI 0070.

use alloc::string::ToString;
use alloc::vec::Vec;

use aarch64_cpu::asm::barrier::{SY, dsb};
use aarch64_cpu::registers::{Readable, VTCR_EL2};

use super::el2::Stage2;
use super::mmu::Mmu;
use super::{pl011, probe, timer};
use crate::addr::Span;
use crate::arch::aarch64::smmu::{
    AttachError, Blocked, Context, PROBED, Port, REGISTERS, Set, Smmu, Unit, Unusable,
};
use crate::arch::aarch64::stage1::Memory;
use crate::config::{Host, Iommu};
use crate::fault::{self, Fault};
use crate::ids::Stream;
use crate::paging::MapError;

/// How many times a second an SMMU whose devices do nothing but fault is listened to.
const LOOKS: u64 = 10;

/// The registers of an SMMU, at their base address.
#[derive(Debug)]
pub struct Registers(u64);

impl Port for Registers {
    fn read(&mut self, offset: u32) -> u32 {
        let at: *const u32 =
            core::ptr::with_exposed_provenance((self.0 + u64::from(offset)) as usize);
        // SAFETY: `open`'s caller vouches for a mapped SMMU of two pages of registers, and the driver names
        // no offset beyond them.
        unsafe { at.read_volatile() }
    }

    fn write(&mut self, offset: u32, value: u32) {
        let at: *mut u32 =
            core::ptr::with_exposed_provenance_mut((self.0 + u64::from(offset)) as usize);
        // SAFETY: As for `read`. The SMMU reads and writes the frames that the driver took for it, and
        // through a domain's tables what is that domain's.
        unsafe { at.write_volatile(value) }
    }

    fn write_double(&mut self, offset: u32, value: u64) {
        let at: *mut u64 =
            core::ptr::with_exposed_provenance_mut((self.0 + u64::from(offset)) as usize);
        // SAFETY: As for `write`; the registers written so are of 64 bits and aligned (6.2).
        unsafe { at.write_volatile(value) }
    }

    fn order(&mut self) {
        dsb(SY);
    }
}

/// The SMMUs of the host in the order of its tree, stopped; nothing for one that is off.
pub type Found = Vec<Option<Result<Blocked<Registers>, Unusable>>>;

/// Has every SMMU that is on stop all accesses, before anything else is done.
///
/// # Errors
/// Fails when its registers cannot be mapped.
///
/// # Safety
/// What the tree calls an SMMU must be one, with the registers where it says, not mapped yet.
pub unsafe fn block(mmu: &mut Mmu, host: &Host<'_>) -> Result<Found, MapError> {
    // SAFETY: The caller vouches for it.
    let block = |iommu| unsafe { block_one(mmu, iommu) };
    host.iommus.iter().map(block).collect()
}

/// # Safety
/// As for [`block`].
unsafe fn block_one(
    mmu: &mut Mmu,
    iommu: &Iommu,
) -> Result<Option<Result<Blocked<Registers>, Unusable>>, MapError> {
    if !iommu.active {
        return Ok(None);
    }
    let registers = iommu.spans.first().filter(|span| {
        let whole = Span::new(span.first(), REGISTERS);
        iommu.driven && whole.is_ok_and(|whole| span.covers(whole))
    });
    let Some(registers) = registers else {
        return Ok(Some(Err(Unusable::Unknown)));
    };
    // SAFETY: The caller vouches for what is there.
    unsafe { mmu.map(*registers, Memory::Device)? }
    let base = registers.first().raw();
    let answers = PROBED.iter().all(|offset| {
        // SAFETY: `map` has made it device memory, of whole registers that reading does not change (6.3.1, 6.3.28), or of
        // nothing at all; no guest has run.
        fault::on(Fault::IommuNotProbed)
            || unsafe { probe::read(base + u64::from(*offset)).is_some() }
    });
    if !answers {
        return Ok(Some(Err(Unusable::Absent)));
    }
    Ok(Some(Blocked::new(Registers(base))))
}

/// Has the SMMUs translate, with nothing to translate yet, and says of those that cannot what they lack.
pub fn open(mmu: &mut Mmu, host: &Host<'_>, found: Found, stage2: &Stage2) -> Set<Registers> {
    let context = Context {
        control: VTCR_EL2.get(),
        forced: stage2.format.forced,
    };
    let memory = host.ram.iter().map(|ram| ram.last().raw()).max();
    // Memory of all ones has as many bits as its last byte.
    let bits = u64::BITS - memory.unwrap_or(0).leading_zeros();
    let bits = u8::try_from(bits).unwrap_or(u8::MAX);
    let mut units = Vec::new();
    for (iommu, found) in host.iommus.iter().zip(found) {
        let name = host.node(iommu.id).path().to_string();
        let opened = found.map(|found| {
            found.and_then(|smmu| smmu.open(&mut mmu.frames, stage2.shape, bits, context))
        });
        units.push(match opened {
            None => None,
            Some(Ok(smmu)) => {
                log_features(&name, &smmu);
                Some(Unit::new(name, smmu, iommu.lines.clone()))
            }
            Some(Err(error)) => {
                pl011::line(format_args!(
                    "{name}: {error}; nothing behind it is given to anybody"
                ));
                None
            }
        });
    }
    let mut set = Set::new(units, timer::frequency() / LOOKS);
    if set.streams().iter().any(Option::is_some) {
        prepare(mmu, host, &mut set);
    }
    set
}

fn log_features(name: &str, smmu: &Smmu<Registers>) {
    let (streams, bits) = (smmu.count(), smmu.features().output_bits);
    pl011::line(format_args!(
        "{name}: SMMUv3, stage 2, {streams:#x} streams, {bits} bits"
    ));
}

/// Makes the entries of all streams that the tree names, so that giving one to a domain needs no memory and
/// cannot fail for the lack of it.
fn prepare(mmu: &mut Mmu, host: &Host<'_>, set: &mut Set<Registers>) {
    let known = host
        .masters
        .iter()
        .filter_map(|master| master.streams.as_ref().ok());
    let mut streams: Vec<Stream> = known.flatten().copied().collect();
    // A bus has those of all that is on it.
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        // Where it is beyond the table, or behind what cannot be used, whoever claims it is told.
        match set.prepare(&mut mmu.frames, stream) {
            Ok(()) | Err(AttachError::Range(_) | AttachError::NoSmmu) => {}
            Err(error) => pl011::line(format_args!("{}: {error}", stream.id)),
        }
    }
}
