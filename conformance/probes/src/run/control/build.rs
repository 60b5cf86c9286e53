//! Builds domains: creation, memory, content and start.

use wire::{Answer, Reason, Width};

use super::call::{
    CACHE_FLUSH, CONTEXT, CREATE, MAX_MEM, MAX_VCPUS, SET_ADDRESS_SIZE, SET_CONTEXT, SET_POOL,
    UNPAUSE,
};
use super::{Errno, PAGE, failed};
use crate::machine::{Abi, Abort, Machine};
use crate::run::Runner;
use crate::tree::Tree;

/// The number of foreign pages that are mapped at a time.
const WINDOW_PAGES: u64 = 16;

/// The distance of the window from the end of RAM if the tree offers no space for it.
const GAP: u64 = 2 << 20;

/// The first domctl version whose `createdomain` has one more word before the architecture's part.
const LONGER: u32 = 0x17;

/// Pages of tables for a domain without memory; each 512 KiB of memory need one more.
const POOL_PAGES: u64 = 64;

impl<M: Machine> Runner<'_, M> {
    pub(super) fn create(
        &mut self,
        dom: u16,
        kib: u64,
        (cpus, lines, flags): (u32, u32, u32),
    ) -> Result<u64, Abort> {
        /// `max_evtchn_port`: the highest number of an event channel.
        const PORTS: u64 = 1023;
        let shift = if self.domctl_version()? >= LONGER {
            4
        } else {
            0
        };
        let arch = 56 + shift;
        // The hypervisor's defaults for grant and maptrack frames, and version 1 of grants.
        let fields = [
            (20, Width::W32, u64::from(flags)),
            (28, Width::W32, u64::from(cpus)),
            (32, Width::W32, PORTS),
            (36, Width::W64, u64::MAX),
            (44, Width::W32, 1),
            (arch + M::Abi::LINES, Width::W32, u64::from(lines)),
        ];
        let answer = self.domctl(CREATE, dom, &fields)?;
        if answer != 0 {
            return Ok(answer);
        }
        let chosen = self.work(8)?;
        let id = self.machine.read(Width::W16, chosen)?;
        let created = u16::try_from(id).unwrap_or(dom);
        let pool = (POOL_PAGES + kib / 512) * PAGE;
        let steps = [
            (SET_POOL, Width::W64, pool),
            (MAX_VCPUS, Width::W32, u64::from(cpus)),
            (SET_ADDRESS_SIZE, Width::W32, 64),
            (MAX_MEM, Width::W64, kib),
        ];
        for (command, width, value) in steps {
            let answer = self.domctl(command, created, &[(0, width, value)])?;
            // A hypervisor with 64-bit domains only need not have a call to choose them.
            let unknown = command == SET_ADDRESS_SIZE && answer == Errno::Enosys.value();
            if answer != 0 && !unknown {
                return Ok(answer);
            }
        }
        Ok(if dom == 0 { id } else { 0 })
    }

    /// Maps one page of another domain as memory.
    pub(super) fn foreign(&mut self, gfn: u64, dom: u16, from: u64) -> Result<u64, Abort> {
        let answer = self.map_others(gfn, dom, from, 1)?;
        if answer == 0 {
            let at = gfn.checked_mul(PAGE).ok_or(Abort::Unmapped)?;
            self.machine.treat_as_memory(at, at | (PAGE - 1))?;
        }
        Ok(answer)
    }

    /// Copies an entry of the pack into a domain.
    pub(super) fn load(&mut self, dom: u16, entry: u16, at: u64) -> Result<Answer, Abort> {
        let entry = self.pack.and_then(|pack| pack.entry(usize::from(entry)));
        let Some(bytes) = entry else {
            return Ok(Answer::Cannot(Reason::Pack));
        };
        let mut frame = at / PAGE;
        for part in bytes.chunks((WINDOW_PAGES * PAGE) as usize) {
            let pages = (part.len() as u64).div_ceil(PAGE);
            let answer = self.load_part(dom, frame, pages, part)?;
            if answer != 0 {
                return Ok(Answer::Value(answer));
            }
            frame += pages;
        }
        Ok(Answer::Value(0))
    }

    fn load_part(&mut self, dom: u16, frame: u64, pages: u64, part: &[u8]) -> Result<u64, Abort> {
        let window = self.window()?;
        let mut answer = self.map_others(window / PAGE, dom, frame, pages)?;
        let mapped = answer == 0;
        let copied = if mapped {
            self.machine.copy(window, part)
        } else {
            Ok(())
        };
        if mapped && copied.is_ok() {
            answer = self.domctl(
                CACHE_FLUSH,
                dom,
                &[(0, Width::W64, frame), (8, Width::W64, pages)],
            )?;
        }
        // Also if mapping failed: some of the pages may be mapped.
        for page in 0..pages {
            let removed = self.remove(super::call::SELF, window / PAGE + page)?;
            if answer == 0 && failed(removed) {
                answer = removed;
            }
        }
        copied.map(|()| answer)
    }

    /// Finds guest addresses that are free for mappings.
    fn window(&mut self) -> Result<u64, Abort> {
        if let Some(window) = self.control.window {
            return Ok(window);
        }
        let size = WINDOW_PAGES * PAGE;
        let offered = Tree::new(self.tree)
            .ok()
            .and_then(|tree| tree.free_space())
            .filter(|(first, len)| *len >= size && first.is_multiple_of(PAGE))
            .map(|(first, _)| first);
        let window = match offered {
            Some(first) => first,
            None => self
                .banks
                .iter()
                .map(|(base, size)| base + size)
                .max()
                .and_then(|end| end.checked_next_multiple_of(GAP)?.checked_add(GAP))
                .ok_or(Abort::Unmapped)?,
        };
        self.machine.treat_as_memory(window, window + (size - 1))?;
        self.control.window = Some(window);
        Ok(window)
    }

    pub(super) fn start(&mut self, dom: u16, pc: u64, argument: u64) -> Result<u64, Abort> {
        let context = self.work(CONTEXT)?;
        self.clear(context, M::Abi::CONTEXT_SIZE)?;
        for (offset, value) in M::Abi::context(pc, argument) {
            self.machine.write(Width::W64, context + offset, value)?;
        }
        let answer = self.domctl(
            SET_CONTEXT,
            dom,
            &[(0, Width::W32, 0), (8, Width::W64, context)],
        )?;
        if answer != 0 {
            return Ok(answer);
        }
        self.domctl(UNPAUSE, dom, &[])
    }
}
