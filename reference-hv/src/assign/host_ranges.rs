//! Device pages, host side: every page belongs to a device that may be assigned, and to no other
//! domain.

use alloc::vec::Vec;

use super::device::judge_kind;
use super::guest_ranges::last_address;
use super::owner_table::{Mapping, Neighbour, OwnerTable, PendingClaims};
use super::{Machine, taken_by};
use crate::addr::{Address, Ipa, PAGE_SIZE, Pa, Span};
use crate::config::{
    ConfigError, DeviceClaim, Host, NodeId, Origin, Owner, Region, Tuple, XEN_REG,
};
use crate::fault::{self, Fault};

/// Judges the ranges of one node of a partial tree.
pub(super) fn judge<'t>(
    host: &Host<'t>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'t>,
    device: &DeviceClaim<'t>,
    named: Option<NodeId>,
) -> Result<(), ConfigError> {
    let origin = device.origin;
    let tuples = device.tuples.as_deref().unwrap_or_default();
    let own = named.map(|id| Extent::of(host, id));
    if let Some(id) = named
        && let Some(owner) = owners.of_device(id)
        && !fault::on(Fault::MmioOwnerForgotten)
    {
        let path = host.node(id).path();
        let what = taken_by(format_args!("is {path}"), owner);
        return Err(ConfigError::new(origin, crate::config::XEN_PATH, what));
    }
    for (place, tuple) in tuples.iter().enumerate() {
        if fault::on(Fault::LastTupleLost) && place != 0 && place + 1 == tuples.len() {
            continue;
        }
        let Some((pa, ipa)) = ranges(origin, *tuple)? else {
            continue;
        };
        judge_host(host, machine, owners, pending, origin, pa, own.as_ref())?;
        pending.mappings.push(Mapping {
            origin,
            host: pa,
            guest: ipa,
        });
    }
    Ok(())
}

/// The two sides of a tuple.
type Pair = (Span<Pa>, Span<Ipa>);

/// Makes ranges of the numbers of a tuple: page-exact, not empty, without wrap. Nothing comes of
/// a tuple only where a seeded fault lets it pass.
fn ranges(origin: Origin<'_>, tuple: Tuple) -> Result<Option<Pair>, ConfigError> {
    let Tuple {
        mut host,
        mut size,
        mut guest,
    } = tuple;
    let refuse = |what: core::fmt::Arguments<'_>| Err(ConfigError::new(origin, XEN_REG, what));
    if size == 0 && fault::on(Fault::SizeZeroAccepted) {
        return Ok(None);
    }
    let columns = [
        ("host address", host),
        ("size", size),
        ("guest address", guest),
    ];
    for (column, value) in columns {
        if !value.is_multiple_of(PAGE_SIZE) && !fault::on(Fault::AlignmentRounded) {
            return refuse(format_args!(
                "has the {column} {value:#x}, which is not page aligned"
            ));
        }
    }
    if fault::on(Fault::AlignmentRounded) {
        size = size
            .max(1)
            .checked_next_multiple_of(PAGE_SIZE)
            .unwrap_or(PAGE_SIZE);
        host &= !(PAGE_SIZE - 1);
        guest &= !(PAGE_SIZE - 1);
    }
    let host_span = Span::new(Pa::new(host), size);
    let guest_span = Span::new(Ipa::new(guest), size);
    match (host_span, guest_span) {
        (Ok(host), Ok(guest)) => Ok(Some((host, guest))),
        (Err(_), _) | (_, Err(_)) if fault::on(Fault::WrapUnchecked) && size != 0 => Ok(None),
        (Err(error), _) => refuse(format_args!("{error} (host)")),
        (_, Err(error)) => refuse(format_args!("{error} (guest)")),
    }
}

