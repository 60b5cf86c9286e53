//! One function that behaves as the standard says.

use core::ops::RangeInclusive;
use std::vec::Vec;

use refhv::access::Width;
use refhv::pci::registers as at;
use refhv::pci::{BarKind, Port};

/// One function: what its registers hold, and which bits can be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Device {
    bytes: Vec<u8>,
    writable: Vec<u8>,
    /// Whether it has no nature: nothing follows from what is written.
    pliable: bool,
    /// Where the next capability goes, and where the pointer to it is.
    next: u16,
    link: u16,
    /// The last extended capability, and where the next one goes.
    last_extended: Option<u16>,
    next_extended: u16,
    /// For how many accesses it still answers.
    lives: Option<usize>,
    /// How many reads after a reset find it not ready.
    slow: usize,
    busy: usize,
    /// How often it was reset.
    pub resets: usize,
}

impl Device {
    fn blank(vendor: u16, device: u16, header: u8) -> Self {
        let mut new = Self {
            bytes: vec![0; usize::from(at::SPACE)],
            writable: vec![0; usize::from(at::SPACE)],
            pliable: false,
            next: at::DEVICE_SPECIFIC,
            link: at::CAPABILITIES,
            last_extended: None,
            next_extended: at::EXTENDED,
            lives: None,
            slow: 0,
            busy: 0,
            resets: 0,
        };
        new.set(at::VENDOR, 2, vendor.into());
        new.set(at::DEVICE, 2, device.into());
        new.set(at::HEADER_TYPE, 1, header.into());
        let command = at::Command::all().bits();
        new.allow(at::COMMAND, 2, command.into());
        for offset in [at::CACHE_LINE, at::LATENCY, at::LINE] {
            new.allow(offset, 1, 0xff);
        }
        new
    }

    /// Makes a device's function.
    pub(crate) fn endpoint(vendor: u16, device: u16) -> Self {
        Self::blank(vendor, device, 0).class(0x00_ff00)
    }

    /// Makes a function in which everything can be written that gets there, but for its status, in which errors go when
    /// they are written.
    pub(crate) fn pliable() -> Self {
        let mut new = Self::blank(0, 0, 0);
        new.writable.fill(0xff);
        new.allow(at::STATUS, 2, 0);
        new.pliable = true;
        new
    }

    /// Makes a bridge that passes on what is for these buses.
    pub(crate) fn bridge(primary: u8, secondary: u8, subordinate: u8) -> Self {
        let mut new = Self::blank(0x1b36, 0x000c, 1).class(0x06_0400);
        for (offset, bus) in (at::BUSES..).zip([primary, secondary, subordinate]) {
            new.set(offset, 1, bus.into());
            new.allow(offset, 1, 0xff);
        }
        new.allow(at::BRIDGE_CONTROL, 2, 0x7f);
        new
    }

    /// Makes a port of this kind, which keeps apart what is behind it where it can.
    pub(crate) fn port(kind: Port, primary: u8, secondary: u8, subordinate: u8) -> Self {
        let new = Self::bridge(primary, secondary, subordinate).express(kind, false);
        if kind == Port::Downstream {
            new.acs(at::Acs::all())
        } else {
            new
        }
    }

    /// Makes something with a header of another kind.
    pub(crate) fn other(header: u8) -> Self {
        Self::blank(0x104c, 0xac56, header)
    }

    /// Says what it is.
    pub(crate) fn class(mut self, class: u32) -> Self {
        self.set(at::REVISION, 4, class << 8);
        self
    }

    /// Says that its device has more functions.
    pub(crate) fn multifunction(mut self) -> Self {
        let header = self.get(at::HEADER_TYPE, 1);
        self.set(at::HEADER_TYPE, 1, header | 0x80);
        self
    }

    /// Gives it a pin, 1 to 4.
    pub(crate) fn pin(mut self, pin: u8) -> Self {
        self.set(at::PIN, 1, pin.into());
        self
    }

    /// Gives it a base address register, which the firmware has put somewhere.
    pub(crate) fn bar(mut self, index: u8, kind: BarKind, size: u64, address: u64) -> Self {
        let offset = at::BAR0 + 4 * u16::from(index);
        let (flags, low, registers) = match kind {
            BarKind::Io => (1, 3, 1),
            BarKind::Memory32 => (0, 15, 1),
            BarKind::Memory64 => (4, 15, 2),
        };
        let mask = !(size - 1) & !low;
        for (half, shift) in [0_u32, 32].into_iter().enumerate().take(registers) {
            let offset = offset + 4 * u16::from(half == 1);
            let part = |value: u64| u32::try_from(value >> shift & 0xffff_ffff).expect("half");
            self.allow(offset, 4, part(mask));
            self.set(offset, 4, part(address | flags));
        }
        self
    }

