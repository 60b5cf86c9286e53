//! Ops of a control domain: hypercalls, and requests that consist of them.
//!
//! Arguments are in pages near the end of the probe's RAM, which the probe maps as normal memory, as
//! Xen requires. Numbers and offsets are those of Xen's public headers; where 4.17 and 4.20 differ,
//! the interface version decides.

mod build;
mod call;
mod pci;

use wire::{Answer, Hv, Place, Value, Values, Width};

use super::Runner;
use crate::machine::{Abort, Machine};

const PAGE: u64 = 4096;

/// The pages of the probe's own structures, then those of the slots that scripts fill, without the last
/// slot.
const WORK_PAGES: u64 = 2;
const SLOT_PAGES: u64 = 3;

/// Pages at the end of RAM: the last slot, and a page for what scripts write at an address that the
/// harness knows.
const LAST_PAGES: u64 = 2;

const XEN_VERSION: u64 = 17;
const SCHED_OP: u64 = 29;
const REMOTE_SHUTDOWN: u64 = 4;

/// What the probe has detected about the hypervisor, as far as ops needed it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Control {
    /// The first address of the work pages, and the end of RAM.
    scratch: Option<(u64, u64)>,
    /// The interface versions that the hypervisor accepts.
    domctl: Option<u32>,
    sysctl: Option<u32>,
    /// The address at which the probe maps pages of other domains.
    window: Option<u64>,
}

/// Error numbers that a hypercall returns, or that the probe returns in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errno {
    Esrch = 3,
    Enomem = 12,
    Eacces = 13,
    Einval = 22,
    Enosys = 38,
}

impl Errno {
    /// Returns the result of a call that fails with this error.
    const fn value(self) -> u64 {
        (self as u64).wrapping_neg()
    }
}

/// Tells whether a result is an error: one of the highest 4096 numbers.
const fn failed(result: u64) -> bool {
    result > u64::MAX - PAGE
}

