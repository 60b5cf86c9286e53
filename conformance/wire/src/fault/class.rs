//! What happened, in words that hold on every architecture.

/// What an exception is about. The architecture's decoder tells it from the syndrome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// No translation reaches the address, or the address is larger than any that there can be.
    Unmapped,
    /// A translation is there and does not allow the access.
    Permission,
    /// The address is not aligned as the access needs it.
    Alignment,
    /// The access left the CPU and was answered with an error.
    External,
    /// The instruction does not exist, or not for this privilege.
    Undefined,
    /// The exception came at a time of its own and belongs to no instruction.
    Asynchronous,
    /// Anything else.
    Other,
}
