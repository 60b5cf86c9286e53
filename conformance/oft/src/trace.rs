//! Links items and judges their coverage, as OFT does.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Serialize;

use super::{
    id::Id,
    item::{Item, Reference, Status},
};

/// The result of one reference from an item to another.
///
/// The first six are seen from the covering item, the last four from the covered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The other item exists in this revision and needs this kind.
    Covers,
    /// The other item exists, in an older revision only.
    Predated,
    /// The other item exists, in a newer revision.
    Outdated,
    /// The other item exists more than once.
    Ambiguous,
    /// The other item exists, but does not need this kind.
    Unwanted,
    /// No item has this id and revision.
    Orphaned,
    /// The other item covers this one as needed.
    CoveredShallow,
    /// The other item covers this one with a kind that this one does not need.
    CoveredUnwanted,
    /// The other item covers a newer revision than this one.
    CoveredPredated,
    /// The other item covers an older revision than this one.
    CoveredOutdated,
}

impl Link {
    /// Tells whether the link makes the item a defect.
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::Covers | Self::CoveredShallow)
    }

    /// Returns the link in words, seen from the item that holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Covers => "covers",
            Self::Predated => "predated",
            Self::Outdated => "outdated",
            Self::Ambiguous => "ambiguous",
            Self::Unwanted => "unwanted",
            Self::Orphaned => "orphaned",
            Self::CoveredShallow => "covered by",
            Self::CoveredUnwanted => "unwanted coverage by",
            Self::CoveredPredated => "predated coverage by",
            Self::CoveredOutdated => "outdated coverage by",
        }
    }
}

/// Whether an item and all items that cover it are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deep {
    /// Every needed kind covers the item, and this holds for every item that covers it.
    Covered,
    /// A needed kind is missing at some level.
    Uncovered,
    /// The item covers itself through a cycle of links, or is covered by items in such a cycle.
    Cycle,
}

/// One link of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The result of the reference.
    pub link: Link,
    /// The id that was referred to.
    pub wanted: Id,
    /// The item at the other end, as an index into [`Trace::items`]; none for an orphan.
    pub other: Option<usize>,
    /// The line of the reference, in the file of the item that covers.
    pub line: u32,
}

/// An item with its links and its coverage.
#[derive(Clone, Debug)]
pub struct Traced<'c> {
    /// The item.
    pub item: &'c Item,
    /// The links to items that this one covers. An item that covers a wrong revision has two edges for it.
    pub out: Vec<Edge>,
    /// The links from items that cover this one.
    pub into: Vec<Edge>,
    /// The other items with the same id, as indices into [`Trace::items`].
    pub duplicates: Vec<usize>,
    /// The needed kinds that no item covers, in the order in which they are needed.
    pub missing: Vec<String>,
    /// The kinds that cover without being needed, sorted.
    pub unneeded: Vec<String>,
    /// Whether the item and all items that cover it are covered.
    pub deep: Deep,
    /// Whether the item has any defect.
    pub defect: bool,
}

/// All items of a catalog, linked and judged.
#[derive(Clone, Debug)]
pub struct Trace<'c> {
    items: Vec<Traced<'c>>,
    /// The first item of each id.
    index: &'c HashMap<Id, usize>,
}

impl<'c> Trace<'c> {
    /// Links and judges `items`. `index` has the first item of each id, and `first` the first item with the id of each
    /// item.
    pub(super) fn of(items: &'c [Item], index: &'c HashMap<Id, usize>, first: &[usize]) -> Self {
        let mut trace = Self {
            items: items.iter().map(Traced::unlinked).collect(),
            index,
        };
        for (at, &first) in first.iter().enumerate().filter(|&(at, &first)| first != at) {
            trace.items[first].duplicates.push(at);
            trace.items[at].duplicates.push(first);
        }
        trace.link();
        trace.find_missing();
        trace.cover_deeply();
        for at in 0..trace.items.len() {
            trace.judge(at);
        }
        trace
    }

