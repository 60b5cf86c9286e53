//! Device pages, host side: every page belongs to a device that may be assigned, and to no other
//! domain.

use alloc::vec::Vec;
use core::fmt;

use super::device::judge_kind;
use super::guest_ranges::last_address;
use super::owner_table::{Mapping, Neighbour, PendingClaims};
use super::{AssignError, ClaimError, ClaimFlaw, Ground};
use crate::addr::{Address, Ipa, PAGE_SIZE, Pa, Span};
use crate::config::{DeviceClaim, NodeId, Origin, Owner, Region, Tuple, XEN_PATH, XEN_REG};
use crate::dt::Path;
use crate::fault::{self, Fault};

/// Judges the ranges of one node of a partial tree.
pub(super) fn judge<'t>(
    ground: Ground<'_, 't>,
    pending: &mut PendingClaims<'t>,
    device: &DeviceClaim<'t>,
    named: Option<NodeId>,
) -> Result<(), ClaimError<'t>> {
    let origin = device.origin;
    let tuples = device.tuples.as_deref().unwrap_or_default();
    let own = named.map(|id| Extent::of(ground, id, origin));
    if let Some(id) = named
        && let Some((id, owner)) = ground.owners.devices.rival(ground.by, id)
    {
        let node = ground.path(id);
        return Err(AssignError::NamedOwned { node, owner }.at(origin, XEN_PATH));
    }
    for (place, tuple) in tuples.iter().enumerate() {
        if fault::on(Fault::LastTupleLost) && place != 0 && place + 1 == tuples.len() {
            continue;
        }
        let Some((host, guest)) = ranges(origin, *tuple)? else {
            continue;
        };
        let judged = judge_host(ground, pending, host, own.as_ref());
        judged.map_err(|error| error.at(origin, XEN_REG))?;
        pending.mappings.push(Mapping {
            origin,
            host,
            guest,
        });
    }
    Ok(())
}

/// The two sides of a tuple.
type Pair = (Span<Pa>, Span<Ipa>);

/// Makes ranges of the numbers of a tuple: page-exact, not empty, without wrap. Nothing comes of
/// a tuple only where a seeded fault lets it pass.
fn ranges<'t>(origin: Origin<'t>, tuple: Tuple) -> Result<Option<Pair>, ClaimError<'t>> {
    let Tuple {
        mut host,
        mut size,
        mut guest,
    } = tuple;
    let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(origin, XEN_REG));
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
            return refuse(ClaimFlaw::Column(column, value));
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
        (Err(error), _) => refuse(ClaimFlaw::HostRange(error)),
        (_, Err(error)) => refuse(ClaimFlaw::GuestRange(error)),
    }
}

/// Judges one host range, whoever asks for it and whenever, and returns the pages of the devices in it.
pub(super) fn judge_host<'t>(
    ground: Ground<'_, 't>,
    pending: &mut PendingClaims<'t>,
    span: Span<Pa>,
    own: Option<&Extent<'t>>,
) -> Result<Vec<Span<Pa>>, AssignError<'t>> {
    let (host, machine) = (ground.host, ground.machine);
    let bits = machine.pa_bits;
    if span.last().raw() > last_address(bits) {
        return Err(AssignError::TooWide { span, bits });
    }
    if let Some(taken) = machine.taken(span)
        && !fault::on(Fault::RamGivenAway)
    {
        let what = taken.what;
        return Err(AssignError::OverTaken { span, what });
    }
    if let Some(own) = own
        && let Some(page) = first_outside(span, &own.rounded)
    {
        let node = ground.path(own.id);
        return Err(AssignError::OutsideNamed { span, page, node });
    }
    if let Some((span, owner)) = ground.owners.pages.rival(ground.by, span) {
        return Err(AssignError::PagesOwned { span, owner });
    }
    let mut devices: Vec<Span<Pa>> = Vec::new();
    let mut window = None;
    let regions = host.regions.iter();
    for region in regions.filter(|region| region.span.overlaps(span)) {
        match region.owner {
            Owner::Device => {
                devices.push(region.span.widened_to_pages());
                judge_resident(ground, pending, own, span, region)?;
            }
            Owner::PciWindow => window = Some(region),
            Owner::Memory if fault::on(Fault::RamGivenAway) => {}
            Owner::Hypervisor(_) | Owner::Memory | Owner::Reserved => {
                let place = Place::of(ground, region);
                return Err(AssignError::NotForDomains { span, place });
            }
        }
    }
    // Somewhere is a device of which nobody knows where; it may be anywhere but in the registers of
    // another.
    let known = own.map_or(devices.as_slice(), |own| own.whole.as_slice());
    if let (Some(id), Some(page)) = (host.unreadable, first_outside(span, known)) {
        let node = ground.path(id);
        return Err(AssignError::PageUnknown { span, page, node });
    }
    // A window belongs to whatever answers behind the bridge, unless a node says what that is.
    if let Some(region) = window
        && let Some(inside) = span.intersection(region.span.widened_to_pages())
        && let Some(page) = first_outside(inside, &devices)
    {
        let place = Place::of(ground, region);
        return Err(AssignError::PageInWindow { span, page, place });
    }
    Ok(devices)
}

