//! IOMMUs, and how the tree says which device goes through which.

use alloc::format;
use alloc::vec::Vec;

use super::device::is_okay;
use super::error::ConfigError;
use super::host::Host;
use super::index::{Found, Index, Marks, NodeId};
use super::interrupts::kept_lines;
use super::reg::{Reg, reg};
use crate::addr::{Pa, Span};
use crate::dt::{Node, Prop};
use crate::fault::{self, Fault};
use crate::ids::{IrqLine, SourceId, Stream};

const IOMMUS: &str = "iommus";
const MAP: &str = "iommu-map";
const MAP_MASK: &str = "iommu-map-mask";

/// An IOMMU, usable or not: its registers are nobody's either way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Iommu {
    /// Its node.
    pub id: NodeId,
    /// Where its registers lie.
    pub spans: Vec<Span<Pa>>,
    /// Its shared lines.
    pub lines: Vec<IrqLine>,
    /// Whether it and every bus on the way to it are on. One that is off is as good as none.
    pub active: bool,
    /// Whether it is of the one kind that this hypervisor drives.
    pub smmuv3: bool,
}

/// A node that IOMMUs stand before, or that has parts before which they stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Master {
    /// The node.
    pub id: NodeId,
    /// By what active IOMMUs know it and its parts, each once, in order; or why nobody can tell.
    pub streams: Result<Vec<Stream>, ConfigError>,
}

/// Finds every IOMMU.
pub fn iommus(index: &Index<'_>, gic: NodeId) -> Vec<Iommu> {
    index
        .marked(Marks::IOMMU)
        .map(|id| {
            let spans = match reg(index, id) {
                Reg::Spans(spans) => spans,
                Reg::Nothing | Reg::Unreadable(_) => Vec::new(),
            };
            let mut way = core::iter::successors(Some(id), |id| index.parent(*id));
            Iommu {
                id,
                spans,
                lines: kept_lines(index, gic, id),
                active: way.all(|id| is_okay(index.node(id))),
                smmuv3: index.node(id).compatible(|model| model == "arm,smmu-v3"),
            }
        })
        .collect()
}

