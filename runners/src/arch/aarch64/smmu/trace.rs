//! Reads QEMU's trace of its SMMUv3.

use std::collections::VecDeque;

use super::named;
use crate::iommu::trace::Lines;
use crate::iommu::{Access, AccessFate, Reason};

/// The events that QEMU traces. A fault with its reason is not among them: QEMU logs it as a guest error, with the
/// address that the event record in the trace lacks.
pub const EVENTS: [&str; 5] = [
    "smmuv3_record_event",
    "smmuv3_translate_abort",
    "smmuv3_translate_bypass",
    "smmuv3_translate_disable",
    "smmuv3_translate_success",
];

/// Size of a page in bytes.
const PAGE: u64 = 0x1000;

/// The state of a trace that is being read.
#[derive(Debug, Default)]
pub struct Reading {
    /// The last guest error about a fault: address and reason. If the fault is recorded, the next line says so.
    fault: Option<(u64, Option<Reason>)>,
}

impl Lines for Reading {
    fn line(&mut self, line: &str, settled: &mut VecDeque<Access>) -> bool {
        if let Some(fault) = fault(line) {
            self.end(settled);
            self.fault = Some(fault);
            return true;
        }
        let told = if let Some((reason, stream)) = recorded(line) {
            let paired = self.fault.take_if(|(_, known)| *known == Some(reason));
            Access {
                stream: Some(stream),
                fate: AccessFate::Recorded(reason),
                address: paired.map(|(address, _)| address),
                write: None,
            }
        } else if let Some(access) = passed(line) {
            access
        } else {
            return !EVENTS.iter().any(|event| line.contains(event));
        };
        self.end(settled);
        settled.push_back(told);
        true
    }

    /// Reports the last fault as not recorded.
    fn end(&mut self, settled: &mut VecDeque<Access>) {
        settled.extend(self.fault.take().map(|(address, reason)| Access {
            stream: None,
            fate: AccessFate::Unrecorded(reason),
            address: Some(address),
            write: None,
        }));
    }
}

/// Reads `<region> translation failed for iova=<address> (<reason>)`. Where nothing is to be recorded, QEMU gives no
/// reason.
fn fault(line: &str) -> Option<(u64, Option<Reason>)> {
    let (_, rest) = line.split_once(" translation failed for iova=")?;
    let (address, rest) = rest.trim_end().split_once(" (")?;
    Some((hex(address)?, reason(rest.strip_suffix(')')?)))
}

/// Reads `smmuv3_record_event <reason> sid=<stream>`.
fn recorded(line: &str) -> Option<(Reason, u32)> {
    let (_, rest) = line.split_once("smmuv3_record_event ")?;
    let (name, rest) = rest.split_once(' ')?;
    Some((reason(name)?, stream(rest)?))
}

/// Reads the lines about accesses that were let through or aborted without a reason: `smmuv3_translate_<fate> <region>
/// sid=<stream> ... iova=<address> ...`.
fn passed(line: &str) -> Option<Access> {
    let (_, rest) = line.split_once("smmuv3_translate_")?;
    let (fate, rest) = rest.split_once(' ')?;
    let address = hex(after(rest, &["iova=", "iova:"])?)?;
    let (fate, address) = match fate {
        "abort" => (AccessFate::Aborted, address),
        "bypass" | "disable" => (AccessFate::Bypassed, address),
        "success" => {
            let to = hex(after(rest, &["translated="])?)?;
            // Only the page counts: otherwise each word of a long transfer would be another access.
            (
                AccessFate::Translated(to & !(PAGE - 1)),
                address & !(PAGE - 1),
            )
        }
        _ => return None,
    };
    Some(Access {
        stream: Some(stream(rest)?),
        fate,
        address: Some(address),
        // QEMU's `is_write` is 1 for anything that is permitted, and 0 for an abort, so it says nothing.
        write: None,
    })
}

/// Finds the word that begins with one of these, and returns what follows.
fn after<'l>(line: &'l str, keys: &[&str]) -> Option<&'l str> {
    line.split_whitespace()
        .find_map(|word| keys.iter().find_map(|key| word.strip_prefix(key)))
}

