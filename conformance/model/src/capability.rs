//! What a subject can do: the names that profiles and cases share.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Something a case may need and a subject may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Domains described in the host's device tree are started at boot.
    BootDomains,
    /// Several domains run at once.
    SeveralDomains,
    /// Platform devices without DMA can be assigned to a domain.
    PlatformDevices,
    /// A device without an IOMMU can be assigned if that is forced.
    ForcedAssignment,
    /// Domains can be mapped one to one, at addresses that the tree names.
    DirectMap,
    /// The subject drives the machine's IOMMU, and DMA goes through it.
    Iommu,
    /// The IOMMU itself stops forbidden accesses of a device, and records those of a domain's device.
    IommuEvents,
    /// PCI functions can be assigned to a domain.
    Pci,
    /// The subject enumerates PCI functions itself.
    PciScan,
    /// PCI functions can be assigned and taken back at run time.
    PciRuntime,
    /// The hardware domain can report PCI functions that are plugged in or out.
    PciHotplug,
    /// The subject can be started by real firmware.
    Firmware,
    /// There is a hardware domain, which owns all other devices.
    HardwareDomain,
    /// A domain can control others by hypercall.
    ControlDomain,
    /// A domain's node says whether it is a control domain, so that there may be several with different privileges.
    ControlNode,
    /// The control interface has the layouts of Xen 4.19 to 4.21 (public/domctl.h: `XEN_DOMCTL_INTERFACE_VERSION`).
    Domctl17,
    /// It answers Xen's hypercalls by their numbers and structures, and refuses with Xen's errors (public/xen.h,
    /// public/errno.h). Needed where a case makes such a call itself or wants a certain error.
    XenHypercalls,
    /// Domains can be created at run time.
    RuntimeCreate,
    /// Domains can be destroyed at run time.
    Destroy,
    /// Domains created at run time can write to the console.
    RuntimeConsole,
    /// Domains and their devices are described by device trees in Xen's dom0less form. A case may put anything into
    /// them, including defects.
    Dom0lessTrees,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 21] = [
        Self::BootDomains,
        Self::SeveralDomains,
        Self::PlatformDevices,
        Self::ForcedAssignment,
        Self::DirectMap,
        Self::Iommu,
        Self::IommuEvents,
        Self::Pci,
        Self::PciScan,
        Self::PciRuntime,
        Self::PciHotplug,
        Self::Firmware,
        Self::HardwareDomain,
        Self::ControlDomain,
        Self::ControlNode,
        Self::Domctl17,
        Self::XenHypercalls,
        Self::RuntimeCreate,
        Self::Destroy,
        Self::RuntimeConsole,
        Self::Dom0lessTrees,
    ];

    /// Returns the name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BootDomains => "boot-domains",
            Self::SeveralDomains => "several-domains",
            Self::PlatformDevices => "platform-devices",
            Self::ForcedAssignment => "forced-assignment",
            Self::DirectMap => "direct-map",
            Self::Iommu => "iommu",
            Self::IommuEvents => "iommu-events",
            Self::Pci => "pci",
            Self::PciScan => "pci-scan",
            Self::PciRuntime => "pci-runtime",
            Self::PciHotplug => "pci-hotplug",
            Self::Firmware => "firmware",
            Self::HardwareDomain => "hardware-domain",
            Self::ControlDomain => "control-domain",
            Self::ControlNode => "control-node",
            Self::Domctl17 => "domctl-0x17",
            Self::XenHypercalls => "xen-hypercalls",
            Self::RuntimeCreate => "runtime-create",
            Self::Destroy => "destroy",
            Self::RuntimeConsole => "runtime-console",
            Self::Dom0lessTrees => "dom0less-trees",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown name, with the known one that may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is no capability{}", meant(nearest))]
pub struct UnknownName {
    name: String,
    nearest: Option<&'static str>,
}

fn meant(nearest: &Option<&'static str>) -> String {
    nearest
        .map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}

impl FromStr for Capability {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
            .ok_or_else(|| UnknownName {
                name: name.to_owned(),
                nearest: text::nearest(name, Self::ALL.map(Self::name)),
            })
    }
}

impl JsonSchema for Capability {
    fn schema_name() -> Cow<'static, str> {
        "Capability".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Something a case may need and a subject may lack.",
            "enum": Self::ALL.map(Self::name),
        })
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What a subject can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Tells whether the subject has `capability`.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Returns those of `needs` that the subject lacks.
    pub fn missing(&self, needs: &[Capability]) -> Vec<Capability> {
        needs
            .iter()
            .copied()
            .filter(|need| !self.has(*need))
            .collect()
    }

    /// Lists them in order.
    pub fn iter(&self) -> impl Iterator<Item = Capability> {
        self.0.iter().copied()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every capability is parsed from its name, and no two share one.
    #[test]
    fn names_are_unique_and_read_back() {
        for capability in Capability::ALL {
            assert_eq!(capability.name().parse(), Ok(capability));
        }
    }

    /// A near misspelling gets a suggestion; a word that is far off gets none.
    #[test]
    fn misspellings_are_corrected() {
        let say = |name: &str| name.parse::<Capability>().expect_err("unknown").to_string();
        assert_eq!(
            say("platform-device"),
            "`platform-device` is no capability, did you mean `platform-devices`?"
        );
        assert_eq!(say("IOMMU"), "`IOMMU` is no capability");
        assert_eq!(say(""), "`` is no capability");
    }

    /// Missing capabilities are listed in the order of the needs.
    #[test]
    fn missing_keeps_the_order_of_needs() {
        let has: Capabilities = [Capability::Pci].into_iter().collect();
        let missing = has.missing(&[Capability::Iommu, Capability::Pci, Capability::Destroy]);
        assert_eq!(missing, [Capability::Iommu, Capability::Destroy]);
    }
}
