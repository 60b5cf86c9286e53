//! The words that all host-side crates share, each defined once.
//!
//! Profiles and cases name an [`Arch`], a [`Class`], a [`Level`] and [`Capability`] values. A run ends in a [`Ledger`]
//! of [`Verdict`]s, which every report renders. The types are plain data with serde forms, and the JSON schemas are
//! made from them. Nothing here decides a verdict, reads a device tree or starts a machine.

#![forbid(unsafe_code)]

mod arch;
mod capability;
mod class;
mod iommu;
mod ledger;
mod level;
mod schema;
mod verdict;

pub use arch::Arch;
pub use capability::{Capabilities, Capability, UnknownName};
pub use class::Class;
pub use iommu::{DeviceAccess, IommuRecord};
pub use ledger::{
    Ledger, LedgerError, Parent, Place, Requirement, Row, SCHEMA, Step, Subject, Text,
};
pub use level::Level;
pub use schema::{check_schema, schema_of};
pub use verdict::{AggregateVerdict, Check, Counts, Verdict};