fn stream(line: &str) -> Option<u32> {
    u32::try_from(hex(after(line, &["sid="])?)?).ok()
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Reads QEMU's name of an event: the architecture's name with a prefix, except for two.
fn reason(name: &str) -> Option<Reason> {
    match name.strip_prefix("SMMU_EVT_")? {
        "F_TRANS_FORBIDDEN" => named("F_TRANSL_FORBIDDEN"),
        "E_PAGE_REQ" => named("E_PAGE_REQUEST"),
        name => named(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iommu::Trace;

    fn of(text: &str) -> Trace {
        crate::iommu::trace::of(text.as_bytes(), &[&super::super::Smmuv3])
    }

    fn told(text: &str) -> Vec<String> {
        let trace = of(text);
        let seen = trace.accesses.seen.iter();
        let mut told: Vec<String> = seen
            .map(|counted| format!("{} x {}", counted.count, counted.access))
            .collect();
        told.extend(trace.lost);
        told
    }

    /// An event has the stream from its own line and the address from the line before.
    #[test]
    fn events_are_put_together() {
        let text = "\
pl011_write: complaint
smmuv3-iommu-memory-region-24-1 translation failed for iova=0x5fc00000 (SMMU_EVT_F_TRANSLATION)
smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=0x18
smmuv3-iommu-memory-region-24-1 translation failed for iova=0x5fc00000 (SMMU_EVT_F_TRANSLATION)
smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=0x18
77@1700000000.000001:smmuv3_record_event SMMU_EVT_C_BAD_STE sid=0x19
";
        let wanted = [
            "2 x device 0x18 F_TRANSLATION 0x5fc00000",
            "1 x device 0x19 C_BAD_STE",
        ];
        assert_eq!(told(text), wanted);
    }

    /// A fault without a record after it was not recorded, whatever line follows.
    #[test]
    fn silent_faults_are_told() {
        let fault = "r translation failed for iova=0x10 (SMMU_EVT_F_PERMISSION)\n";
        let silent = "1 x some stream F_PERMISSION, not recorded 0x10";
        assert_eq!(told(fault), [silent]);
        let other = format!("{fault}smmuv3_record_event SMMU_EVT_C_BAD_CD sid=0x1\n");
        assert_eq!(told(&other), [silent, "1 x device 0x1 C_BAD_CD"]);
        let nameless = "r translation failed for iova=0x10 ((null))";
        assert_eq!(
            told(nameless),
            ["1 x some stream stopped, not recorded 0x10"]
        );
        let twice = format!("{fault}{fault}");
        assert_eq!(told(&twice), [silent.replace("1 x", "2 x")]);
    }

    /// An access that was let through is reported by page, with its target.
    #[test]
    fn passages_are_told() {
        let text = "\
smmuv3_translate_success r sid=0x18 iova=0x401fe008 translated=0x5f9fe008 perm=0x3 stage=2
smmuv3_translate_success r sid=0x18 iova=0x401fe010 translated=0x5f9fe010 perm=0x3 stage=2
smmuv3_translate_abort r sid=0x18 abort on iova:0x50000004 is_write=0
smmuv3_translate_bypass r sid=0x400 STE bypass iova:0x50000000 is_write=1
smmuv3_translate_disable r sid=0x0 bypass (smmu disabled) iova:0x50000000 is_write=1
";
        let wanted = [
            "2 x device 0x18 translated to 0x5f9fe000 0x401fe000",
            "1 x device 0x18 aborted 0x50000004",
            "1 x device 0x400 bypassed 0x50000000",
            "1 x device 0x0 bypassed 0x50000000",
        ];
        assert_eq!(told(text), wanted);
    }

    /// A line about the SMMU that is not understood gives no access, and the trace is reported as incomplete.
    #[test]
    fn strange_lines_are_told() {
        for line in [
            "smmuv3_record_event",
            "smmuv3_record_event SMMU_EVT_F_TRANSLATION",
            "smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=24",
            "smmuv3_record_event F_TRANSLATION sid=0x18",
            "smmuv3_translate_success r sid=0x18 iova=0x401fe008",
            "smmuv3_translate_abort r sid=0x1ffffffff abort on iova:0x1",
        ] {
            let told = told(line);
            assert_eq!(
                told,
                [format!("a line of QEMU's trace is not understood: {line}")]
            );
        }
        assert_eq!(told("smmuv3_cmdq_opcode CMD_SYNC\nsmmu\n\u{0}\n"), [""; 0]);
    }

    /// The number of different accesses that are kept is bounded, and the rest is counted.
    #[test]
    fn floods_are_counted() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for place in 0..5000 {
            let at = place * 4;
            let _ = writeln!(
                text,
                "smmuv3_translate_abort r sid=0x1 abort on iova:{at:#x} is_write=0"
            );
        }
        let trace = of(&text);
        assert_eq!(trace.accesses.seen.len(), 4096);
        assert_eq!(trace.accesses.more, 5000 - 4096);
        assert_eq!(
            trace
                .accesses
                .count(|access| access.fate == AccessFate::Aborted),
            4096
        );
    }
}
