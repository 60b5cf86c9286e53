//! What a domain has mapped, range by range.

use alloc::vec::Vec;

use crate::addr::{Address, Ipa, PAGE_SIZE, Pa, Span};

/// Pages in a row on both sides, with what else is known of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent<T> {
    /// Guest side.
    pub ipa: Ipa,
    /// Host side.
    pub pa: Pa,
    /// Number of pages.
    pub pages: u64,
    /// What they are.
    pub of: T,
}

impl<T: Copy + PartialEq> Extent<T> {
    /// Returns the guest side.
    pub fn guest(&self) -> Option<Span<Ipa>> {
        Span::of_pages(self.ipa, self.pages)
    }

    /// Returns the host side.
    pub fn host(&self) -> Option<Span<Pa>> {
        Span::of_pages(self.pa, self.pages)
    }

    /// Returns the address behind the last page, on both sides.
    fn end(&self) -> Option<(Ipa, Pa)> {
        let size = self.pages.checked_mul(PAGE_SIZE)?;
        Some((self.ipa.checked_add(size)?, self.pa.checked_add(size)?))
    }

    /// Returns the pages from `first` on, counted from zero.
    fn part(&self, first: u64, pages: u64) -> Option<Self> {
        let offset = first.checked_mul(PAGE_SIZE)?;
        (pages > 0).then_some(Self {
            ipa: self.ipa.checked_add(offset)?,
            pa: self.pa.checked_add(offset)?,
            pages,
            of: self.of,
        })
    }
}

/// Extents, sorted by their guest side, where no two overlap.
#[derive(Debug)]
pub struct Extents<T>(Vec<Extent<T>>);

impl<T: Copy + PartialEq> Extents<T> {
    /// Makes a list of nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns how many pages there are.
    pub fn pages(&self) -> u64 {
        self.0.iter().map(|extent| extent.pages).sum()
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &Extent<T>> {
        self.0.iter()
    }

    /// Makes room for two more, what a hole in one makes of it included. Returns whether it could.
    pub fn reserve(&mut self) -> bool {
        self.0.try_reserve(2).is_ok()
    }

    /// Tells whether a page of this range is in the list.
    pub fn meets(&self, guest: Span<Ipa>) -> bool {
        let mut ranges = self.0.iter().filter_map(Extent::guest);
        ranges.any(|range| range.overlaps(guest))
    }

    /// Returns the page at this guest address.
    pub fn page(&self, at: Ipa) -> Option<Extent<T>> {
        let extent = self
            .0
            .iter()
            .find(|extent| extent.guest().is_some_and(|guest| guest.contains(at)))?;
        extent.part((at.raw() - extent.ipa.raw()) / PAGE_SIZE, 1)
    }

    /// Returns the host page behind the one that lies in front of this guest address.
    pub fn next(&self, at: Ipa) -> Option<Pa> {
        let ends = self.0.iter().filter_map(Extent::end);
        ends.filter(|(guest, _)| *guest == at)
            .map(|(_, host)| host)
            .next()
    }

    /// Adds an extent that overlaps none.
    pub fn add(&mut self, extent: Extent<T>) {
        let at = self.0.partition_point(|other| other.ipa < extent.ipa);
        let follows = |one: &Extent<T>, other: &Extent<T>| {
            one.of == other.of && one.end() == Some((other.ipa, other.pa))
        };
        let mut extent = extent;
        if let Some(behind) = self.0.get(at).filter(|behind| follows(&extent, behind)) {
            extent.pages += behind.pages;
            self.0.remove(at);
        }
        let before = at.checked_sub(1).and_then(|place| self.0.get_mut(place));
        match before.filter(|before| follows(before, &extent)) {
            Some(before) => before.pages += extent.pages,
            None => self.0.insert(at, extent),
        }
    }

    /// Takes pages out, wherever they are.
    pub fn remove(&mut self, guest: Span<Ipa>) {
        let mut at = 0;
        while let Some(extent) = self.0.get(at).copied() {
            let shared = extent.guest().and_then(|range| range.intersection(guest));
            let Some(shared) = shared else {
                at += 1;
                continue;
            };
            let first = (shared.first().raw() - extent.ipa.raw()) / PAGE_SIZE;
            let behind = first + shared.pages();
            self.0.remove(at);
            let parts = [
                extent.part(0, first),
                extent.part(behind, extent.pages - behind),
            ];
            for part in parts.into_iter().flatten() {
                self.0.insert(at, part);
                at += 1;
            }
        }
    }

    /// Takes the last pages out, at most so many of the last extent.
    pub fn pop(&mut self, most: u64) -> Option<Extent<T>> {
        let last = self.0.last_mut()?;
        let pages = last.pages.min(most);
        let part = last.part(last.pages - pages, pages)?;
        last.pages -= pages;
        if last.pages == 0 {
            self.0.pop();
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(ipa: u64, pa: u64, pages: u64) -> Extent<u8> {
        Extent {
            ipa: Ipa::new(ipa << 12),
            pa: Pa::new(pa << 12),
            pages,
            of: 1,
        }
    }

    fn guest(first: u64, pages: u64) -> Span<Ipa> {
        Span::of_pages(Ipa::new(first << 12), pages).unwrap()
    }

    fn all(extents: &Extents<u8>) -> Vec<(u64, u64, u64)> {
        let plain = |e: &Extent<u8>| (e.ipa.raw() >> 12, e.pa.raw() >> 12, e.pages);
        extents.iter().map(plain).collect()
    }

    /// What lies in a row on both sides is one extent, and a hole makes two of it.
    #[test]
    fn extents_join_and_part() {
        let mut list = Extents::new();
        for (ipa, pa) in [(4, 14), (6, 16), (5, 15), (9, 40), (3, 99)] {
            list.add(extent(ipa, pa, 1));
        }
        assert_eq!(all(&list), [(3, 99, 1), (4, 14, 3), (9, 40, 1)]);
        list.add(Extent {
            of: 2,
            ..extent(7, 17, 1)
        });
        assert_eq!(list.len(), 4, "another kind stays apart");
        list.remove(guest(5, 1));
        assert_eq!(
            all(&list),
            [(3, 99, 1), (4, 14, 1), (6, 16, 1), (7, 17, 1), (9, 40, 1)]
        );
        list.remove(guest(0, 8));
        assert_eq!(all(&list), [(9, 40, 1)]);
    }

    /// Pages are found by the guest's address, and go from the end.
    #[test]
    fn pages_are_found() {
        let mut list = Extents::new();
        list.add(extent(0x10, 0x80, 5));
        assert_eq!(
            list.page(Ipa::new(0x1_2345)).map(|e| e.pa.raw()),
            Some(0x8_2000)
        );
        assert_eq!(list.page(Ipa::new(0x1_5000)), None);
        assert_eq!(list.next(Ipa::new(0x1_5000)), Some(Pa::new(0x8_5000)));
        assert!(list.meets(guest(0x14, 9)) && !list.meets(guest(0x15, 9)));
        assert_eq!(list.pop(2), Some(extent(0x13, 0x83, 2)));
        assert_eq!(
            (list.pop(9), list.pop(1)),
            (Some(extent(0x10, 0x80, 3)), None)
        );
    }
}
