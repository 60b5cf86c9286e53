//! Operations that a hypervisor carries out while its machine runs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scenario::{Device, Domain, PciFunction};

/// The content of `operate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operate {
    /// The scenario's id.
    pub scenario: String,
    /// The operation.
    pub operation: Operation,
}

/// An operation of the hypervisor at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Create this domain and start it.
    Create(Domain),
    /// Destroy a domain and reclaim all its resources.
    Destroy(Destroy),
    /// Assign something to a running domain.
    Assign(Transfer),
    /// Deassign something from a running domain.
    Deassign(Transfer),
}

impl Operation {
    /// Returns its kind.
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::Create(_) => OperationKind::Create,
            Self::Destroy(_) => OperationKind::Destroy,
            Self::Assign(_) => OperationKind::Assign,
            Self::Deassign(_) => OperationKind::Deassign,
        }
    }
}

/// A kind of [`Operation`], as an adapter claims it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Domains can be created at run time.
    Create,
    /// Domains can be destroyed at run time.
    Destroy,
    /// Devices can be assigned at run time.
    Assign,
    /// Devices can be deassigned at run time.
    Deassign,
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Destroy => "destroy",
            Self::Assign => "assign",
            Self::Deassign => "deassign",
        })
    }
}

/// The domain to destroy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroy {
    /// Its name.
    pub domain: String,
}

/// What is assigned to a domain or deassigned from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The domain's name.
    pub domain: String,
    /// What is assigned or deassigned.
    pub what: Assigned,
}

/// A part of the machine that can be assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assigned {
    /// A platform device.
    Device(Device),
    /// A PCI function.
    Pci(PciFunction),
}

/// The result of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operated {
    /// Why the hypervisor refused it, or nothing if it succeeded. The verdict rests on what the domains observe, not on
    /// this.
    #[serde(default)]
    pub refused: Option<String>,
}
