//! Kinds of exceptions that every architecture has.

/// The kind of an exception. The architecture's decoder derives it from the syndrome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// No translation maps the address, or the address is beyond the largest possible one.
    Unmapped,
    /// A translation exists and does not permit the access.
    Permission,
    /// The address does not have the alignment that the access needs.
    Alignment,
    /// The access left the CPU, and the bus answered with an error.
    External,
    /// The instruction does not exist, or not at this privilege level.
    Undefined,
    /// The exception is asynchronous and belongs to no instruction.
    Asynchronous,
    /// Anything else.
    Other,
}
