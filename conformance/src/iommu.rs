//! Merges what both sources say about the machine's IOMMUs: QEMU's trace and the event queues in memory. The result
//! explains a verdict. Memory contents decide it, unless a case asks for an IOMMU event.

use std::collections::BTreeMap;

use model::{DeviceAccess, IommuRecord};
use runners::{Access, AccessFate, Iommus, Reason};

#[cfg(test)]
mod tests;

/// An access, with its count in the trace and its count in the queues.
type Joined = (Access, u64, u64);

/// Up to this many accesses that differ only in their addresses are each shown.
const CROWD: usize = 8;

/// Merges both sources. The order of the result does not depend on the order of events.
pub fn merge_sources(iommus: &Iommus) -> IommuRecord {
    let queued = || iommus.queues.iter().flat_map(|queue| &queue.accesses.seen);
    let mut joined: Vec<Joined> = iommus
        .trace
        .accesses
        .seen
        .iter()
        .map(|counted| (counted.access, counted.count, 0))
        .collect();
    for counted in queued() {
        let access = counted.access;
        let same = |(other, ..): &&mut Joined| {
            let nothing_else = access.address.is_none() || other.address == access.address;
            (other.stream, other.fate) == (access.stream, access.fate)
                && nothing_else
                && (other.write.is_none() || other.write == access.write)
        };
        match joined.iter_mut().find(same) {
            Some((other, _, queued)) => {
                // Only the record has the direction.
                other.write = access.write;
                *queued += counted.count;
            }
            None => joined.push((access, 0, counted.count)),
        }
    }
    joined.sort_by_key(|(access, ..)| order(access));
    let alike = |(one, ..): &Joined, (other, ..): &Joined| {
        (one.stream, one.fate, one.write) == (other.stream, other.fate, other.write)
    };
    let rows = joined.chunk_by(alike).flat_map(|alike| match alike {
        [(first, ..), .., (last, ..)] if alike.len() > CROWD => vec![crowd(first, last, alike)],
        few => few.iter().map(row).collect(),
    });
    IommuRecord {
        rows: rows.collect(),
        notes: notes(iommus),
    }
}

fn row((access, traced, queued): &Joined) -> DeviceAccess {
    let stream = access.stream.map(|stream| format!("{stream:#x}"));
    DeviceAccess {
        stream: stream.unwrap_or_default(),
        fate: access.fate.to_string(),
        access: shown(access),
        traced: *traced,
        queued: *queued,
    }
}

/// Shows many accesses that differ only in their addresses as one.
fn crowd(first: &Access, last: &Access, all: &[Joined]) -> DeviceAccess {
    let sum = |of: fn(&Joined) -> u64| all.iter().map(of).sum();
    let (traced, queued) = (sum(|joined| joined.1), sum(|joined| joined.2));
    let shown = match last.address {
        Some(address) => format!("{}..{address:#x}", shown(first)),
        None => shown(first),
    };
    DeviceAccess {
        access: shown,
        ..row(&(*first, traced, queued))
    }
}

/// Shows direction and address of an access, as far as they are known.
fn shown(access: &Access) -> String {
    let direction = access
        .write
        .map(|write| if write { "write" } else { "read" });
    let address = access.address.map(|address| format!("{address:#x}"));
    let parts = [direction.map(ToOwned::to_owned), address];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Sorts the most important first: what bypassed the IOMMU, then what it stopped.
fn order(access: &Access) -> (u8, Option<u32>, u64, Option<bool>, Option<u64>) {
    let (rank, reason) = match access.fate {
        AccessFate::Bypassed => (0, 0),
        AccessFate::Recorded(reason) => (1, u64::from(reason.number())),
        AccessFate::Unrecorded(reason) => {
            (2, reason.map_or(0, |reason| u64::from(reason.number())))
        }
        AccessFate::Aborted => (3, 0),
        AccessFate::Translated(to) => (4, to),
    };
    (rank, access.stream, reason, access.write, access.address)
}

/// Says why the trace may be incomplete; none if it is complete.
pub fn doubt(iommus: &Iommus) -> Option<String> {
    let more = iommus.trace.accesses.more;
    let crowd = (more != 0).then(|| format!("QEMU traced {more} more accesses than are kept"));
    iommus.trace.lost.clone().or(crowd)
}

fn notes(iommus: &Iommus) -> Vec<String> {
    let mut notes: Vec<String> = doubt(iommus).into_iter().collect();
    let mut full = false;
    for queue in &iommus.queues {
        let name = format!("the event queue of the IOMMU at {:#x}", queue.iommu);
        if let Some(why) = &queue.unread {
            notes.push(format!("{name} was not read: {why}"));
            continue;
        }
        if !queue.on {
            notes.push(format!("{name} is off"));
        }
        if queue.overflown {
            notes.push(format!("{name} lost events because it was full"));
        }
        full |= queue.accesses.count(|_| true) + queue.accesses.more >= queue.slots;
    }
    if iommus.queues.iter().all(|queue| queue.unread.is_none()) {
        notes.extend(disagreements(iommus, full));
    }
    notes
}

/// Compares the count of each event of each stream in both sources. A queue that is `full` has lost its oldest events.
fn disagreements(iommus: &Iommus, full: bool) -> Vec<String> {
    let mut counts: BTreeMap<(Option<u32>, Reason), (u64, u64)> = BTreeMap::new();
    let recorded = |access: &Access| match access.fate {
        AccessFate::Recorded(reason) => Some((access.stream, reason)),
        _ => None,
    };
    for counted in &iommus.trace.accesses.seen {
        if let Some(event) = recorded(&counted.access) {
            counts.entry(event).or_default().0 += counted.count;
        }
    }
    for counted in iommus.queues.iter().flat_map(|queue| &queue.accesses.seen) {
        if let Some(event) = recorded(&counted.access) {
            counts.entry(event).or_default().1 += counted.count;
        }
    }
    let disagree = |(traced, queued): (u64, u64)| queued > traced || (queued < traced && !full);
    counts
        .into_iter()
        .filter(|(_, counts)| doubt(iommus).is_none() && disagree(*counts))
        .map(|((stream, reason), (traced, queued))| {
            let stream = stream.map_or_else(|| "some stream".to_owned(), |id| format!("{id:#x}"));
            format!("{reason} of {stream}: {traced} in the trace, {queued} in the event queue")
        })
        .collect()
}

/// Number of accesses that a reason quotes.
const QUOTED: usize = 3;

/// Explains in one line what the IOMMU did, without what may differ between two equal runs; none if it did nothing.
pub fn explain(iommus: &Iommus) -> Option<String> {
    let mut lines: Vec<String> = merge_sources(iommus)
        .rows
        .iter()
        .map(DeviceAccess::line)
        .collect();
    lines.dedup();
    let more = lines.len().saturating_sub(QUOTED);
    lines.truncate(QUOTED);
    if more != 0 {
        lines.push("more".to_owned());
    }
    (!lines.is_empty()).then(|| format!("the IOMMU reports {}", lines.join(", ")))
}