    /// Says that a base address register is prefetchable.
    pub(crate) fn prefetchable(mut self, index: u8) -> Self {
        let offset = at::BAR0 + 4 * u16::from(index);
        let value = self.get(offset, 4);
        self.set(offset, 4, value | 8);
        self
    }

    /// Adds a capability with what stands behind its head, and returns where it is.
    pub(crate) fn capability_at(&mut self, id: u8, body: &[u8]) -> u16 {
        let offset = self.next;
        let pointer = u32::from(offset);
        self.set(self.link, 1, pointer);
        self.set(offset, 1, id.into());
        for (place, byte) in (offset + 2..).zip(body) {
            self.set(place, 1, (*byte).into());
        }
        let status = self.get(at::STATUS, 2);
        self.set(at::STATUS, 2, status | u32::from(at::STATUS_CAPABILITIES));
        self.link = offset + 1;
        let length = u16::try_from(body.len() + 2).expect("a short one");
        self.next = offset + length.next_multiple_of(4);
        offset
    }

    /// Adds a capability with what stands behind its head.
    pub(crate) fn capability(mut self, id: u8, body: &[u8]) -> Self {
        let _ = self.capability_at(id, body);
        self
    }

    /// Adds message signalled interrupts with addresses of 64 bits.
    pub(crate) fn msi(mut self) -> Self {
        let offset = self.capability_at(at::CAP_MSI, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.allow(offset + at::MSI_CONTROL, 2, 0x71);
        self.allow(offset + 4, 4, 0xffff_fffc);
        self.allow(offset + 8, 4, 0xffff_ffff);
        self.allow(offset + 12, 2, 0xffff);
        self
    }

    /// Adds message signalled interrupts by a table of `entries` at the start of a base address register.
    pub(crate) fn msix(mut self, entries: u16, bar: u8) -> Self {
        let [low, high] = (entries - 1).to_le_bytes();
        let body = [low, high, bar, 0, 0, 0, bar, 8, 0, 0];
        let offset = self.capability_at(at::CAP_MSIX, &body);
        self.allow(offset + at::MSI_CONTROL, 2, 0xc000);
        self
    }

    /// Adds power management.
    pub(crate) fn power(mut self, no_reset: bool) -> Self {
        let offset = self.capability_at(at::CAP_POWER, &[3, 0, u8::from(no_reset) << 3, 0, 0, 0]);
        self.allow(offset + at::POWER_CONTROL, 2, at::POWER_STATE.into());
        self
    }

    /// Adds advanced features, with a reset.
    pub(crate) fn advanced(mut self) -> Self {
        let offset = self.capability_at(at::CAP_ADVANCED, &[6, at::ADVANCED_BOTH, 0, 0]);
        self.allow(offset + at::ADVANCED_CONTROL, 1, 1);
        self
    }

    /// Adds a PCI Express capability, with or without a reset.
    pub(crate) fn express(mut self, port: Port, reset: bool) -> Self {
        let kind = match port {
            Port::Endpoint => 0,
            Port::Downstream if self.header() == 1 => 4,
            Port::Downstream => 6,
            Port::Upstream => 5,
            Port::ToConventional => 7,
            Port::FromConventional => 8,
        };
        let mut body = [0_u8; 58];
        body[0] = kind << 4 | 2;
        body[5] = u8::from(reset) << 4;
        let offset = self.capability_at(at::CAP_EXPRESS, &body);
        self.allow(offset + at::DEVICE_CONTROL, 2, 0xffff);
        self
    }

    /// Adds an extended capability with what stands behind its head, and returns where it is.
    pub(crate) fn extended_at(&mut self, id: u16, body: &[u8]) -> u16 {
        let offset = self.next_extended;
        if let Some(last) = self.last_extended {
            let head = self.get(last, 4);
            self.set(last, 4, head | u32::from(offset) << 20);
        }
        self.set(offset, 4, u32::from(id) | 1 << 16);
        for (place, byte) in (offset + 4..).zip(body) {
            self.set(place, 1, (*byte).into());
        }
        self.last_extended = Some(offset);
        let length = u16::try_from(body.len() + 4).expect("a short one");
        self.next_extended = offset + length.next_multiple_of(4);
        offset
    }

    /// Adds access control services.
    pub(crate) fn acs(mut self, can: at::Acs) -> Self {
        let [low, high] = can.bits().to_le_bytes();
        let offset = self.extended_at(at::EXT_ACS, &[low, high, 0, 0]);
        self.allow(offset + at::ACS_CONTROL, 2, can.bits().into());
        self
    }

    /// Answers for so many accesses more, and then never again.
    pub(crate) fn lives(mut self, accesses: usize) -> Self {
        self.lives = Some(accesses);
        self
    }

    /// Is not ready for so many reads after a reset.
    pub(crate) fn slow(mut self, reads: usize) -> Self {
        self.slow = reads;
        self
    }

    /// Sets what a register holds, whether it can be written or not.
    pub(crate) fn set(&mut self, offset: u16, bytes: u16, value: u32) {
        for (place, byte) in (offset..offset + bytes).zip(value.to_le_bytes()) {
            self.bytes[usize::from(place)] = byte;
        }
    }

    /// Sets which bits of a register can be written.
    pub(crate) fn allow(&mut self, offset: u16, bytes: u16, mask: u32) {
        for (place, byte) in (offset..offset + bytes).zip(mask.to_le_bytes()) {
            self.writable[usize::from(place)] = byte;
        }
    }

    /// Returns what a register holds, without reading it.
    pub(crate) fn get(&self, offset: u16, bytes: u16) -> u32 {
        (offset..offset + bytes).rev().fold(0, |value, place| {
            value << 8 | u32::from(self.bytes[usize::from(place)])
        })
    }

    /// Returns everything that it holds.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn header(&self) -> u32 {
        self.get(at::HEADER_TYPE, 1) & 0x7f
    }

