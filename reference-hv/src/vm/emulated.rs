//! Where a domain finds the devices that are emulated for it.

use crate::addr::{Ipa, Span, SpanError};
use crate::assign::layout::{Layout, Uart};
use crate::config::MAX_BRIDGES;
use crate::ids::IrqLine;

/// A device that the hypervisor emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The part of the interrupt controller that all virtual CPUs share.
    SharedController,
    /// The parts of the interrupt controller that belong to one virtual CPU each.
    CpuController,
    /// The UART.
    Uart,
    /// The configuration space of the PCI host bridge with this number.
    Bridge(usize),
}

/// Where the emulated devices of a domain lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmulatedDevices {
    shared: Span<Ipa>,
    /// As far as there are virtual CPUs.
    per_cpu: Span<Ipa>,
    uart: Option<Uart>,
    bridges: [Option<Span<Ipa>>; MAX_BRIDGES],
}

impl EmulatedDevices {
    /// Describes a domain with so many virtual CPUs and this layout.
    ///
    /// # Errors
    /// Refuses a number of virtual CPUs whose parts of the interrupt controller would be no range.
    pub fn new(vcpus: u32, layout: &Layout) -> Result<Self, SpanError> {
        let size = layout.guest.per_cpu * u64::from(vcpus);
        let mut bridges = [None; MAX_BRIDGES];
        if let Some(first) = bridges.first_mut() {
            *first = layout.bridge.map(|bridge| bridge.ecam);
        }
        Ok(Self {
            bridges,
            shared: layout.controller.shared,
            per_cpu: Span::new(layout.controller.per_cpu.first(), size)?,
            uart: layout.uart,
        })
    }

    /// Has the domain find the configuration space of a PCI host bridge, the one with this number, here.
    pub fn set_bridge(&mut self, number: usize, ecam: Span<Ipa>) {
        if let Some(bridge) = self.bridges.get_mut(number) {
            *bridge = Some(ecam);
        }
    }

    /// Returns the interrupt of the UART.
    pub fn uart_line(&self) -> Option<IrqLine> {
        self.uart.map(|uart| uart.line)
    }

    /// Finds the device at an address, and the place in its registers.
    pub fn at(&self, ipa: Ipa) -> Option<(Device, u64)> {
        let windows = [
            (Device::SharedController, Some(self.shared)),
            (Device::CpuController, Some(self.per_cpu)),
            (Device::Uart, self.uart.map(|uart| uart.registers)),
        ];
        let bridges = self.bridges.into_iter().enumerate();
        let bridges = bridges.map(|(number, ecam)| (Device::Bridge(number), ecam));
        windows
            .into_iter()
            .chain(bridges)
            .find_map(|(device, window)| {
                let window = window.filter(|window| window.contains(ipa))?;
                Some((device, ipa.raw() - window.first().raw()))
            })
    }
}
