//! Places that keep their number for as long as they are taken.

use alloc::vec::Vec;

/// A list in which what is put in stays where it is until it is taken out.
#[derive(Debug)]
pub struct Slab<T>(Vec<Option<T>>);

impl<T> Slab<T> {
    /// Makes a list with nothing in it, and room for a few before it needs memory.
    pub fn new() -> Self {
        Self(Vec::with_capacity(16))
    }

    /// Puts something into the first free place, and returns which that is.
    pub fn put(&mut self, one: T) -> usize {
        match self.0.iter_mut().zip(0..).find(|(slot, _)| slot.is_none()) {
            Some((slot, place)) => {
                *slot = Some(one);
                place
            }
            None => {
                self.0.push(Some(one));
                self.0.len() - 1
            }
        }
    }

    /// Takes out what is at a place.
    pub fn take(&mut self, place: usize) -> Option<T> {
        self.0.get_mut(place)?.take()
    }

    /// Returns what is at a place.
    pub fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place)?.as_ref()
    }

    /// Returns what is at a place.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place)?.as_mut()
    }

    /// Returns everything with its place.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        (0..)
            .zip(&self.0)
            .filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }

    /// Returns everything with its place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        (0..)
            .zip(&mut self.0)
            .filter_map(|(place, slot)| Some((place, slot.as_mut()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stays keeps its place when others go, and a place is used again.
    #[test]
    fn places_are_stable() {
        let mut slots = Slab::new();
        assert_eq!(['a', 'b', 'c'].map(|one| slots.put(one)), [0, 1, 2]);
        assert_eq!(slots.take(1), Some('b'));
        assert_eq!((slots.get(1), slots.get(2)), (None, Some(&'c')));
        assert_eq!(slots.put('d'), 1);
        let all: Vec<_> = slots.iter().collect();
        assert_eq!(all, [(0, &'a'), (1, &'d'), (2, &'c')]);
        assert_eq!((slots.take(7), slots.get(7)), (None, None));
    }
}
