//! Ops that access many addresses, or poll one.

use wire::{Answer, Same, Sweep, Width};

use super::Runner;
use crate::machine::{Abort, Machine};

/// The number of reads of a poll before the CPU sleeps between two reads.
const EAGER: u32 = 16;

/// The number of a poll's sleeps per second.
const LOOKS: u64 = 10_000;

/// The number of words that a RAM test writes before it reads the first one back.
const BLOCK: usize = 64;

impl<M: Machine> Runner<'_, M> {
    pub(super) fn sweep(
        &self,
        width: Width,
        at: u64,
        count: u32,
        stride: u64,
        value: Option<u64>,
    ) -> Result<Answer, Abort> {
        let mut seen = Sweep::default();
        let mut address = at;
        for _ in 0..count {
            let result = match value {
                Some(value) => self.machine.write(width, address, value),
                None => self.machine.read(width, address).map(|_| ()),
            };
            let fault = match result {
                Ok(()) => {
                    seen.ok += 1;
                    seen.first_ok = seen.first_ok.or(Some(address));
                    address = address.wrapping_add(stride);
                    continue;
                }
                Err(Abort::Fault(fault)) => fault,
                Err(abort) => return Err(abort),
            };
            seen.faults += 1;
            seen.first_fault = seen.first_fault.or(Some(address));
            seen.first_raw = seen.first_raw.or(Some(fault.raw()));
            if fault.address() != Some(address) {
                seen.elsewhere += 1;
            }
            address = address.wrapping_add(stride);
        }
        Ok(Answer::Sweep(seen))
    }

    pub(super) fn same(
        &self,
        width: Width,
        (at, count, stride): (u64, u32, u64),
        value: u64,
        inc: u64,
    ) -> Result<Answer, Abort> {
        let mut seen = Same::default();
        let (mut address, mut wanted) = (at, value);
        for _ in 0..count {
            match self.machine.read(width, address) {
                Ok(found) if found == wanted => seen.matches += 1,
                Ok(found) => {
                    seen.mismatches += 1;
                    seen.first = seen.first.or(Some((address, found)));
                }
                Err(Abort::Fault(_)) => seen.faults += 1,
                Err(abort) => return Err(abort),
            }
            address = address.wrapping_add(stride);
            wanted = wanted.wrapping_add(inc) & width.max();
        }
        Ok(Answer::Same(seen))
    }

    pub(super) fn wait(
        &mut self,
        width: Width,
        at: u64,
        mask: u64,
        value: u64,
        ms: u32,
    ) -> Result<Answer, Abort> {
        self.poll(mask, value, ms, |runner| runner.machine.read(width, at))
    }

    /// Reads until the bits in `mask` are `value`, or the time is up.
    pub(super) fn poll(
        &mut self,
        mask: u64,
        value: u64,
        ms: u32,
        mut look: impl FnMut(&mut Self) -> Result<u64, Abort>,
    ) -> Result<Answer, Abort> {
        let machine = self.machine;
        let deadline = self.after(ms);
        let mut looks = 0;
        loop {
            let now = machine.now();
            let found = look(self)?;
            if found & mask == value {
                return Ok(Answer::Value(found));
            }
            if now >= deadline {
                return Ok(Answer::Timeout(found));
            }
            looks += 1;
            // The first reads are immediate; between later ones other domains can run.
            if looks > EAGER && self.controller()?.is_some() {
                let next = now.saturating_add(machine.frequency() / LOOKS);
                machine.sleep(next.min(deadline));
            }
        }
    }

    /// Tests memory in blocks, so that it detects aliased words; skips memory that must stay.
    pub(super) fn ram(&self, at: u64, len: u64) -> Result<Answer, Abort> {
        let machine = self.machine;
        let Some(last) = at.checked_add(len - 1) else {
            return Err(Abort::Unmapped);
        };
        let mut address = at;
        // If the range has only the probe's own memory, nothing was tested.
        let mut outcome = Err(Abort::Own);
        while address <= last {
            if let Some(past) = self.past_own(address) {
                // Only whole words are tested; bytes after the last one are ignored.
                match past.checked_next_multiple_of(8) {
                    Some(next) if next <= last => address = next,
                    _ => break,
                }
                continue;
            }
            let next_own = machine
                .own()
                .iter()
                .map(|(first, _)| first & !7)
                .filter(|first| *first > address)
                .min();
            let end = next_own.unwrap_or(u64::MAX).min(last);
            let words = ((end - address) / 8 + u64::from(end == last)).max(1);
            let words = usize::try_from(words).unwrap_or(BLOCK).min(BLOCK);
            if let Some(bad) = self.ram_block(address, words)? {
                return Ok(Answer::BadRam(bad));
            }
            outcome = Ok(Answer::Ok);
            // At most 64 words.
            let step = u64::try_from(words).unwrap_or(1) * 8;
            match address.checked_add(step) {
                Some(next) => address = next,
                None => break,
            }
        }
        outcome
    }

    fn ram_block(&self, base: u64, words: usize) -> Result<Option<u64>, Abort> {
        let machine = self.machine;
        let address = |word: usize| base.wrapping_add(u64::try_from(word).unwrap_or(0) * 8);
        // Different in every word, and in every bit between an address and the same one elsewhere.
        let pattern =
            |address: u64| address.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ !address.rotate_left(32);
        let mut kept = [0; BLOCK];
        for (word, value) in kept.iter_mut().take(words).enumerate() {
            *value = machine.read(Width::W64, address(word))?;
        }
        for word in 0..words {
            machine.write(Width::W64, address(word), pattern(address(word)))?;
        }
        let mut bad = None;
        for word in 0..words {
            let found = machine.read(Width::W64, address(word))?;
            if found != pattern(address(word)) {
                bad = bad.or(Some(address(word)));
            }
        }
        for (word, value) in kept.iter().take(words).enumerate() {
            machine.write(Width::W64, address(word), *value)?;
        }
        Ok(bad)
    }

    /// Returns the first address after the memory that must stay, if `at` is in it.
    fn past_own(&self, at: u64) -> Option<u64> {
        let inside = |first: u64, last: u64| first & !7 <= at && at <= last;
        self.machine
            .own()
            .iter()
            .find(|(first, last)| inside(*first, *last))
            .map(|(_, last)| last.saturating_add(1))
    }
}
