//! Whose turn it is: round robin over what can run, a slice of time each.

use alloc::collections::VecDeque;

/// Takes turns among everything that can run.
#[derive(Debug)]
pub struct Scheduler<T> {
    waiting: VecDeque<T>,
    current: Option<T>,
    slice: u64,
    ends: u64,
}

impl<T: Copy + PartialEq> Scheduler<T> {
    /// Makes an empty round with slices of `slice` ticks.
    pub const fn new(slice: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            current: None,
            slice,
            ends: 0,
        }
    }

    /// Adds one that can run from now on, behind all others. One that is there already stays as it is.
    pub fn add(&mut self, one: T) {
        if self.current != Some(one) && !self.waiting.contains(&one) {
            self.waiting.push_back(one);
        }
    }

    /// Takes out whatever cannot run any more.
    pub fn remove(&mut self, gone: impl Fn(T) -> bool) {
        self.current = self.current.filter(|&one| !gone(one));
        self.waiting.retain(|&one| !gone(one));
    }

    /// Returns whose turn it is at `now`. A slice that is over ends a turn only when somebody waits.
    pub fn pick(&mut self, now: u64) -> Option<T> {
        if now >= self.ends || self.current.is_none() {
            self.pass();
            self.current = self.waiting.pop_front();
            self.ends = now.saturating_add(self.slice);
        }
        self.current
    }

    /// Ends the turn of the current one, who goes behind all others.
    pub fn pass(&mut self) {
        self.waiting.extend(self.current.take());
    }

    /// Returns when the current turn ends, if anybody waits for that.
    pub fn deadline(&self) -> Option<u64> {
        (!self.waiting.is_empty()).then_some(self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each gets a slice in the order of arrival, and the first again after the last.
    #[test]
    fn everybody_gets_a_turn() {
        let mut scheduler = Scheduler::new(10);
        for one in ['a', 'b', 'c'] {
            scheduler.add(one);
        }
        let picks: String = (0..9).filter_map(|n| scheduler.pick(n * 5)).collect();
        assert_eq!(picks, "aabbccaab");
    }

    /// Who is alone keeps the CPU and is not bothered by the clock.
    #[test]
    fn alone_means_undisturbed() {
        let mut scheduler = Scheduler::new(10);
        scheduler.add(1);
        assert_eq!((scheduler.pick(0), scheduler.deadline()), (Some(1), None));
        assert_eq!((scheduler.pick(100), scheduler.deadline()), (Some(1), None));
        scheduler.add(2);
        assert_eq!(
            (scheduler.pick(101), scheduler.deadline()),
            (Some(1), Some(110))
        );
        assert_eq!(scheduler.pick(110), Some(2));
    }

    /// Adding twice gives no second turn, and what is removed gets none.
    #[test]
    fn one_place_each() {
        let mut scheduler = Scheduler::new(10);
        for one in [1, 2, 1, 2, 3] {
            scheduler.add(one);
        }
        assert_eq!(scheduler.pick(0), Some(1));
        scheduler.add(1);
        scheduler.remove(|one| one == 2);
        assert_eq!(scheduler.pick(10), Some(3));
        scheduler.remove(|one| one == 3);
        assert_eq!(scheduler.pick(11), Some(1));
        scheduler.remove(|_| true);
        assert_eq!(scheduler.pick(12), None);
    }

    /// Who gives way early costs the next nothing of its slice.
    #[test]
    fn passing_starts_a_whole_slice() {
        let mut scheduler = Scheduler::new(10);
        scheduler.add(1);
        scheduler.add(2);
        assert_eq!(scheduler.pick(0), Some(1));
        scheduler.pass();
        assert_eq!(
            (scheduler.pick(3), scheduler.deadline()),
            (Some(2), Some(13))
        );
    }
}