impl<M: Machine> Runner<'_, M> {
    pub(super) fn hypercall(&mut self, number: u64, args: &Values) -> Result<Answer, Abort> {
        let mut arguments = [0; 5];
        for (argument, value) in arguments.iter_mut().zip(args.iter()) {
            *argument = self.value(value)?;
        }
        Ok(Answer::Value(self.machine.hypercall(number, arguments)?))
    }

    pub(super) fn fill(&mut self, at: Place, values: &Values) -> Result<Answer, Abort> {
        let mut at = self.scratch(at)?;
        for value in values.iter() {
            let value = self.value(value)?;
            self.machine.write(Width::W64, at, value)?;
            at += Width::W64.bytes();
        }
        Ok(Answer::Ok)
    }

    /// Returns the address of a place in the slots.
    pub(super) fn scratch(&mut self, place: Place) -> Result<u64, Abort> {
        let (work, end) = self.pages()?;
        let offset = u64::from(place.offset());
        Ok(match offset.checked_sub(SLOT_PAGES * PAGE) {
            Some(in_last) => end - PAGE + in_last,
            None => work + WORK_PAGES * PAGE + offset,
        })
    }

    fn value(&mut self, value: Value) -> Result<u64, Abort> {
        match value {
            Value::Number(number) => Ok(number),
            Value::At(place) => self.scratch(place),
        }
    }

    /// Finds the work pages, which are the highest pages that the probe does not use, and the end of RAM.
    fn pages(&mut self) -> Result<(u64, u64), Abort> {
        if let Some(found) = self.control.scratch {
            return Ok(found);
        }
        let size = (WORK_PAGES + SLOT_PAGES) * PAGE;
        // The tree's reader returns no bank that wraps.
        let (base, end) = self
            .banks
            .iter()
            .map(|(base, size)| (*base, (base + size) & !(PAGE - 1)))
            .max_by_key(|(_, end)| *end)
            .ok_or(Abort::Unmapped)?;
        let mut top = end.saturating_sub(LAST_PAGES * PAGE);
        loop {
            let first = top.checked_sub(size).filter(|first| *first >= base);
            let first = first.ok_or(Abort::Own)?;
            let inside = |(start, last): &&(u64, u64)| *start < top && first <= *last;
            match self.machine.own().iter().find(inside) {
                Some((start, _)) => top = start & !(PAGE - 1),
                None => {
                    self.control.scratch = Some((first, end));
                    return Ok((first, end));
                }
            }
        }
    }

    #[inline(never)]
    pub(super) fn hv(&mut self, hv: &Hv) -> Result<Answer, Abort> {
        let result = match *hv {
            Hv::Version => self.version()?,
            Hv::Free => self.free_pages()?,
            Hv::List => self.listed()?,
            Hv::Info { dom } => self.info(dom)?,
            Hv::Pages { dom } => match self.info(dom)? {
                error if failed(error) => error,
                _ => self.total_pages()?,
            },
            Hv::Wait {
                dom,
                mask,
                value,
                ms,
            } => return self.poll(mask, value, ms, |runner| runner.info(dom)),
            Hv::Create {
                dom,
                kib,
                cpus,
                lines,
                flags,
            } => self.create(dom, kib, (cpus, lines, flags))?,
            Hv::Destroy { dom } => self.domctl(call::DESTROY, dom, &[])?,
            Hv::Pause { dom } => self.domctl(call::PAUSE, dom, &[])?,
            Hv::Unpause { dom } => self.domctl(call::UNPAUSE, dom, &[])?,
            Hv::Shutdown { dom, reason } => self.shut_down(dom, reason)?,
            Hv::Populate {
                dom,
                gfn,
                order,
                count,
            } => self.populate(dom, gfn, order, count)?,
            Hv::Depopulate { dom, gfn } => self.remove(dom, gfn)?,
            Hv::Foreign { gfn, dom, from } => self.foreign(gfn, dom, from)?,
            Hv::Unforeign { gfn } => self.remove(call::SELF, gfn)?,
            Hv::Iomem {
                dom,
                mfn,
                count,
                allow,
            } => self.permit(dom, mfn, count, allow)?,
            Hv::Map {
                dom,
                gfn,
                mfn,
                count,
            } => self.map(dom, (gfn, mfn, count), true)?,
            Hv::Unmap {
                dom,
                gfn,
                mfn,
                count,
            } => self.map(dom, (gfn, mfn, count), false)?,
            Hv::Bind { dom, line } => self.bind(call::BIND, dom, line)?,
            Hv::Unbind { dom, line } => self.bind(call::UNBIND, dom, line)?,
            Hv::Assign { dom, ref path } => self.assign(call::ASSIGN, dom, path)?,
            Hv::TestAssign { dom, ref path } => self.assign(call::TEST_ASSIGN, dom, path)?,
            Hv::Deassign { dom, ref path } => self.assign(call::DEASSIGN, dom, path)?,
            Hv::PciAdd { at, flags, physfn } => self.pci_add(at, flags, physfn)?,
            Hv::PciRemove { at } => self.pci_remove(at)?,
            Hv::PciReset { at, flags } => self.pci_reset(at, flags)?,
            Hv::PciAssign { dom, at } => self.pci_assign(call::ASSIGN, dom, at)?,
            Hv::PciTest { dom, at } => self.pci_assign(call::TEST_ASSIGN, dom, at)?,
            Hv::PciDeassign { dom, at } => self.pci_assign(call::DEASSIGN, dom, at)?,
            Hv::PciGroup { dom, at } => self.pci_group(dom, at)?,
            Hv::PciKnown { at } => self.pci_known(at)?,
            Hv::PciList { at } => self.pci_list(at)?,
            Hv::Load { dom, entry, at } => return self.load(dom, entry, at),
            Hv::Start { dom, pc, argument } => self.start(dom, pc, argument)?,
        };
        Ok(Answer::Value(result))
    }

    fn version(&mut self) -> Result<u64, Abort> {
        let version = self.machine.hypercall(XEN_VERSION, [0; 5])?;
        // Only the accepted version matters, not the result.
        self.domctl_version()?;
        self.free_pages()?;
        let known = |version: Option<u32>| u64::from(version.unwrap_or(0));
        Ok((version >> 16) << 48
            | (version & 0xffff) << 32
            | known(self.control.sysctl) << 16
            | known(self.control.domctl))
    }

    fn shut_down(&mut self, dom: u16, reason: u32) -> Result<u64, Abort> {
        let place = self.structure(&[
            (0, Width::W64, u64::from(dom)),
            (4, Width::W32, u64::from(reason)),
        ])?;
        self.machine
            .hypercall(SCHED_OP, [REMOTE_SHUTDOWN, place, 0, 0, 0])
    }
}