    /// Tells whether it is a bridge that holds what is behind it in reset.
    pub(super) fn holding(&self) -> bool {
        let control = self.get(at::BRIDGE_CONTROL, 2);
        self.header() == 1 && control & u32::from(at::BRIDGE_RESET) != 0
    }

    pub(super) fn behind(&self) -> RangeInclusive<u8> {
        let [_, secondary, subordinate, _] = self.get(at::BUSES, 4).to_le_bytes();
        secondary..=subordinate
    }

    /// Finds a capability by what it has listed.
    fn find(&self, id: u8) -> Option<u16> {
        let mut offset = self.get(at::CAPABILITIES, 1);
        for _ in 0..48 {
            let place = u16::try_from(offset).expect("a byte");
            if place < at::DEVICE_SPECIFIC {
                return None;
            }
            if self.get(place, 1) == u32::from(id) {
                return Some(place);
            }
            offset = self.get(place + 1, 1);
        }
        None
    }

    fn alive(&mut self) -> bool {
        match &mut self.lives {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    pub(super) fn read(&mut self, offset: u16, width: Width) -> u32 {
        let ones = u32::try_from(width.mask()).expect("a double word at most");
        if !self.alive() {
            return ones;
        }
        if self.busy > 0 {
            self.busy -= 1;
            // Only whoever reads the vendor's number is told to try again (PCIe 2.3.2).
            let retry = offset == at::VENDOR;
            return if retry { 0xffff_0001 & ones } else { ones };
        }
        self.get(offset, u16::try_from(width.bytes()).expect("few"))
    }

    pub(super) fn write(&mut self, offset: u16, width: Width, value: u32) {
        if !self.alive() || self.busy > 0 {
            return;
        }
        let state = |device: &Self| {
            device.find(at::CAP_POWER).map(|power| {
                let control = device.get(power + at::POWER_CONTROL, 2);
                let silent = control & u32::from(at::POWER_NO_RESET) != 0;
                (control & u32::from(at::POWER_STATE), silent)
            })
        };
        let before = state(self);
        let bytes = u16::try_from(width.bytes()).expect("few");
        for (place, byte) in (offset..offset + bytes).zip(value.to_le_bytes()) {
            let place = usize::from(place);
            let mask = self.writable[place];
            self.bytes[place] = self.bytes[place] & !mask | byte & mask;
        }
        if self.pliable {
            return self.clear_errors(offset, value);
        }
        let woken = matches!((before, state(self)), (Some((3, false)), Some((0, _))));
        let express = self.find(at::CAP_EXPRESS).is_some_and(|place| {
            let control = place + at::DEVICE_CONTROL;
            let asked = self.get(control, 2) & u32::from(at::DEVICE_RESET) != 0;
            let can = self.get(place + at::DEVICE_CAPABILITIES, 4) & at::DEVICE_FLR != 0;
            asked && can
        });
        let advanced = self
            .find(at::CAP_ADVANCED)
            .is_some_and(|place| self.get(place + at::ADVANCED_CONTROL, 1) & 1 != 0);
        if woken || express || advanced {
            self.reset();
        }
    }

    /// Forgets the errors that are written to the status register (PCI 6.2.3).
    fn clear_errors(&mut self, offset: u16, value: u32) {
        let shift = u32::from(offset & 3) * 8;
        if offset & !3 == at::COMMAND {
            let errors = value << shift & 0xf900_0000;
            self.set(at::COMMAND, 4, self.get(at::COMMAND, 4) & !errors);
        }
    }

    /// Loses all that was written to it.
    pub(super) fn reset(&mut self) {
        for (byte, mask) in self.bytes.iter_mut().zip(&self.writable) {
            *byte &= !mask;
        }
        self.resets += 1;
        self.busy = self.slow;
    }
}
