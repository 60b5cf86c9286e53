//! Makes the calls about PCI functions (Xen, public/physdev.h, domctl.h and sysctl.h).

use wire::Width;

use super::call::{ARRAY, DOMCTL_UNION, SYSCTL_UNION};
use crate::machine::{Abort, Machine};
use crate::run::Runner;

const PHYSDEV_OP: u64 = 33;
const ADD: u64 = 25;
const REMOVE: u64 = 26;
const RESET: u64 = 32;

const GET_GROUP: u32 = 50;
const TOPOLOGY: u32 = 22;

/// The kind of device that is a PCI function.
const FUNCTION: u64 = 0;

/// The NUMA node that is returned for a function that the hypervisor does not know.
const UNKNOWN: u64 = 0xffff_fffe;

/// The number of functions in one list, and the size of an entry that names a function.
const LISTED: u32 = 64;
const ENTRY: u64 = 4;
/// The offset of the functions' nodes in the array's page, after the functions.
const NODES: u64 = 0x800;

/// Segment, bus, and device and function as structures hold them: 16 bits, then 8 and 8.
fn entry(at: u32) -> u64 {
    let (segment, bus, devfn) = (at >> 16, at >> 8 & 0xff, at & 0xff);
    u64::from(segment | bus << 16 | devfn << 24)
}

impl<M: Machine> Runner<'_, M> {
    pub(super) fn pci_add(&mut self, at: u32, flags: u32, physfn: u16) -> Result<u64, Abort> {
        let [bus, devfn] = physfn.to_be_bytes();
        let place = self.structure(&[
            (0, Width::W32, entry(at)),
            (4, Width::W32, u64::from(flags)),
            (8, Width::W8, u64::from(bus)),
            (9, Width::W8, u64::from(devfn)),
        ])?;
        self.machine.hypercall(PHYSDEV_OP, [ADD, place, 0, 0, 0])
    }

    pub(super) fn pci_remove(&mut self, at: u32) -> Result<u64, Abort> {
        let place = self.structure(&[(0, Width::W32, entry(at))])?;
        self.machine.hypercall(PHYSDEV_OP, [REMOVE, place, 0, 0, 0])
    }

    pub(super) fn pci_reset(&mut self, at: u32, flags: u32) -> Result<u64, Abort> {
        let fields = [
            (0, Width::W32, entry(at)),
            (4, Width::W32, u64::from(flags)),
        ];
        let place = self.structure(&fields)?;
        self.machine.hypercall(PHYSDEV_OP, [RESET, place, 0, 0, 0])
    }

    pub(super) fn pci_assign(&mut self, command: u32, dom: u16, at: u32) -> Result<u64, Abort> {
        let fields = [(0, Width::W32, FUNCTION), (8, Width::W32, u64::from(at))];
        self.domctl(command, dom, &fields)
    }

    /// Returns the number of other functions in a function's isolation group.
    pub(super) fn pci_group(&mut self, dom: u16, at: u32) -> Result<u64, Abort> {
        let array = self.work(ARRAY)?;
        let fields = [
            (0, Width::W32, u64::from(at)),
            (4, Width::W32, u64::from(LISTED)),
            (16, Width::W64, array),
        ];
        let answer = self.domctl(GET_GROUP, dom, &fields)?;
        if answer != 0 {
            return Ok(answer);
        }
        let count = self.work(DOMCTL_UNION + 8)?;
        self.machine.read(Width::W32, count)
    }

    pub(super) fn pci_known(&mut self, at: u32) -> Result<u64, Abort> {
        match self.nodes(at, 1)? {
            0 => {
                let node = self.work(ARRAY + NODES)?;
                self.machine.read(Width::W32, node)
            }
            error => Ok(error),
        }
    }

    pub(super) fn pci_list(&mut self, at: u32) -> Result<u64, Abort> {
        let answer = self.nodes(at, LISTED)?;
        if answer != 0 {
            return Ok(answer);
        }
        let nodes = self.work(ARRAY + NODES)?;
        let mut known = 0;
        for index in 0..u64::from(LISTED) {
            let node = self.machine.read(Width::W32, nodes + index * ENTRY)?;
            known |= u64::from(node != UNKNOWN) << index;
        }
        Ok(known)
    }

    /// Asks for the nodes of several functions; a call may handle only some of them, and returns how many.
    fn nodes(&mut self, at: u32, count: u32) -> Result<u64, Abort> {
        let array = self.work(ARRAY)?;
        for index in 0..count {
            let place = array + u64::from(index) * ENTRY;
            let (function, node) = (entry(at.wrapping_add(index)), place + NODES);
            self.machine.write(Width::W32, place, function)?;
            self.machine.write(Width::W32, node, UNKNOWN)?;
        }
        let mut done = 0;
        while done < count {
            let from = array + u64::from(done) * ENTRY;
            let fields = [
                (0, Width::W32, u64::from(count - done)),
                (8, Width::W64, from),
                (16, Width::W64, from + NODES),
            ];
            let answer = self.sysctl(TOPOLOGY, &fields)?;
            if answer != 0 {
                return Ok(answer);
            }
            let told = self.work(SYSCTL_UNION)?;
            let told = self.machine.read(Width::W32, told)?;
            // A call that handles none would be repeated for ever.
            match u32::try_from(told).unwrap_or(0).min(count - done) {
                0 => return Ok(super::Errno::Einval.value()),
                part => done += part,
            }
        }
        Ok(0)
    }
}