/// Judges a device in whose registers a range reaches.
fn judge_resident<'t>(
    ground: Ground<'_, 't>,
    pending: &mut PendingClaims<'t>,
    own: Option<&Extent<'t>>,
    span: Span<Pa>,
    region: &Region,
) -> Result<(), AssignError<'t>> {
    let own_id = own.map(|own| own.id);
    let Some(id) = region.node.filter(|id| Some(*id) != own_id) else {
        return Ok(());
    };
    if fault::on(Fault::NeighbourForgotten) && own.is_some() {
        return Ok(());
    }
    if let Some((id, owner)) = ground.owners.devices.rival(ground.by, id)
        && !fault::on(Fault::DeviceOwnerByNode)
    {
        let node = ground.path(id);
        return Err(AssignError::ResidentOwned { span, node, owner });
    }
    judge_kind(ground, id, pending.direct_mapped)?;
    let shared = region.span.widened_to_pages().intersection(span);
    let exposed = own.and_then(|own| Some((own.origin, first_outside(shared?, &own.whole)?)));
    match exposed {
        // The page holds bytes that the named node does not describe.
        Some((origin, at)) => pending.neighbours.push(Neighbour { origin, id, at }),
        // Without a name, what is asked for is what lies there; with one, it is the same registers under a second.
        None => pending.name(id),
    }
    Ok(())
}

/// What a region of the host's address space is, and whose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'t> {
    node: Option<Path<'t>>,
    what: &'static str,
}

impl<'t> Place<'t> {
    fn of(ground: Ground<'_, 't>, region: &Region) -> Self {
        Self {
            node: region.node.map(|id| ground.path(id)),
            what: match region.owner {
                Owner::Hypervisor(what) => what,
                Owner::Memory => "RAM",
                Owner::Reserved => "reserved memory",
                Owner::PciWindow => "a window of a PCI host bridge",
                Owner::Device => "a device",
            },
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match self.node {
            Some(node) => write!(f, "lies in {node}, {what}"),
            None => write!(f, "lies in {what}"),
        }
    }
}

/// Where the registers of a host node lie.
pub(super) struct Extent<'t> {
    id: NodeId,
    /// The node of the partial tree that names it.
    origin: Origin<'t>,
    /// Every page in which it has a byte.
    rounded: Vec<Span<Pa>>,
    /// Every page of which it has all bytes.
    whole: Vec<Span<Pa>>,
}

impl<'t> Extent<'t> {
    fn of(ground: Ground<'_, 't>, id: NodeId, origin: Origin<'t>) -> Self {
        let own = |region: &&Region| {
            region.owner == Owner::Device
                || region.owner == Owner::Memory && fault::on(Fault::RamGivenAway)
        };
        let regions = ground.host.regions_of(id).iter().filter(own);
        let spans: Vec<Span<Pa>> = regions.map(|region| region.span).collect();
        Self {
            id,
            origin,
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
