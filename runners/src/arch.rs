//! What depends on the architecture: interrupt lines, IOMMUs, the guest's memory layout, and the profiles that come
//! with the suite.
//!
//! No code outside this folder names an architecture's registers or devices. All other code asks [`platform`].

mod aarch64;

use std::fmt;

pub use aarch64::layout::{GuestLayout, HostLayout};
use model::Arch;
use serde_json::Value;

use crate::answer::Answer;
use crate::iommu::{Iommu, Model, Reason};
use crate::qemu::error::Halt;
pub use crate::qemu::error::NotAvailable;

/// Executes a QMP command with its arguments.
pub(crate) type Ask<'a> = dyn FnMut(&str, Value) -> Result<Answer, Halt> + 'a;

/// What the machines of one architecture have in common.
pub(crate) trait Platform: fmt::Debug + Sync {
    /// Lists the profiles that come with the suite: file name and text.
    fn profiles(&self) -> &'static [(&'static str, &'static str)];

    /// Returns the option of QEMU's `-M` that gives the machine an IOMMU.
    fn iommu_option(&self) -> &'static str;

    /// Lists the IOMMU models whose activity the suite can follow.
    fn iommus(&self) -> &'static [&'static dyn Model];

    /// Looks for the interrupt controller in the tree of objects of a running QEMU.
    fn controller(&self, ask: &mut Ask<'_>) -> Result<Option<Controller>, Halt>;

    /// Finds the input that an interrupt line's name means, or says why there is none.
    fn input(&self, line: &str, controller: Option<&Controller>) -> Result<Input, String>;

    /// Returns an image whose first instructions turn the machine off.
    fn power_off(&self) -> Vec<u8>;
}

/// An interrupt controller of a running QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Controller {
    /// Its path in the tree of objects.
    pub path: String,
    /// Number of its input lines. QEMU asserts that a line exists, so nothing may ask for a higher one.
    pub lines: u64,
}

/// An input of a device, as qtest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// Path of the device in the tree of objects.
    pub device: String,
    /// The group of inputs.
    pub group: &'static str,
    /// Its number in the group.
    pub number: u32,
}

/// Every platform there is.
const ALL: [&dyn Platform; 1] = [&aarch64::Aarch64];

/// Returns the platform of an architecture, or an error for one that cannot be run yet.
pub(crate) fn platform(arch: Arch) -> Result<&'static dyn Platform, NotAvailable> {
    match arch {
        Arch::Aarch64 => Ok(&aarch64::Aarch64),
        Arch::Amd64 => Err(NotAvailable(arch)),
    }
}

/// Returns the option of QEMU's `-M` that gives the machines of `arch` an IOMMU.
pub fn iommu_option(arch: Arch) -> Result<&'static str, NotAvailable> {
    platform(arch).map(Platform::iommu_option)
}

/// Lists the profiles that come with the suite: file name and text.
pub(crate) fn shipped() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.into_iter().flat_map(|one| one.profiles()).copied()
}

/// Lists the IOMMU models of every architecture.
fn iommus() -> impl Iterator<Item = &'static dyn Model> {
    ALL.into_iter().flat_map(|one| one.iommus()).copied()
}

impl Iommu {
    /// Returns the IOMMU that a device-tree node describes, if the suite knows its model.
    pub fn described(compatible: &[&str], registers: u64) -> Option<Self> {
        let model = iommus().find(|model| model.described_as(compatible))?;
        Some(Self { registers, model })
    }
}

impl Reason {
    /// Returns the reason that any model knows by this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|reason| reason.name() == Some(name))
    }

    /// Lists the names of all events of all models.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().filter_map(|reason| reason.name())
    }

    fn all() -> impl Iterator<Item = Self> {
        iommus().flat_map(|model| model.reasons()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An architecture that cannot be run yet is refused by name.
    #[test]
    fn what_is_missing_is_refused() {
        let why = platform(Arch::Amd64).map(|_| ()).expect_err("not there");
        assert_eq!(why.to_string(), "amd64: not available yet");
        assert_eq!(iommu_option(Arch::Amd64), Err(NotAvailable(Arch::Amd64)));
        assert!(platform(Arch::Aarch64).is_ok());
    }
}
