//! What a hypervisor is had to do while its machine runs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scenario::{Device, Domain, PciFunction};

/// What `operate` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operate {
    /// The scenario's id.
    pub scenario: String,
    /// What is to be done.
    pub operation: Operation,
}

/// What a hypervisor is to do at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make this domain and start it.
    Create(Domain),
    /// End a domain and take back all that it has.
    Destroy(Destroy),
    /// Give something to a domain that runs.
    Assign(Transfer),
    /// Take something back from a domain that runs.
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
    /// Domains can be made at run time.
    Create,
    /// Domains can be ended at run time.
    Destroy,
    /// Devices can be given at run time.
    Assign,
    /// Devices can be taken back at run time.
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

/// Which domain is ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroy {
    /// Its name.
    pub domain: String,
}

/// What is given to a domain or taken back from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The domain's name.
    pub domain: String,
    /// What is given or taken back.
    pub what: Assigned,
}

/// Something of the machine that a domain may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assigned {
    /// A platform device.
    Device(Device),
    /// A PCI function.
    Pci(PciFunction),
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operated {
    /// Why the hypervisor refused it; nothing where it did it. What that is worth shows in what its domains see.
    #[serde(default)]
    pub refused: Option<String>,
}
