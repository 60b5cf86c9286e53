//! Identities: domains, virtual CPUs and interrupt lines.

use core::fmt;

/// Most domains that can be numbered. A VMID of eight bits, which every CPU has, tells that many
/// apart when zero is kept for nobody.
pub const MAX_DOMAINS: u16 = 255;

/// Most virtual CPUs of one domain: what fits the guest's redistributor region is more (128),
/// what one physical CPU can serve in turn is less.
pub const MAX_VCPUS: u32 = 8;

/// The number of a domain: zero for the hardware domain, 1 for the first other one in the tree, refused
/// ones counted, so that the number of a domain does not depend on the fate of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DomainId(u16);

impl DomainId {
    /// The hardware domain.
    pub const HARDWARE: Self = Self(0);

    /// Names the domain with this number; `None` past [`MAX_DOMAINS`].
    pub const fn new(number: u16) -> Option<Self> {
        if number > MAX_DOMAINS {
            None
        } else {
            Some(Self(number))
        }
    }
    /// Tells the number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

/// The tag that tells the translations of one address space from those of another in a CPU: a VMID or an
/// ASID. A domain has one apart from its number: it is in use until the last translation that carries it is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vmid(u8);

impl Vmid {
    /// How many there are, that of nobody included.
    pub const COUNT: usize = 256;

    /// Names the tag with this number; `None` for zero, which is nobody's.
    pub const fn new(number: u8) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }
    /// Tells the number.
    pub const fn number(self) -> u8 {
        self.0
    }
    /// Returns what IOMMUs tag the translations of the same address space with. An address space has one of both, so
    /// the numbers can be equal; where an IOMMU listens to the CPU's invalidations they have to be.
    pub const fn iommu_domain(self) -> IommuDomainId {
        IommuDomainId(self.0)
    }
}

/// The tag that tells the translations of one address space from those of another in an IOMMU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IommuDomainId(u8);

impl IommuDomainId {
    /// Tells the number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// How an IOMMU knows a device that accesses memory: its stream number, DeviceID or source-id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u32);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {:#x}", self.0)
    }
}

/// A stream of accesses: of which IOMMU, counted in the order of the host's tree, and which of its.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stream {
    /// The IOMMU.
    pub iommu: usize,
    /// The stream there.
    pub id: SourceId,
}

/// A PCI function: the segment, and there the bus, the device and the function (PCI 3.0, 3.2.2.3.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sbdf {
    /// The segment, which has its own configuration space.
    pub segment: u16,
    /// The bus.
    pub bus: u8,
    /// The device, five bits, and the function, three.
    pub devfn: u8,
}

impl Sbdf {
    /// Returns the device.
    pub const fn device(self) -> u8 {
        self.devfn >> 3
    }
    /// Returns the function.
    pub const fn function(self) -> u8 {
        self.devfn & 7
    }
    /// Returns bus, device and function as what masters memory says them.
    pub const fn requester(self) -> u16 {
        u16::from_be_bytes([self.bus, self.devfn])
    }
    /// Names another function of the same segment as what masters memory says it.
    pub const fn of_requester(self, requester: u16) -> Self {
        let [bus, devfn] = requester.to_be_bytes();
        Self {
            segment: self.segment,
            bus,
            devfn,
        }
    }
}

impl fmt::Display for Sbdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digit by digit: each function of a machine is printed while it starts.
        let [high, low] = self.segment.to_be_bytes();
        let bytes = [high, low, self.bus, self.device(), self.function() << 4];
        let digits = bytes.into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut text = *b"0000:00:00.0";
        let places = text.iter_mut().filter(|place| **place == b'0');
        for (place, digit) in places.zip(digits) {
            *place = digit + if digit < 10 { b'0' } else { b'a' - 10 };
        }
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// What a domain may do besides running.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Privilege {
    /// It makes, rules and ends other domains.
    pub control: bool,
    /// It has the machine's devices; its end is that of the machine.
    pub hardware: bool,
}

/// A virtual CPU: its domain and its place in it, counted from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VcpuId {
    /// Whose it is.
    pub domain: DomainId,
    /// Which of that domain's it is.
    pub index: u32,
}

impl fmt::Display for VcpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.domain, self.index)
    }
}

/// An interrupt of the machine, by the number that its controller gives it: that of a line, or of a message. Which
/// numbers are what, and which of them a domain can own, is the architecture's ([`Lines`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IrqLine(u32);

impl IrqLine {
    /// Names the interrupt with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
    /// Tells the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for IrqLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupt {}", self.0)
    }
}

impl fmt::Debug for IrqLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The interrupts that domains can own: all CPUs share them, and they are numbered one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lines {
    /// The number of the first.
    pub first: u32,
    /// How many there can be.
    pub most: u32,
}

impl Lines {
    /// Tells which of them an interrupt is, counted from zero; `None` for one that no domain can own.
    pub fn index(self, line: IrqLine) -> Option<u32> {
        let index = line.number().checked_sub(self.first)?;
        (index < self.most).then_some(index)
    }
}

/// How a line says that its device wants attention.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Trigger {
    /// One event a rising edge.
    Edge,
    /// Wanting for as long as the line is high.
    Level,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "edge",
            Self::Level => "level",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every digit of a function's place has its own value, in the order of `lspci`.
    #[test]
    fn functions_are_named_as_elsewhere() {
        let at = |segment, bus, devfn| Sbdf {
            segment,
            bus,
            devfn,
        };
        assert_eq!(at(0, 0, 0).to_string(), "0000:00:00.0");
        assert_eq!(at(0x12ab, 0xcd, 0xff).to_string(), "12ab:cd:1f.7");
        assert_eq!(at(0x9, 0xa0, 0x51).to_string(), "0009:a0:0a.1");
    }
}
