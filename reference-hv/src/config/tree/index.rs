//! All nodes of a tree in one list, so that parents, paths and phandles cost no walk.

use alloc::vec::Vec;

use crate::config::bindings::Bindings;
use crate::config::error::HostError;
use crate::config::limits::MAX_NODES;
use crate::config::machine::{Found, Marks, NodeId};
use crate::dt::{Blob, Event, Node, Prop};

/// A node, with what everybody asks about every node noted on the way.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: usize,
    parent: NodeId,
    /// The first node behind it that is no part of it.
    end: NodeId,
    phandle: u32,
    address_cells: u32,
    size_cells: u32,
    /// Where its first `reg` stands; zero for nowhere.
    reg: usize,
    marks: Marks,
}

/// Stands for a number of cells that is not readable; no valid one is as large.
const UNREADABLE: u32 = u32::MAX;

/// All nodes of a tree in the order in which they stand, a parent in front of its children.
#[derive(Clone, Debug)]
pub struct Index<'t> {
    blob: Blob<'t>,
    entries: Vec<Entry>,
    /// How its nodes are to be understood.
    pub bindings: &'static Bindings,
    /// The interrupt controller, once it is found.
    pub controller: NodeId,
}

impl<'t> Index<'t> {
    /// Lists the nodes of a tree in one walk.
    ///
    /// # Errors
    /// Refuses more nodes than [`MAX_NODES`].
    pub fn new(blob: Blob<'t>, bindings: &'static Bindings) -> Result<Self, HostError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(96);
        let mut open: Vec<NodeId> = Vec::with_capacity(8);
        for event in blob.walk() {
            match event {
                Event::Begin(node) => {
                    let id = u32::try_from(entries.len()).map_or(NodeId::ROOT, NodeId);
                    if entries.len() >= MAX_NODES {
                        return Err(HostError::TooManyNodes);
                    }
                    entries.push(Entry {
                        offset: node.offset(),
                        parent: open.last().copied().unwrap_or(NodeId::ROOT),
                        end: id.next(),
                        phandle: 0,
                        address_cells: 2,
                        size_cells: 1,
                        reg: 0,
                        marks: Marks::empty(),
                    });
                    open.push(id);
                }
                Event::Prop(prop) => {
                    // Properties come before children, so the newest node is the one that is open.
                    if let Some(entry) = entries.last_mut() {
                        note(entry, prop, bindings);
                    }
                }
                Event::End => {
                    let end = u32::try_from(entries.len()).map_or(NodeId::ROOT, NodeId);
                    let ended = open.pop().and_then(|id| entries.get_mut(id.place()));
                    if let Some(ended) = ended {
                        ended.end = end;
                    }
                }
            }
        }
        Ok(Self {
            blob,
            entries,
            bindings,
            controller: NodeId::ROOT,
        })
    }

    /// Returns every node in the order in which they stand.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.entries.len()).unwrap_or(0)).map(NodeId)
    }

    /// Returns the node.
    pub fn node(&self, id: NodeId) -> Node<'t> {
        self.entries
            .get(id.place())
            .and_then(|entry| Node::from_offset(self.blob, entry.offset))
            .unwrap_or_else(|| self.blob.root())
    }

    /// Returns the parent; the root has none.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        if id == NodeId::ROOT {
            None
        } else {
            self.entries.get(id.place()).map(|e| e.parent)
        }
    }

    /// Returns the children in the order in which they stand.
    pub fn children(&self, parent: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        // From each child straight to the next, whatever is inside.
        let end = self.end(parent);
        core::iter::successors(Some(parent.next()), |child| Some(self.end(*child)))
            .take_while(move |child| *child < end)
    }

    fn end(&self, id: NodeId) -> NodeId {
        let entry = self.entries.get(id.place());
        entry.map_or(id.next(), |entry| entry.end)
    }

    /// Tells whether a node is another or lies inside it.
    pub fn is_within(&self, id: NodeId, other: NodeId) -> bool {
        other <= id && id < self.end(other)
    }

    /// Returns what the node says it is.
    pub fn marks(&self, id: NodeId) -> Marks {
        self.entries
            .get(id.place())
            .map_or(Marks::empty(), |entry| entry.marks)
    }

    /// Returns the nodes that say that they are all of this.
    pub fn marked(&self, marks: Marks) -> impl Iterator<Item = NodeId> + '_ {
        let entries = self.ids().zip(&self.entries);
        entries
            .filter(move |(_, entry)| entry.marks.contains(marks))
            .map(|(id, _)| id)
    }

    /// Returns the first `reg` of the node.
    pub fn reg(&self, id: NodeId) -> Option<Prop<'t>> {
        let entry = self.entries.get(id.place())?;
        Prop::from_offset(self.blob, entry.reg)
    }

    /// Returns how many cells the addresses and the sizes of the children of `id` have, as the
    /// tree says it, default included; nothing sensible where it says nothing readable.
    pub fn cells(&self, id: NodeId) -> (u32, u32) {
        self.entries
            .get(id.place())
            .map_or((UNREADABLE, UNREADABLE), |e| {
                (e.address_cells, e.size_cells)
            })
    }

    /// Returns the phandle of the node, if it has one.
    pub fn phandle(&self, id: NodeId) -> Option<u32> {
        let stated = self.entries.get(id.place())?.phandle;
        (stated != 0 && stated != u32::MAX).then_some(stated)
    }

    /// Finds the node that a phandle names.
    pub fn by_phandle(&self, phandle: u32) -> Found {
        let mut found = Found::Nothing;
        // Zero and all ones name nothing (Devicetree Specification 2.3.3 and 5.4.1 of older ones).
        if phandle != 0 && phandle != u32::MAX {
            for (id, entry) in self.ids().zip(&self.entries) {
                if entry.phandle == phandle {
                    found.add(id);
                }
            }
        }
        found
    }

    /// Finds the node with exactly this absolute path: no alias, no missing unit address, no
    /// empty or relative part.
    pub fn by_path(&self, path: &str) -> Found {
        self.search(path, |node, part| node.is_called(part))
    }

    /// Finds the node with this path where case does not count.
    pub fn by_path_in_any_case(&self, path: &str) -> Found {
        self.search(path, |node, part| node.name().eq_ignore_ascii_case(part))
    }

    fn search(&self, path: &str, same: impl Fn(Node<'t>, &str) -> bool) -> Found {
        let Some(parts) = path.strip_prefix('/') else {
            return Found::Nothing;
        };
        if parts.is_empty() {
            return Found::One(NodeId::ROOT);
        }
        let mut at = NodeId::ROOT;
        for part in parts.split('/') {
            let mut found = Found::Nothing;
            for child in self
                .children(at)
                .filter(|child| same(self.node(*child), part))
            {
                found.add(child);
            }
            match found {
                Found::One(child) => at = child,
                Found::Nothing | Found::Several => return found,
            }
        }
        Found::One(at)
    }
}