    /// Returns all items, in the order of the catalog.
    pub fn items(&self) -> &[Traced<'c>] {
        &self.items
    }

    /// Returns the item of this id; the first if there are several.
    pub fn get(&self, id: &Id) -> Option<&Traced<'c>> {
        self.items.get(*self.index.get(id)?)
    }

    /// Returns the item at the other end of a link; none for an orphan.
    pub fn other(&self, edge: &Edge) -> Option<&'c Item> {
        Some(self.items.get(edge.other?)?.item)
    }

    /// Returns the items of one kind that cover an item of this trace with a needed kind.
    pub fn covering(&self, traced: &Traced<'c>, kind: &str) -> impl Iterator<Item = &'c Item> {
        traced
            .shallow()
            .filter_map(|edge| self.other(edge))
            .filter(move |item| item.id.kind() == kind)
    }

    /// Returns the other items of the same id.
    pub fn duplicates(&self, traced: &Traced<'c>) -> impl Iterator<Item = &'c Item> {
        traced
            .duplicates
            .iter()
            .filter_map(|&at| Some(self.items.get(at)?.item))
    }

    /// Returns how many items are defects.
    pub fn defects(&self) -> usize {
        self.items.iter().filter(|traced| traced.defect).count()
    }

    /// Tells whether no item is a defect.
    pub fn is_clean(&self) -> bool {
        self.defects() == 0
    }

    fn link(&mut self) {
        let mut revisions = None;
        for at in 0..self.items.len() {
            let item = self.items[at].item;
            for reference in &item.covers {
                let wanted = &reference.id;
                if let Some(&other) = self.index.get(wanted) {
                    let (link, back) = self.items[other].meet(item.id.kind());
                    self.join(at, reference, link, Some(other));
                    if let Some(back) = back {
                        self.join(other, reference, back, Some(at));
                    }
                    continue;
                }
                self.join(at, reference, Link::Orphaned, None);
                // The id itself does not exist, so no revision here equals the wanted one.
                let revisions = revisions.get_or_insert_with(|| Self::revisions(&self.items));
                for &other in revisions
                    .get(&(wanted.kind(), wanted.name()))
                    .into_iter()
                    .flatten()
                {
                    let newer = self.items[other].item.id.revision() > wanted.revision();
                    let (link, back) = if newer {
                        (Link::Outdated, Link::CoveredOutdated)
                    } else {
                        (Link::Predated, Link::CoveredPredated)
                    };
                    self.join(at, reference, link, Some(other));
                    self.join(other, reference, back, Some(at));
                }
            }
        }
    }

    /// Finds all items of a kind and name, whatever their revisions.
    fn revisions(items: &[Traced<'c>]) -> HashMap<(&'c str, &'c str), Vec<usize>> {
        let mut revisions: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, traced) in items.iter().enumerate() {
            let id = &traced.item.id;
            revisions
                .entry((id.kind(), id.name()))
                .or_default()
                .push(at);
        }
        revisions
    }

    /// Adds one end of a link to the item at `at`.
    fn join(&mut self, at: usize, reference: &Reference, link: Link, other: Option<usize>) {
        let incoming = matches!(
            link,
            Link::CoveredShallow
                | Link::CoveredUnwanted
                | Link::CoveredPredated
                | Link::CoveredOutdated
        );
        let traced = &mut self.items[at];
        let side = if incoming {
            &mut traced.into
        } else {
            &mut traced.out
        };
        side.push(Edge {
            link,
            wanted: reference.id.clone(),
            other,
            line: reference.line,
        });
    }

    fn find_missing(&mut self) {
        let kinds = |trace: &Self, at: usize, wanted: Link| -> Vec<&'c str> {
            let edges = trace.items[at]
                .into
                .iter()
                .filter(|edge| edge.link == wanted);
            let others = edges.filter_map(|edge| trace.other(edge));
            let mut kinds: Vec<&str> = others.map(|item| item.id.kind()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        };
        for at in 0..self.items.len() {
            let covered = kinds(self, at, Link::CoveredShallow);
            let unneeded = kinds(self, at, Link::CoveredUnwanted);
            let traced = &mut self.items[at];
            let is_missing = |kind: &&String| covered.binary_search(&kind.as_str()).is_err();
            traced.missing = traced
                .item
                .needs
                .iter()
                .filter(is_missing)
                .cloned()
                .collect();
            traced.unneeded = unneeded.into_iter().map(str::to_owned).collect();
        }
    }

    /// Propagates coverage from the items that nothing covers to those above them. An item that is never reached is in
    /// a cycle of links, or above one.
    fn cover_deeply(&mut self) {
        let mut waiting: Vec<usize> = self.items.iter().map(|traced| traced.into.len()).collect();
        let mut ready: VecDeque<usize> = waiting
            .iter()
            .enumerate()
            .filter(|&(_, &edges)| edges == 0)
            .map(|(at, _)| at)
            .collect();
        while let Some(at) = ready.pop_front() {
            let traced = &self.items[at];
            let below = traced
                .into
                .iter()
                .filter_map(|edge| Some(self.items[edge.other?].deep));
            let own = if traced.missing.is_empty() {
                Deep::Covered
            } else {
                Deep::Uncovered
            };
            let deep = below.fold(own, Deep::max);
            for edge in &traced.out {
                // An ambiguous or orphaned link has no other end to propagate to.
                let Some(above) = edge.other.filter(|_| edge.link != Link::Ambiguous) else {
                    continue;
                };
                waiting[above] -= 1;
                if waiting[above] == 0 {
                    ready.push_back(above);
                }
            }
            self.items[at].deep = deep;
        }
    }

    fn judge(&mut self, at: usize) {
        let traced = &self.items[at];
        let doubled = !traced.duplicates.is_empty();
        let bad = traced
            .out
            .iter()
            .chain(&traced.into)
            .any(|edge| edge.link.is_bad());
        // OFT compares ids when it looks for cycles, so a path to a duplicate counts as a cycle as well.
        let cycle = doubled && self.leads_to_duplicate(at);
        let traced = &mut self.items[at];
        if cycle {
            traced.deep = Deep::Cycle;
        }
        let rejected = traced.item.status == Status::Rejected;
        traced.defect = doubled || !rejected && (bad || traced.deep != Deep::Covered);
    }

    fn leads_to_duplicate(&self, start: usize) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            for other in self.items[at].into.iter().filter_map(|edge| edge.other) {
                if self.items[other].item.id == self.items[start].item.id {
                    return true;
                }
                if seen.insert(other) {
                    open.push(other);
                }
            }
        }
        false
    }
}

impl<'c> Traced<'c> {
    /// Starts without links. The item's coverage counts as a cycle until propagation reaches it.
    fn unlinked(item: &'c Item) -> Self {
        Self {
            item,
            out: Vec::with_capacity(item.covers.len()),
            into: Vec::new(),
            duplicates: Vec::new(),
            missing: Vec::new(),
            unneeded: Vec::new(),
            deep: Deep::Cycle,
            defect: false,
        }
    }

    /// Returns the links of the items that cover this one with a needed kind.
    pub fn shallow(&self) -> impl Iterator<Item = &Edge> {
        self.into
            .iter()
            .filter(|edge| edge.link == Link::CoveredShallow)
    }

    /// Returns the result of a reference to this item from an item of `kind`: the link at that item, and the one at
    /// this item.
    fn meet(&self, kind: &str) -> (Link, Option<Link>) {
        if !self.item.needs.iter().any(|need| need == kind) {
            (Link::Unwanted, Some(Link::CoveredUnwanted))
        } else if self.duplicates.is_empty() {
            (Link::Covers, Some(Link::CoveredShallow))
        } else {
            (Link::Ambiguous, None)
        }
    }
}

#[cfg(test)]
mod tests;
