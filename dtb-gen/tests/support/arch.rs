//! QEMU machines whose trees the tests read.

/// The program.
pub const QEMU: &str = "qemu-system-aarch64";
/// The processor.
pub const CPU: &str = "cortex-a57";
/// A machine without an IOMMU, and one with.
pub const MACHINES: [&str; 2] = [
    "virt-10.0,gic-version=3",
    "virt-10.0,gic-version=3,virtualization=on,iommu=smmuv3",
];