/// Notes what a property says. The first letter decides which names are worth comparing.
fn note(entry: &mut Entry, prop: Prop<'_>, bindings: &Bindings) {
    let number = || prop.u32().unwrap_or(UNREADABLE);
    match prop.initial() {
        b'#' if prop.is("#address-cells") => entry.address_cells = number(),
        b'#' if prop.is("#size-cells") => entry.size_cells = number(),
        b'#' if prop.is("#iommu-cells") => entry.marks |= Marks::IOMMU,
        b'c' if prop.is("compatible") => {
            for model in prop.strings() {
                entry.marks |= bindings.marks(model);
            }
        }
        b'd' if prop.is("device_type") => {
            for kind in prop.strings() {
                entry.marks |= match kind {
                    "memory" => Marks::MEMORY,
                    "pci" => Marks::PCI,
                    _ => Marks::empty(),
                };
            }
        }
        b'i' if prop.is("iommus") => entry.marks |= Marks::MASTER,
        b'l' if prop.is("linux,phandle") => entry.phandle = prop.u32().unwrap_or(0),
        b'p' if prop.is("phandle") => entry.phandle = prop.u32().unwrap_or(0),
        b'r' if entry.reg == 0 && prop.is("reg") => entry.reg = prop.offset(),
        _ => {}
    }
}
