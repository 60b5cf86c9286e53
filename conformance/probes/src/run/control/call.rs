//! Makes the hypercalls: domctl, sysctl and memory_op.

use wire::{Path, Width};

use super::{Errno, PAGE, failed};
use crate::machine::{Abi, Abort, Machine};
use crate::run::Runner;

const MEMORY_OP: u64 = 12;
const SYSCTL: u64 = 35;
const DOMCTL: u64 = 36;

/// Interface versions: 4.17 has the first one; later ones than the last are unknown.
const FIRST_VERSION: u32 = 0x15;
const LAST_VERSION: u32 = 0x1f;

/// Domctl commands.
pub const CREATE: u32 = 1;
pub const DESTROY: u32 = 2;
pub const PAUSE: u32 = 3;
pub const UNPAUSE: u32 = 4;
const GET_INFO: u32 = 5;
pub const MAX_MEM: u32 = 11;
pub const SET_CONTEXT: u32 = 12;
pub const MAX_VCPUS: u32 = 15;
const IOMEM_PERMISSION: u32 = 20;
pub const SET_ADDRESS_SIZE: u32 = 35;
pub const ASSIGN: u32 = 37;
pub const BIND: u32 = 38;
const MEMORY_MAPPING: u32 = 39;
pub const TEST_ASSIGN: u32 = 45;
pub const DEASSIGN: u32 = 47;
pub const UNBIND: u32 = 48;
pub const CACHE_FLUSH: u32 = 71;
pub const SET_POOL: u32 = 86;

/// Sysctl commands.
const PHYSINFO: u32 = 3;
const FREE_PAGES: u64 = 48;
const GET_LIST: u32 = 6;

/// Memory commands.
const POPULATE: u64 = 6;
const REMOVE: u64 = 15;
const ADD_BATCH: u64 = 23;
const FOREIGN_SPACE: u64 = 4;

/// The domain number that stands for the caller.
pub const SELF: u16 = 0x7ff0;

/// The offset of a command's own part in a domctl, and in a sysctl.
pub const DOMCTL_UNION: u64 = 16;
pub const SYSCTL_UNION: u64 = 8;

/// The size of a domctl; no other structure at this place is larger.
const STRUCTURE: u64 = 144;

/// The offset in the work pages of the arrays that the structures point to.
const TEXT: u64 = 0x400;
pub const CONTEXT: u64 = 0x800;
pub const ARRAY: u64 = PAGE;

/// The distance of a batch's parts in the array's page.
const PART: u64 = 0x400;

/// Fields of a structure: offset, width, value.
type Fields<'a> = &'a [(u64, Width, u64)];

