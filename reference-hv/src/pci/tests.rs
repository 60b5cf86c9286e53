//! What is found of machines that only pretend, sound ones and others.

mod bars;
mod change;
mod finding;
mod garbage;
mod groups;
mod reset;

use std::vec::Vec;

use super::registers as at;
use super::*;
use crate::hal::fake::functions::{Device, Functions, bdf};

/// An edu, as QEMU has it.
fn edu(address: u64) -> Device {
    Device::endpoint(0x1234, 0x11e8)
        .bar(0, BarKind::Memory32, 0x10_0000, address)
        .pin(1)
        .msi()
}

/// A root port of its own.
fn root_port(secondary: u8, subordinate: u8) -> Device {
    Device::port(Port::Downstream, 0, secondary, subordinate)
}

/// Finds what is in the one segment that there is, and what is said about it.
fn scan(fake: &mut Functions) -> (Inventory, Vec<Warning>) {
    scan_buses(fake, 0..=0xff)
}

fn scan_buses(fake: &mut Functions, buses: RangeInclusive<u8>) -> (Inventory, Vec<Warning>) {
    let mut warnings = Vec::new();
    let segment = Segment { number: 0, buses };
    let found = Inventory::scan(fake, &[segment], &mut |warning| warnings.push(warning));
    (found, warnings)
}

fn places(inventory: &Inventory) -> Vec<Sbdf> {
    let all = inventory.functions().iter();
    all.map(|function| function.at).collect()
}
