//! Which functions cannot be kept apart.
//!
//! Two functions are bound when an IOMMU cannot tell them apart, when one can reach the other without passing it, or
//! when a domain that has the page of one has that of the other. Functions that are bound by others in between are
//! bound as well. Bridges bind, but nobody has to own them.
//!
//! Devices on the host bridge's own bus count as kept apart by the root complex, which no register of theirs says.

use alloc::vec;
use alloc::vec::Vec;

use super::topology::{self, Way};
use super::{
    BarKind, Function, FunctionDefect, Group, Inventory, IsolationReason, Port, Registers, Warning,
    registers,
};
use crate::addr::PAGE_SIZE;
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;

impl Inventory {
    /// Finds out anew where functions stand, and which of them are bound.
    pub(super) fn relate(&mut self, warnings: &mut dyn FnMut(Warning)) {
        let topology = topology::find(&self.segments, &self.functions);
        topology::enter(&mut self.functions, &topology);
        self.bind(&topology, warnings);
    }

    /// Has everything that can keep functions apart do so, and no longer counts on what does not.
    pub fn isolate<S: ConfigSpace>(&mut self, space: &mut S, warnings: &mut dyn FnMut(Warning)) {
        let mut leaky = false;
        for function in &mut self.functions {
            let Some(acs) = function.acs.as_mut().filter(|acs| acs.holds) else {
                continue;
            };
            let registers = &mut Registers::new(space, function.at);
            acs.holds = switch_on(registers, acs.offset, acs.can);
            if !acs.holds {
                leaky = true;
                warnings(Warning::Leaky(function.at));
            }
        }
        if leaky {
            self.relate(warnings);
        }
    }

    fn bind(&mut self, topology: &[Way], warnings: &mut dyn FnMut(Warning)) {
        let count = self.functions.len();
        let mut sets = DisjointSet::new(count);
        let mut turns = vec![None; count];
        bind_aliases(&self.functions, topology, &mut sets);
        bind_devices(&self.functions, topology, &mut sets, &mut turns);
        bind_ports(&self.functions, topology, &mut sets, &mut turns);
        bind_pages(&mut self.functions, &mut sets, warnings);

        let mut first: Vec<Option<usize>> = vec![None; count];
        let mut many = vec![false; count];
        for (place, function) in self.functions.iter().enumerate() {
            let set = sets.of(place);
            if let (false, Some(first), Some(many)) =
                (function.is_bridge(), first.get_mut(set), many.get_mut(set))
            {
                *many = first.is_some();
                first.get_or_insert(place);
            }
        }
        let groups: Vec<_> = (0..count)
            .map(|place| {
                let set = sets.of(place);
                let first = first.get(set).copied().flatten().unwrap_or(set);
                let many = many.get(set).copied().unwrap_or_default();
                (first, sets.why(place).filter(|_| many))
            })
            .collect();
        let names: Vec<_> = self.functions.iter().map(|function| function.at).collect();
        for (function, (first, why)) in self.functions.iter_mut().zip(groups) {
            let first = names.get(first).copied().unwrap_or(function.at);
            function.group = Group { first, why };
        }
    }
}

/// Switches on what keeps accesses from neighbours, and off what lets some of them pass. Returns whether it is on then.
pub(super) fn switch_on<S: ConfigSpace>(
    registers: &mut Registers<'_, S>,
    offset: u16,
    can: registers::Acs,
) -> bool {
    use registers::{ACS_CONTROL, Acs};
    let wanted = can & Acs::ISOLATING;
    let control = offset + ACS_CONTROL;
    let before = Acs::from_bits_retain(registers.half(control));
    let loose = Acs::EGRESS | Acs::DIRECT;
    registers.set_half(control, ((before | wanted) - loose).bits());
    let after = Acs::from_bits_retain(registers.half(control));
    after.contains(wanted) && !after.intersects(loose)
}

/// Binds everything that one bridge speaks for.
fn bind_aliases(functions: &[Function], topology: &[Way], sets: &mut DisjointSet) {
    if fault::on(Fault::PciAliasForgotten) {
        return;
    }
    for (place, way) in topology.iter().enumerate() {
        if let Some((dma_alias, _)) = way.dma_alias
            && let Some(bridge) = functions.get(dma_alias)
        {
            sets.join(place, dma_alias, IsolationReason::Requester(bridge.at));
        }
    }
}

