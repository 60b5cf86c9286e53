//! AArch64: GICv3, generic timer and PSCI, following Linux' bindings (`arm,gic-v3.yaml`, `arm,arch_timer.yaml`,
//! `psci.yaml`).

use crate::{Node, Value};

/// Xen's default phandle for a guest's interrupt controller.
pub const CONTROLLER_PHANDLE: u32 = 0xfde8;

/// First cell of `interrupts`: a shared interrupt (SPI), and a private one (PPI).
const SHARED: u32 = 0;
const PRIVATE: u32 = 1;
/// Last cell of `interrupts`: level-sensitive, active high.
const LEVEL_HIGH: u32 = 4;
/// PPI numbers of the secure and the non-secure physical timer. Guests use neither.
const UNUSED_TIMERS: [u32; 2] = [13, 14];

/// The AArch64 part of a guest's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Registers of the GIC's distributor: first byte and length.
    pub distributor: (u64, u64),
    /// Registers of its redistributors.
    pub redistributors: (u64, u64),
    /// PPI number of the virtual timer.
    pub timer: u32,
}

impl Guest {
    pub(super) fn controller(&self, phandle: u32) -> Node {
        let (distributor, redistributors) = (self.distributor, self.redistributors);
        let frames = vec![
            distributor.0,
            distributor.1,
            redistributors.0,
            redistributors.1,
        ];
        Node::new(format!("interrupt-controller@{:x}", distributor.0))
            .with("compatible", "arm,gic-v3")
            .with("#interrupt-cells", 3_u32)
            .with("#address-cells", 0_u32)
            .with("interrupt-controller", ())
            .with("reg", Value::Cells64(frames))
            .with("phandle", phandle)
    }

    pub(super) fn timer(&self) -> Node {
        let [secure, non_secure] = UNUSED_TIMERS;
        let lines = [secure, non_secure, self.timer].map(|line| [PRIVATE, line, LEVEL_HIGH]);
        Node::new("timer")
            .with("compatible", "arm,armv8-timer")
            .with("interrupts", lines.as_flattened())
            .with("always-on", ())
    }
}

/// Makes the node that represents the guest's interrupt controller in a partial tree.
pub(crate) fn placeholder(phandle: u32) -> Node {
    Node::new("gic").with("phandle", phandle)
}

pub(super) fn firmware() -> Node {
    Node::new("psci")
        .with("compatible", ["arm,psci-1.0", "arm,psci-0.2"])
        .with("method", "hvc")
}

pub(super) fn cpu(number: u32) -> Node {
    Node::new(format!("cpu@{number:x}"))
        .with("device_type", "cpu")
        .with("compatible", "arm,armv8")
        .with("reg", number)
        .with("enable-method", "psci")
}

pub(super) const fn shared_line(line: u32) -> [u32; 3] {
    [SHARED, line, LEVEL_HIGH]
}
