//! What a subject can do, by names that profiles and cases share.

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
    /// Domains described in the host's device tree start at boot.
    BootDomains,
    /// Several domains run at once.
    SeveralDomains,
    /// Platform devices without DMA can be given to a domain.
    PlatformDevices,
    /// A device can be given where it has no IOMMU, when that is forced.
    ForcedAssignment,
    /// Domains can be mapped one to one, at addresses the tree names.
    DirectMap,
    /// DMA goes through the machine's IOMMU, which the subject drives.
    Iommu,
    /// It is the IOMMU that stops what a device may not do, and it records what it stops of a domain's device.
    IommuEvents,
    /// PCI functions can be given to a domain.
    Pci,
    /// The subject enumerates PCI functions itself.
    PciScan,
    /// PCI functions can be given and taken back at run time.
    PciRuntime,
    /// The hardware domain can report PCI functions that come and go.
    PciHotplug,
    /// Real firmware can start the subject.
    Firmware,
    /// A hardware domain owns what nobody else does.
    HardwareDomain,
    /// A domain can control others by hypercall.
    ControlDomain,
    /// Nodes of domains say which of them are in control, so that there may be several, each with what its node says.
    ControlNode,
    /// The control interface has the layouts of Xen 4.19 to 4.21 (public/domctl.h: `XEN_DOMCTL_INTERFACE_VERSION`).
    Domctl17,
    /// Domains can be created at run time.
    RuntimeCreate,
    /// Domains can be destroyed at run time.
    Destroy,
    /// Domains made at run time can write to the console.
    RuntimeConsole,
    /// Domains and their devices are described in device trees of Xen's dom0less form, in which a case may put anything,
    /// defects included.
    Dom0lessTrees,
}

impl Capability {
    /// Every capability there is.
    pub const ALL: [Self; 20] = [
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

/// A name that is none, with the one that may have been meant.
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
    /// Tells whether `capability` is among them.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Returns which of `needs` are not among them.
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

    /// Every capability is read back from its name, and no two share one.
    #[test]
    fn names_are_unique_and_read_back() {
        for capability in Capability::ALL {
            assert_eq!(capability.name().parse(), Ok(capability));
        }
    }

    /// A near miss is told what was meant; something far off is not given bad advice.
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

    /// What is missing is listed in the order it was needed.
    #[test]
    fn missing_keeps_the_order_of_needs() {
        let has: Capabilities = [Capability::Pci].into_iter().collect();
        let missing = has.missing(&[Capability::Iommu, Capability::Pci, Capability::Destroy]);
        assert_eq!(missing, [Capability::Iommu, Capability::Destroy]);
    }
}