/// Binds the functions of devices that do not keep them apart, and has bridges among them bind what is behind.
fn bind_devices(
    functions: &[Function],
    topology: &[Way],
    sets: &mut DisjointSet,
    turns: &mut [Option<IsolationReason>],
) {
    if fault::on(Fault::PciMultifunctionForgotten) {
        return;
    }
    // A virtual function is a part of its physical one.
    for (place, function) in functions.iter().enumerate() {
        if let Some(FunctionDefect::Virtual(physical)) = function.flaw
            && let Ok(physical) = functions.binary_search_by_key(&physical, |found| found.at)
        {
            sets.join(place, physical, IsolationReason::Device);
        }
    }
    let device = |(place, function): &(usize, &Function)| {
        let above = topology
            .get(*place)
            .and_then(|way| functions.get(way.above?));
        let link = above.is_some_and(|bridge| bridge.port == Some(Port::Downstream));
        let number = if link { 0 } else { function.at.device() };
        (function.at.segment, function.at.bus, number)
    };
    let real: Vec<_> = (functions.iter().enumerate())
        .filter(|(_, function)| !matches!(function.flaw, Some(FunctionDefect::Virtual(_))))
        .collect();
    for parts in real.chunk_by(|one, next| device(one) == device(next)) {
        let [(first, _), others @ ..] = parts else {
            continue;
        };
        let holds = |(_, function): &(usize, &Function)| function.acs.is_some_and(|acs| acs.holds);
        if others.is_empty() || parts.iter().all(holds) {
            continue;
        }
        for (place, _) in others {
            sets.join(*first, *place, IsolationReason::Device);
        }
        for (place, function) in parts {
            if let (true, Some(intx_swizzle)) = (function.is_bridge(), turns.get_mut(*place)) {
                intx_swizzle.get_or_insert(IsolationReason::Device);
            }
        }
    }
}

/// Binds all that is behind a bridge at which accesses may turn round. `turns` has those that others have found.
fn bind_ports(
    functions: &[Function],
    topology: &[Way],
    sets: &mut DisjointSet,
    turns: &mut [Option<IsolationReason>],
) {
    for (function, way) in functions.iter().zip(topology) {
        let keeps = fault::on(Fault::PciPortTrusted)
            || function.port == Some(Port::Downstream) && function.acs.is_some_and(|acs| acs.holds);
        // What enters a switch at one of its ports may leave it at any other.
        if let Some(above) = way.above
            && let Some(Port::Upstream) = functions.get(above).and_then(|bridge| bridge.port)
            && let Some(intx_swizzle) = turns.get_mut(above).filter(|_| !keeps)
        {
            intx_swizzle.get_or_insert(IsolationReason::Port(function.at));
        }
    }
    // The topmost bridge above each function at which accesses turn round.
    let mut open: Vec<Option<(usize, IsolationReason)>> = Vec::with_capacity(functions.len());
    for (place, way) in topology.iter().enumerate() {
        let found = way.above.and_then(|above| {
            let bridge = functions.get(above)?;
            let higher = open.get(above).copied().flatten();
            let own = || {
                let said = turns.get(above).copied().flatten();
                Some((above, said.or_else(|| turns_round(bridge))?))
            };
            higher.or_else(own)
        });
        if let Some((bridge, bond)) = found {
            sets.join(place, bridge, bond);
        }
        open.push(found);
    }
}

/// Tells whether accesses turn round at a bridge by itself. Of one that speaks for what is behind it that is bound anyway.
fn turns_round(bridge: &Function) -> Option<IsolationReason> {
    let leaky = match bridge.port {
        Some(Port::Downstream) => !bridge.acs.is_some_and(|acs| acs.holds),
        Some(Port::Endpoint) => true,
        Some(Port::Upstream | Port::ToConventional | Port::FromConventional) | None => false,
    };
    (leaky && !fault::on(Fault::PciPortTrusted)).then_some(IsolationReason::Port(bridge.at))
}

