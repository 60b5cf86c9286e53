//! Which tags of address spaces are in use.

use crate::ids::Vmid;

/// Gives each address space a tag of its own.
#[derive(Debug)]
pub struct VmidAllocator {
    used: [bool; Vmid::COUNT],
}

impl VmidAllocator {
    /// Makes a set of which none is in use.
    pub const fn new() -> Self {
        Self {
            used: [false; Vmid::COUNT],
        }
    }

    /// Takes the lowest tag that is free.
    pub fn take(&mut self) -> Option<Vmid> {
        let mut all = self.used.iter_mut().zip(0..=u8::MAX);
        all.find_map(|(used, number)| {
            let tag = Vmid::new(number).filter(|_| !*used)?;
            *used = true;
            Some(tag)
        })
    }

    /// Takes a tag back. No translation may carry it any more.
    pub fn give_back(&mut self, tag: Vmid) {
        if let Some(used) = self.used.get_mut(usize::from(tag.number())) {
            *used = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are 255, each had by one, and one that comes back goes out again.
    #[test]
    fn there_are_so_many() {
        let mut vmids = VmidAllocator::new();
        let all: Vec<_> = core::iter::from_fn(|| vmids.take()).collect();
        assert_eq!(all.len(), 255);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        vmids.give_back(all[7]);
        assert_eq!((vmids.take(), vmids.take()), (Some(all[7]), None));
    }
}