impl<M: Machine> Runner<'_, M> {
    /// Returns the address of a byte in the work pages.
    pub(super) fn work(&mut self, offset: u64) -> Result<u64, Abort> {
        Ok(self.pages()?.0 + offset)
    }

    /// Clears the place of the structure, fills in its fields, and returns its address.
    pub(super) fn structure(&mut self, fields: Fields<'_>) -> Result<u64, Abort> {
        let place = self.work(0)?;
        self.clear(place, STRUCTURE)?;
        for (offset, width, value) in fields {
            self.machine.write(*width, place + offset, *value)?;
        }
        Ok(place)
    }

    pub(super) fn clear(&self, place: u64, bytes: u64) -> Result<(), Abort> {
        (0..bytes)
            .step_by(8)
            .try_for_each(|offset| self.machine.write(Width::W64, place + offset, 0))
    }

    /// Makes a domctl in the accepted version; the fields' offsets count from the command's own part.
    pub(super) fn domctl(
        &mut self,
        command: u32,
        dom: u16,
        fields: Fields<'_>,
    ) -> Result<u64, Abort> {
        let head = (command, u64::from(dom));
        let (answer, version) = self.versioned(DOMCTL, self.control.domctl, head, fields)?;
        self.control.domctl = Some(version);
        Ok(answer)
    }

    pub(super) fn sysctl(&mut self, command: u32, fields: Fields<'_>) -> Result<u64, Abort> {
        let (answer, version) =
            self.versioned(SYSCTL, self.control.sysctl, (command, 0), fields)?;
        self.control.sysctl = Some(version);
        Ok(answer)
    }

    /// Makes a call whose structure begins with command and version; tries versions from the first upward.
    fn versioned(
        &mut self,
        number: u64,
        known: Option<u32>,
        (command, dom): (u32, u64),
        fields: Fields<'_>,
    ) -> Result<(u64, u32), Abort> {
        let own = if number == DOMCTL {
            DOMCTL_UNION
        } else {
            SYSCTL_UNION
        };
        let mut version = known.unwrap_or(FIRST_VERSION);
        loop {
            let place = self.structure(&[
                (0, Width::W32, u64::from(command)),
                (4, Width::W32, u64::from(version)),
                (8, Width::W64, dom),
            ])?;
            for (offset, width, value) in fields {
                self.machine.write(*width, place + own + offset, *value)?;
            }
            let answer = self.machine.hypercall(number, [place, 0, 0, 0, 0])?;
            let refused = answer == Errno::Eacces.value();
            if !refused || known.is_some() || version == LAST_VERSION {
                return Ok((answer, version));
            }
            version += 1;
        }
    }

    /// Returns domctl's version; detects it with a harmless call if it is not known yet.
    pub(super) fn domctl_version(&mut self) -> Result<u32, Abort> {
        if self.control.domctl.is_none() {
            self.info(0)?;
        }
        Ok(self.control.domctl.unwrap_or(FIRST_VERSION))
    }

    /// Returns a domain's flags, or the error.
    pub(super) fn info(&mut self, dom: u16) -> Result<u64, Abort> {
        let answer = self.domctl(GET_INFO, dom, &[])?;
        if answer != 0 {
            return Ok(answer);
        }
        let place = self.work(DOMCTL_UNION)?;
        // 4.17 answers for the next existing domain. Numbers from SELF on have a special meaning.
        let found = self.machine.read(Width::W16, place)?;
        if dom < SELF && found != u64::from(dom) {
            return Ok(Errno::Esrch.value());
        }
        self.machine.read(Width::W32, place + 4)
    }

    /// Returns the number of pages of the domain that the last `getdomaininfo` described.
    pub(super) fn total_pages(&mut self) -> Result<u64, Abort> {
        let place = self.work(DOMCTL_UNION)?;
        self.machine.read(Width::W64, place + 8)
    }

    pub(super) fn free_pages(&mut self) -> Result<u64, Abort> {
        let answer = self.sysctl(PHYSINFO, &[])?;
        if answer != 0 {
            return Ok(answer);
        }
        let place = self.work(SYSCTL_UNION + FREE_PAGES)?;
        self.machine.read(Width::W64, place)
    }

    pub(super) fn listed(&mut self) -> Result<u64, Abort> {
        let buffer = self.work(ARRAY)?;
        let most = PAGE / M::Abi::INFO_SIZE;
        let (mut first, mut total) = (0, 0);
        loop {
            let answer = self.sysctl(
                GET_LIST,
                &[
                    (0, Width::W16, first),
                    (4, Width::W32, most),
                    (8, Width::W64, buffer),
                ],
            )?;
            if answer != 0 {
                return Ok(answer);
            }
            let count_at = self.work(SYSCTL_UNION + 16)?;
            let count = self.machine.read(Width::W32, count_at)?.min(most);
            total += count;
            if count < most {
                return Ok(total);
            }
            let last = self
                .machine
                .read(Width::W16, buffer + (count - 1) * M::Abi::INFO_SIZE)?;
            first = last + 1;
        }
    }

    pub(super) fn populate(
        &mut self,
        dom: u16,
        gfn: u64,
        order: u32,
        count: u32,
    ) -> Result<u64, Abort> {
        let extents = self.work(ARRAY)?;
        let step = 1u64.checked_shl(order).unwrap_or(0);
        let most = u32::try_from(PAGE / 8).unwrap_or(u32::MAX);
        let (mut gfn, mut left) = (gfn, count);
        while left > 0 {
            let batch = left.min(most);
            for index in 0..u64::from(batch) {
                self.machine.write(Width::W64, extents + index * 8, gfn)?;
                gfn = gfn.wrapping_add(step);
            }
            let place = self.structure(&[
                (0, Width::W64, extents),
                (8, Width::W64, u64::from(batch)),
                (16, Width::W32, u64::from(order)),
                (24, Width::W16, u64::from(dom)),
            ])?;
            let done = self
                .machine
                .hypercall(MEMORY_OP, [POPULATE, place, 0, 0, 0])?;
            if failed(done) {
                return Ok(done);
            }
            if done < u64::from(batch) {
                return Ok(Errno::Enomem.value());
            }
            left -= batch;
        }
        Ok(0)
    }

    pub(super) fn remove(&mut self, dom: u16, gfn: u64) -> Result<u64, Abort> {
        let place = self.structure(&[(0, Width::W16, u64::from(dom)), (8, Width::W64, gfn)])?;
        self.machine.hypercall(MEMORY_OP, [REMOVE, place, 0, 0, 0])
    }

    /// Maps pages of another domain at contiguous addresses. Returns the first error.
    pub(super) fn map_others(
        &mut self,
        gfn: u64,
        dom: u16,
        from: u64,
        count: u64,
    ) -> Result<u64, Abort> {
        let array = self.work(ARRAY)?;
        let machine = self.machine;
        for index in 0..count {
            let slot = array + index * 8;
            machine.write(Width::W64, slot, from.wrapping_add(index))?;
            machine.write(Width::W64, slot + PART, gfn.wrapping_add(index))?;
            machine.write(Width::W32, array + 2 * PART + index * 4, 0)?;
        }
        let place = self.structure(&[
            (0, Width::W16, u64::from(SELF)),
            (2, Width::W16, FOREIGN_SPACE),
            (4, Width::W16, count),
            (6, Width::W16, u64::from(dom)),
            (8, Width::W64, array),
            (16, Width::W64, array + PART),
            (24, Width::W64, array + 2 * PART),
        ])?;
        let answer = machine.hypercall(MEMORY_OP, [ADD_BATCH, place, 0, 0, 0])?;
        if answer != 0 {
            return Ok(answer);
        }
        for index in 0..count {
            let error = machine.read(Width::W32, array + 2 * PART + index * 4)?;
            if error != 0 {
                // A negative 32-bit number.
                return Ok(error | !u64::from(u32::MAX));
            }
        }
        Ok(0)
    }

    pub(super) fn permit(
        &mut self,
        dom: u16,
        mfn: u64,
        count: u64,
        allow: bool,
    ) -> Result<u64, Abort> {
        let fields = [
            (0, Width::W64, mfn),
            (8, Width::W64, count),
            (16, Width::W8, u64::from(allow)),
        ];
        self.domctl(IOMEM_PERMISSION, dom, &fields)
    }

    pub(super) fn map(
        &mut self,
        dom: u16,
        (gfn, mfn, count): (u64, u64, u64),
        add: bool,
    ) -> Result<u64, Abort> {
        let fields = [
            (0, Width::W64, gfn),
            (8, Width::W64, mfn),
            (16, Width::W64, count),
            (24, Width::W32, u64::from(add)),
        ];
        self.domctl(MEMORY_MAPPING, dom, &fields)
    }

    pub(super) fn bind(&mut self, command: u32, dom: u16, line: u16) -> Result<u64, Abort> {
        let fields = [
            (0, Width::W32, u64::from(line)),
            (4, Width::W32, M::Abi::LINE),
            (8, Width::W16, u64::from(line)),
        ];
        self.domctl(command, dom, &fields)
    }

    pub(super) fn assign(&mut self, command: u32, dom: u16, path: &Path) -> Result<u64, Abort> {
        /// The kind of device that has a node in the host's tree.
        const NODE: u64 = 1;
        let text = self.work(TEXT)?;
        self.machine.copy(text, path.as_bytes())?;
        let fields = [
            (0, Width::W32, NODE),
            (8, Width::W32, path.as_bytes().len() as u64),
            (16, Width::W64, text),
        ];
        self.domctl(command, dom, &fields)
    }
}