impl Host<'_> {
    /// Returns the streams by which active IOMMUs know a device and its parts, each once, in order.
    ///
    /// # Errors
    /// Refuses what cannot be understood, a device that goes through two IOMMUs, and one that goes around
    /// one: the tree does not say which of its accesses take which way.
    pub fn streams(&self, id: NodeId) -> Result<&[Stream], ConfigError> {
        let place = self.masters.binary_search_by_key(&id, |master| master.id);
        let Some(master) = place.ok().and_then(|place| self.masters.get(place)) else {
            return Ok(&[]);
        };
        match &master.streams {
            Ok(streams) => Ok(streams),
            Err(flaw) => Err(flaw.clone()),
        }
    }

    /// Finds every node that IOMMUs stand before, and what they are in, in the order of the tree.
    pub(super) fn find_masters(&self) -> Vec<Master> {
        let index = &self.index;
        let own: Vec<NodeId> = index.marked(Marks::MASTER).collect();
        let mut ids = Vec::new();
        for id in &own {
            ids.extend(core::iter::successors(Some(*id), |id| index.parent(*id)));
        }
        ids.sort_unstable();
        ids.dedup();
        let master = |id| Master {
            id,
            streams: self.streams_of(
                own.iter()
                    .copied()
                    .filter(|part| index.is_within(*part, id)),
            ),
        };
        ids.into_iter().map(master).collect()
    }

    fn streams_of(&self, parts: impl Iterator<Item = NodeId>) -> Result<Vec<Stream>, ConfigError> {
        let mut found = Vec::new();
        for part in parts {
            self.listed(self.node(part), &mut found)?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Adds what the `iommus` of a node names.
    fn listed(&self, node: Node<'_>, found: &mut Vec<Stream>) -> Result<(), ConfigError> {
        let Some(prop) = node.optional(IOMMUS)? else {
            return Ok(());
        };
        let mut words = prop.words();
        let mut passing = None;
        while let Some(phandle) = words.next() {
            let (iommu, number) = self.iommu(node, IOMMUS, phandle)?;
            let cells = self.node(iommu.id).read("#iommu-cells", Prop::u32)?;
            let cells = cells.unwrap_or(1);
            let mut last = None;
            for _ in 0..cells {
                last = words.next();
                if last.is_none() {
                    let what = "does not end with a whole entry";
                    return Err(ConfigError::new(node, IOMMUS, what));
                }
            }
            let name = || self.node(iommu.id).path();
            if !iommu.active && !fault::on(Fault::DisabledIommuProtects) {
                passing = Some(iommu.id);
                continue;
            }
            let Some(id) = last.filter(|_| cells == 1) else {
                let what = format_args!(
                    "names {}, whose `#iommu-cells` is {cells}, not 1: which stream it means is unknown",
                    name()
                );
                return Err(ConfigError::new(node, IOMMUS, what));
            };
            if let Some(other) = found.iter().find(|other| other.iommu != number)
                && !fault::on(Fault::SecondIommuIgnored)
            {
                let other = self.iommus.get(other.iommu).map_or(NodeId::ROOT, |o| o.id);
                let what = format_args!(
                    "names {} besides {}: a device goes through one IOMMU",
                    name(),
                    self.node(other).path()
                );
                return Err(ConfigError::new(node, IOMMUS, what));
            }
            if found.iter().all(|other| other.iommu == number) {
                found.push(Stream {
                    iommu: number,
                    id: SourceId(id),
                });
            }
        }
        if let (Some(passing), Some(_)) = (passing, found.first()) {
            let what = format_args!(
                "names {} besides another, which is off and lets accesses pass",
                self.node(passing).path()
            );
            return Err(ConfigError::new(node, IOMMUS, what));
        }
        Ok(())
    }

    /// Returns the stream by which an active IOMMU knows what a function behind a PCI host bridge does; nothing
    /// where the bridge does not say that one does. `requester` is bus, device and function.
    ///
    /// # Errors
    /// Refuses what cannot be understood.
    pub fn requester(&self, bridge: NodeId, requester: u16) -> Result<Option<Stream>, ConfigError> {
        let node = self.node(bridge);
        let Some(map) = node.optional(MAP)? else {
            return Ok(None);
        };
        let mask = node.read(MAP_MASK, Prop::u32)?.unwrap_or(u32::MAX);
        let wanted = u32::from(requester) & mask;
        for [first, phandle, base, length] in entries(node, map)? {
            let (iommu, number) = self.iommu(node, MAP, phandle)?;
            let Some(offset) = wanted.checked_sub(first).filter(|offset| *offset < length) else {
                continue;
            };
            let id = base.checked_add(offset).ok_or_else(|| {
                ConfigError::new(
                    node,
                    MAP,
                    format_args!("maps {wanted:#x} beyond any stream"),
                )
            })?;
            let id = SourceId(id);
            return Ok(iommu.active.then_some(Stream { iommu: number, id }));
        }
        Ok(None)
    }

    /// Returns the first active IOMMU that an `iommu-map` names.
    ///
    /// # Errors
    /// Refuses what cannot be understood.
    pub fn mapped_through(&self, id: NodeId) -> Result<Option<NodeId>, ConfigError> {
        let node = self.node(id);
        let Some(map) = node.optional(MAP)? else {
            return Ok(None);
        };
        for [_, phandle, ..] in entries(node, map)? {
            let (iommu, _) = self.iommu(node, MAP, phandle)?;
            if iommu.active {
                return Ok(Some(iommu.id));
            }
        }
        Ok(None)
    }

    /// Finds the IOMMU that a property names, and its place among all.
    fn iommu(
        &self,
        node: Node<'_>,
        name: &str,
        phandle: u32,
    ) -> Result<(&Iommu, usize), ConfigError> {
        let what = match self.index.by_phandle(phandle) {
            Found::One(id) => {
                let mut all = self.iommus.iter().zip(0..);
                match all.find(|(iommu, _)| iommu.id == id) {
                    Some(found) => return Ok(found),
                    None => format!("{}, no IOMMU,", self.node(id).path()),
                }
            }
            Found::Nothing => "no node".into(),
            Found::Several => "more than one node".into(),
        };
        let what = format_args!("names phandle {phandle:#x}, which {what} has");
        Err(ConfigError::new(node, name, what))
    }
}

/// Splits an `iommu-map`: first requester, IOMMU, first stream, how many.
fn entries(node: Node<'_>, map: Prop<'_>) -> Result<Vec<[u32; 4]>, ConfigError> {
    let words: Vec<u32> = map.words().collect();
    let (entries, rest) = words.as_chunks::<4>();
    if !rest.is_empty() || !map.value().len().is_multiple_of(16) {
        return Err(ConfigError::new(
            node,
            MAP,
            "does not end with a whole entry",
        ));
    }
    Ok(entries.to_vec())
}