/// Binds functions whose registers lie in one page, and finds those that share one with a bridge.
fn bind_pages(
    functions: &mut [Function],
    sets: &mut DisjointSet,
    warnings: &mut dyn FnMut(Warning),
) {
    let known: Vec<_> = functions.iter().map(|function| function.flaw).collect();
    for function in functions.iter_mut() {
        function.flaw = function
            .flaw
            .filter(|flaw| !matches!(flaw, FunctionDefect::Bridge(_)));
    }
    let mut pages: Vec<_> = (functions.iter().enumerate())
        .flat_map(|(place, function)| {
            let memory = |bar: &&super::Bar| bar.kind != BarKind::Io && bar.address != 0;
            function.bars.iter().filter(memory).map(move |bar| {
                let last = bar.address.saturating_add(bar.size - 1);
                let page = |address: u64| address / PAGE_SIZE;
                (function.at.segment, page(bar.address), page(last), place)
            })
        })
        .collect();
    if fault::on(Fault::PciPageShared) {
        pages.clear();
    }
    pages.sort_unstable();
    let mut rest = pages.as_slice();
    while let [(segment, page, last, _), ..] = *rest {
        let mut last = last;
        let reaches = |next: &&(u16, u64, u64, usize)| {
            let within = next.0 == segment && next.1 <= last;
            last = last.max(next.2);
            within
        };
        let count = rest.iter().take_while(reaches).count();
        let (run, further) = rest.split_at(count);
        rest = further;
        bind_run(
            functions,
            sets,
            run,
            IsolationReason::Page(page * PAGE_SIZE),
        );
    }
    for (function, known) in functions.iter().zip(known) {
        if let Some(flaw) = function.flaw.filter(|_| function.flaw != known) {
            warnings(Warning::FunctionDefect {
                at: function.at,
                flaw,
            });
        }
    }
}

/// Binds functions whose registers overlap, page by page, one with the next.
fn bind_run(
    functions: &mut [Function],
    sets: &mut DisjointSet,
    run: &[(u16, u64, u64, usize)],
    bond: IsolationReason,
) {
    let bridge = run.iter().find_map(|(.., place)| {
        let function = functions.get(*place)?;
        function.is_bridge().then_some(function.at)
    });
    let mut before = None;
    for (.., place) in run {
        let Some(function) = functions.get_mut(*place).filter(|found| !found.is_bridge()) else {
            continue;
        };
        if let Some(before) = before.filter(|before| before != place) {
            sets.join(before, *place, bond);
        }
        before = Some(*place);
        function.flaw = function
            .flaw
            .or_else(|| Some(FunctionDefect::Bridge(bridge?)));
    }
}

/// Sets that grow together, by the place of their lowest member, and why each member has joined its own.
struct DisjointSet {
    lower: Vec<usize>,
    why: Vec<Option<IsolationReason>>,
}

impl DisjointSet {
    /// Makes a set of each of so many places.
    fn new(count: usize) -> Self {
        Self {
            lower: (0..count).collect(),
            why: vec![None; count],
        }
    }

    /// Returns the lowest member of a place's set.
    fn of(&mut self, place: usize) -> usize {
        let mut at = place;
        while let Some(lower) = self.lower.get(at).copied().filter(|lower| *lower != at) {
            // What is looked up again is found sooner.
            let next = self.lower.get(lower).copied().unwrap_or(lower);
            if let Some(link) = self.lower.get_mut(at) {
                *link = next;
            }
            at = next;
        }
        at
    }

    /// Makes the sets of two places one.
    fn join(&mut self, one: usize, other: usize, bond: IsolationReason) {
        for place in [one, other] {
            if let Some(why) = self.why.get_mut(place) {
                why.get_or_insert(bond);
            }
        }
        let (one, other) = (self.of(one), self.of(other));
        if let Some(link) = self.lower.get_mut(one.max(other)) {
            *link = one.min(other);
        }
    }

    /// Returns why a place was first joined with another.
    fn why(&self, place: usize) -> Option<IsolationReason> {
        self.why.get(place).copied().flatten()
    }
}
