//! IOMMUs, and how the tree says which device goes through which.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::device::is_okay;
use super::host::Host;
use super::index::Index;
use super::interrupts::kept_lines;
use super::reg::{Reg, reg};
use crate::config::error::ConfigError;
use crate::config::flaw::Flaw;
use crate::config::machine::{
    Found, HostBridge, Iommu, Marks, Master, NodeId, StreamMap, StreamRange,
};
use crate::dt::{Node, Prop};
use crate::fault::{self, Fault};
use crate::ids::{SourceId, Stream};

const IOMMUS: &str = "iommus";
const MAP: &str = "iommu-map";
const MAP_MASK: &str = "iommu-map-mask";

/// Finds every IOMMU.
pub fn iommus(index: &Index<'_>) -> Vec<Iommu> {
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
                lines: kept_lines(index, id),
                active: way.all(|id| is_okay(index.node(id))),
                driven: index.marks(id).contains(Marks::DRIVEN),
            }
        })
        .collect()
}

impl Host<'_> {
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
        let refuse = |flaw: Flaw| ConfigError::new(node, IOMMUS, flaw);
        let mut words = prop.words();
        let mut passing = None;
        while let Some(phandle) = words.next() {
            let (iommu, number) = named(&self.index, &self.iommus, phandle).map_err(refuse)?;
            let cells = self.node(iommu.id).read("#iommu-cells", Prop::u32)?;
            let cells = cells.unwrap_or(1);
            let mut last = None;
            for _ in 0..cells {
                last = words.next();
                if last.is_none() {
                    return Err(refuse(Flaw::Entry));
                }
            }
            let name = |id| self.node(id).path().to_string();
            if !iommu.active && !fault::on(Fault::DisabledIommuProtects) {
                passing = Some(iommu.id);
                continue;
            }
            let Some(id) = last.filter(|_| cells == 1) else {
                return Err(refuse(Flaw::StreamCells(name(iommu.id), cells)));
            };
            if let Some(other) = found.iter().find(|other| other.iommu != number)
                && !fault::on(Fault::SecondIommuIgnored)
            {
                let other = self.iommus.get(other.iommu).map_or(NodeId::ROOT, |o| o.id);
                return Err(refuse(Flaw::SecondIommu(name(iommu.id), name(other))));
            }
            if found.iter().all(|other| other.iommu == number) {
                found.push(Stream {
                    iommu: number,
                    id: SourceId(id),
                });
            }
        }
        if let (Some(passing), Some(_)) = (passing, found.first()) {
            let path = self.node(passing).path().to_string();
            return Err(refuse(Flaw::PassingIommu(path)));
        }
        Ok(())
    }

    /// Returns the stream by which an active IOMMU knows what a function behind a PCI host bridge does; nothing
    /// where the bridge does not say that one does. `requester` is bus, device and function.
    ///
    /// # Errors
    /// Refuses what cannot be understood.
    pub fn requester(
        &self,
        bridge: &HostBridge,
        requester: u16,
    ) -> Result<Option<Stream>, ConfigError> {
        let map = bridge.streams.as_ref().map_err(Clone::clone)?;
        let found = map.stream(requester);
        found.map_err(|flaw| ConfigError::new(self.node(bridge.id), MAP, flaw))
    }

    /// Returns the first active IOMMU that an `iommu-map` names.
    ///
    /// # Errors
    /// Refuses what cannot be understood.
    pub fn mapped_through(&self, id: NodeId) -> Result<Option<NodeId>, ConfigError> {
        let first = stream_map(&self.index, &self.iommus, id)?.first();
        let first = first.map_err(|flaw| ConfigError::new(self.node(id), MAP, flaw))?;
        let iommu = first.and_then(|first| self.iommus.get(first));
        Ok(iommu.map(|iommu| iommu.id))
    }
}

/// Finds the IOMMU that a phandle names, and its place among all.
fn named<'i>(
    index: &Index<'_>,
    iommus: &'i [Iommu],
    phandle: u32,
) -> Result<(&'i Iommu, usize), Flaw> {
    match index.by_phandle(phandle) {
        Found::One(id) => {
            let found = iommus.iter().zip(0..).find(|(iommu, _)| iommu.id == id);
            let path = || index.node(id).path().to_string();
            found.ok_or_else(|| Flaw::NoIommu(phandle, path()))
        }
        Found::Nothing => Err(Flaw::Phandle(phandle, "no node")),
        Found::Several => Err(Flaw::Phandle(phandle, "more than one node")),
    }
}

/// Reads the `iommu-map` of a node, empty where it has none: first requester, IOMMU, first stream, how many.
///
/// # Errors
/// Refuses what cannot be read.
pub fn stream_map(
    index: &Index<'_>,
    iommus: &[Iommu],
    id: NodeId,
) -> Result<StreamMap, ConfigError> {
    let node = index.node(id);
    let Some(map) = node.optional(MAP)? else {
        return Ok(StreamMap::default());
    };
    let words: Vec<u32> = map.words().collect();
    let (entries, rest) = words.as_chunks::<4>();
    let mask = node.read(MAP_MASK, Prop::u32)?.unwrap_or(u32::MAX);
    if !rest.is_empty() || !map.value().len().is_multiple_of(16) {
        return Err(ConfigError::new(node, MAP, Flaw::Entry));
    }
    let entries = entries.iter().map(|[first, phandle, stream, count]| {
        let iommu = named(index, iommus, *phandle);
        StreamRange {
            first: *first,
            count: *count,
            stream: *stream,
            iommu: iommu.map(|(iommu, number)| iommu.active.then_some(number)),
        }
    });
    Ok(StreamMap {
        mask,
        entries: entries.collect(),
    })
}