/// Judges one host range.
pub(super) fn judge_host<'t>(
    host: &Host<'t>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'t>,
    origin: Origin<'t>,
    pa: Span<Pa>,
    own: Option<&Extent>,
) -> Result<(), ConfigError> {
    let refuse = |what: core::fmt::Arguments<'_>| Err(ConfigError::new(origin, XEN_REG, what));
    if pa.last().raw() > last_address(machine.pa_bits) {
        let bits = machine.pa_bits;
        return refuse(format_args!(
            "names host range {pa}, wider than {bits} bits"
        ));
    }
    if let Some(taken) = machine.taken.iter().find(|taken| taken.span.overlaps(pa))
        && !fault::on(Fault::RamGivenAway)
    {
        return refuse(format_args!(
            "names host range {pa}, which overlaps the {}",
            taken.what
        ));
    }
    if let Some(own) = own
        && let Some(page) = first_outside(pa, &own.rounded)
    {
        let path = host.node(own.id).path();
        return refuse(format_args!(
            "names host range {pa}, of which {page} is not in {path}"
        ));
    }
    if let Some((part, owner)) = owners.of_pages(pa)
        && !forgets_pages()
    {
        return refuse(format_args!(
            "{}",
            taken_by(format_args!("names host range {part}"), owner)
        ));
    }
    let mut devices: Vec<Span<Pa>> = Vec::new();
    let mut window = None;
    for region in host
        .regions
        .iter()
        .filter(|region| region.span.overlaps(pa))
    {
        match region.owner {
            Owner::Device => devices.push(region.span.widened_to_pages()),
            Owner::PciWindow => window = Some(region),
            Owner::Memory if fault::on(Fault::RamGivenAway) => {}
            Owner::Hypervisor(_) | Owner::Memory | Owner::Reserved => {
                return refuse(format_args!(
                    "names host range {pa}, which {}",
                    lies_in(host, region)
                ));
            }
        }
        if region.owner == Owner::Device {
            judge_resident(host, machine, owners, pending, origin, own, (pa, region))?;
        }
    }
    // Somewhere is a device of which nobody knows where; it may be anywhere but in the registers of
    // another.
    let known = own.map_or(devices.as_slice(), |own| own.whole.as_slice());
    if let (Some(id), Some(page)) = (host.unreadable, first_outside(pa, known)) {
        let path = host.node(id).path();
        return refuse(format_args!(
            "names host range {pa}, of which {page} may be {path}, whose place cannot be read"
        ));
    }
    // A window belongs to whatever answers behind the bridge, unless a node says what that is.
    if let Some(region) = window
        && let Some(page) = pa
            .intersection(region.span.widened_to_pages())
            .and_then(|inside| first_outside(inside, &devices))
    {
        return refuse(format_args!(
            "names host range {pa}, of which {page} {}",
            lies_in(host, region)
        ));
    }
    Ok(())
}

/// Tells whether a seeded fault makes the proof overlook that pages have an owner.
fn forgets_pages() -> bool {
    fault::on(Fault::MmioOwnerForgotten) || fault::on(Fault::DeviceOwnerByNode)
}

/// Judges a device in whose registers a range reaches.
fn judge_resident<'t>(
    host: &Host<'t>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'t>,
    origin: Origin<'t>,
    own: Option<&Extent>,
    (pa, region): (Span<Pa>, &Region),
) -> Result<(), ConfigError> {
    let Some(id) = region.node else {
        return Ok(());
    };
    if own.is_some_and(|own| own.id == id) {
        return Ok(());
    }
    if fault::on(Fault::NeighbourForgotten) && own.is_some() {
        return Ok(());
    }
    judge_kind(host, machine, origin, XEN_REG, id, pending.direct_mapped)?;
    if let Some(owner) = owners.of_device(id)
        && !forgets_pages()
    {
        let path = host.node(id).path();
        let what = taken_by(
            format_args!("names host range {pa}, in which {path} lies"),
            owner,
        );
        return Err(ConfigError::new(origin, XEN_REG, what));
    }
    match own {
        // Without a name, what is asked for is what lies there.
        None => pending.name(id),
        Some(own) => {
            let shared = region.span.widened_to_pages().intersection(pa);
            let exposed = shared.and_then(|shared| first_outside(shared, &own.whole));
            match exposed {
                // The page holds bytes that the named node does not describe.
                Some(at) => pending.neighbours.push(Neighbour { origin, id, at }),
                // The same registers under a second name.
                None => pending.name(id),
            }
        }
    }
    Ok(())
}

/// Says what a region is.
fn lies_in(host: &Host<'_>, region: &Region) -> alloc::string::String {
    let path = region.node.map(|id| host.node(id).path());
    let what = match region.owner {
        Owner::Hypervisor(what) => what,
        Owner::Memory => "RAM",
        Owner::Reserved => "reserved memory",
        Owner::PciWindow => "a window of a PCI host bridge",
        Owner::Device => "a device",
    };
    match path {
        Some(path) => alloc::format!("lies in {path}, {what}"),
        None => alloc::format!("lies in {what}"),
    }
}

/// Where the registers of a host node lie.
pub(super) struct Extent {
    id: NodeId,
    /// Every page in which it has a byte.
    rounded: Vec<Span<Pa>>,
    /// Every page of which it has all bytes.
    whole: Vec<Span<Pa>>,
}

impl Extent {
    fn of(host: &Host<'_>, id: NodeId) -> Self {
        let own = |region: &&Region| {
            region.node == Some(id)
                && match region.owner {
                    Owner::Device => true,
                    Owner::Memory => fault::on(Fault::RamGivenAway),
                    Owner::PciWindow | Owner::Hypervisor(_) | Owner::Reserved => false,
                }
        };
        let spans: Vec<Span<Pa>> = host
            .regions
            .iter()
            .filter(own)
            .map(|region| region.span)
            .collect();
        Self {
            id,
            rounded: spans.iter().map(|span| span.widened_to_pages()).collect(),
            whole: spans
                .iter()
                .filter_map(|span| span.narrowed_to_pages())
                .collect(),
        }
    }
}

/// Returns the first address of `span` that none of the ranges holds.
pub(super) fn first_outside(span: Span<Pa>, ranges: &[Span<Pa>]) -> Option<Pa> {
    let mut at = span.first();
    while let Some(range) = ranges.iter().find(|range| range.contains(at)) {
        if range.last() >= span.last() {
            return None;
        }
        at = range.last().checked_add(1)?;
    }
    Some(at)
}
