//! Reads the trace and the event queue of an SMMUv3. Clauses are those of Arm IHI 0070.

mod queue;
mod trace;

use crate::iommu::queue::{Read, Ring};
use crate::iommu::trace::Lines;
use crate::iommu::{Access, Model, Reason};

/// Every event that the architecture names (7.3).
const NAMED: [Reason; 18] = [
    Reason::new(0x01, Some("F_UUT")),
    Reason::new(0x02, Some("C_BAD_STREAMID")),
    Reason::new(0x03, Some("F_STE_FETCH")),
    Reason::new(0x04, Some("C_BAD_STE")),
    Reason::new(0x05, Some("F_BAD_ATS_TREQ")),
    Reason::new(0x06, Some("F_STREAM_DISABLED")),
    Reason::new(0x07, Some("F_TRANSL_FORBIDDEN")),
    Reason::new(0x08, Some("C_BAD_SUBSTREAMID")),
    Reason::new(0x09, Some("F_CD_FETCH")),
    Reason::new(0x0a, Some("C_BAD_CD")),
    Reason::new(0x0b, Some("F_WALK_EABT")),
    Reason::new(0x10, Some("F_TRANSLATION")),
    Reason::new(0x11, Some("F_ADDR_SIZE")),
    Reason::new(0x12, Some("F_ACCESS")),
    Reason::new(0x13, Some("F_PERMISSION")),
    Reason::new(0x20, Some("F_TLB_CONFLICT")),
    Reason::new(0x21, Some("F_CFG_CONFLICT")),
    Reason::new(0x24, Some("E_PAGE_REQUEST")),
];

/// Arm's SMMUv3, as QEMU has it.
#[derive(Debug)]
pub struct Smmuv3;

impl Model for Smmuv3 {
    fn described_as(&self, compatible: &[&str]) -> bool {
        compatible.contains(&"arm,smmu-v3")
    }

    fn reasons(&self) -> &'static [Reason] {
        &NAMED
    }

    fn trace_events(&self) -> &'static [&'static str] {
        &trace::EVENTS
    }

    fn trace(&self) -> Box<dyn Lines> {
        Box::new(trace::Reading::default())
    }

    fn ring(&self, registers: u64, read: &mut Read<'_>) -> Result<Ring, String> {
        queue::ring(registers, read)
    }

    fn record_bytes(&self) -> usize {
        queue::RECORD
    }

    fn decode(&self, record: &[u8]) -> Option<Access> {
        queue::decode(record)
    }
}

/// Returns the reason of this name.
fn named(name: &str) -> Option<Reason> {
    NAMED.into_iter().find(|reason| reason.name() == Some(name))
}

/// Returns the reason with this number, by its name if it has one.
fn named_by(number: u8) -> Reason {
    let known = NAMED.into_iter().find(|reason| reason.number() == number);
    known.unwrap_or(Reason::new(number, None))
}

/// Tells whether the record of an event has the address of the access and its direction (7.3.12 to 7.3.16, 7.3.8).
const fn tells_access(number: u8) -> bool {
    matches!(number, 0x07 | 0x0b | 0x10..=0x13)
}
