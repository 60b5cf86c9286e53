//! A domain's node under /chosen.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::{ConfigError, Origin, Warnings};
use super::flaw::Flaw;
use super::module::{Module, ModuleKind, module};
use crate::addr::{Pa, Span};
use crate::dt::{Cells, Node, Prop};
use crate::ids::{DomainId, Privilege};

const DIRECT_MAP: &str = "direct-map";
const CAPABILITIES: &str = "capabilities";
/// The property that names a domain's RAM.
pub const STATIC_MEMORY: &str = "xen,static-mem";

/// Capabilities: to control other domains, to have the hardware, and to serve the store that
/// domains share, of which there is nothing here to be withheld.
const CONTROL: u32 = 1;
const HARDWARE: u32 = 2;
const XENSTORE: u32 = 4;

/// Where it is said how large a domain is.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// How much RAM it has.
    pub memory: &'static str,
    /// How many CPUs it has.
    pub cpus: &'static str,
}

/// What a domain's node asks for.
#[derive(Clone, Debug)]
pub struct DomainClaim<'t> {
    /// Its number.
    pub id: DomainId,
    /// Where it is claimed: its node, or /chosen for the one that modules there make.
    pub origin: Origin<'t>,
    /// What it is called.
    pub name: &'t str,
    /// What the tree calls what it says.
    pub names: Names,
    /// RAM in KiB.
    pub memory_kib: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether it wants an emulated PL011.
    pub vpl011: bool,
    /// Shared interrupt lines, when it says how many.
    pub shared_lines: Option<u32>,
    /// Whether its node says that it gets no devices.
    pub no_passthrough: bool,
    /// What it may do beyond what every domain may.
    pub privilege: Privilege,
    /// Whether it is to find its RAM, its interrupt controller and its UART where the host has them.
    pub direct_map: bool,
    /// The host memory that is to be its RAM, when its node names it; unchecked.
    pub static_memory: Option<Vec<Span<Pa>>>,
    /// Its modules.
    pub modules: Vec<Module<'t>>,
    /// What in its node has no effect.
    pub warnings: Warnings,
}

impl<'t> DomainClaim<'t> {
    /// Returns the module of this kind.
    pub fn module(&self, kind: ModuleKind) -> Option<&Module<'t>> {
        self.modules.iter().find(|module| module.kind == kind)
    }
}

impl<'t> DomainClaim<'t> {
    /// Reads a domain's node.
    ///
    /// # Errors
    /// Refuses what cannot be read, what must be there and is not, and what asks for something
    /// that this hypervisor does not do: a domain that got less than it asks for would be
    /// less protected, or less able, than its owner believes.
    pub(super) fn read(
        id: DomainId,
        node: Node<'t>,
        static_memory: Option<Vec<Span<Pa>>>,
    ) -> Result<Self, ConfigError> {
        let number = |name| node.read(name, Prop::u32);
        let memory = node.required("memory")?;
        let memory_kib = memory.u64().map_err(|flaw| node.flaw("memory", flaw))?;
        node.required("cpus")?;
        let mut claim = Self {
            id,
            origin: node.into(),
            name: node.name(),
            names: Names {
                memory: "memory",
                cpus: "cpus",
            },
            memory_kib,
            cpus: number("cpus")?.unwrap_or(0),
            vpl011: node.read("vpl011", Prop::flag)?.unwrap_or(false),
            shared_lines: number("nr_spis")?,
            no_passthrough: false,
            privilege: Privilege::default(),
            direct_map: node.read(DIRECT_MAP, Prop::flag)?.unwrap_or(false),
            static_memory,
            modules: Vec::new(),
            warnings: Warnings::default(),
        };
        for prop in node.props() {
            claim.check(node, prop)?;
        }
        let cells = Cells::of(node, Cells::DEFAULT)?;
        for child in node.children() {
            match module(child, cells, false)? {
                Some(found) => claim.add(found)?,
                None => {
                    claim
                        .warnings
                        .add(format_args!("{}: node has no effect", child.path()));
                }
            }
        }
        claim.check_roles(node)?;
        Ok(claim)
    }

    /// Adds a module.
    pub(super) fn add(&mut self, found: Module<'t>) -> Result<(), ConfigError> {
        if self.module(found.kind).is_some() {
            let flaw = Flaw::SecondModule(found.kind.name());
            return Err(ConfigError::new(found.origin, "compatible", flaw));
        }
        self.modules.push(found);
        Ok(())
    }

    /// Refuses what does not go together with the role that it asks for.
    fn check_roles(&self, node: Node<'t>) -> Result<(), ConfigError> {
        let refuse = |name: &str, flaw| Err(ConfigError::new(node, name, flaw));
        if self.direct_map && self.static_memory.is_none() {
            return refuse(DIRECT_MAP, Flaw::DirectMapAlone);
        }
        if !self.privilege.hardware {
            return Ok(());
        }
        if !self.direct_map {
            return refuse(CAPABILITIES, Flaw::HardwareNotDirect);
        }
        for name in ["passthrough", "nr_spis"] {
            if node.has(name) {
                return refuse(name, Flaw::OfHardware);
            }
        }
        match self.module(ModuleKind::Tree) {
            Some(tree) => Err(self.partial_tree(tree)),
            None => Ok(()),
        }
    }

    /// Refuses a partial tree of the hardware domain.
    pub(super) fn partial_tree(&self, module: &Module<'t>) -> ConfigError {
        let flaw = Flaw::TreeOfHardware(ModuleKind::Tree.name(), self.name.to_string());
        ConfigError::new(module.origin, "compatible", flaw)
    }

    /// Judges a property that [`Self::read`] does not read itself.
    fn check(&mut self, node: Node<'t>, prop: Prop<'t>) -> Result<(), ConfigError> {
        let name = prop.name();
        let judged = match name {
            "compatible" | "#address-cells" | "#size-cells" | "memory" | "cpus" | "vpl011"
            | "nr_spis" | DIRECT_MAP | STATIC_MEMORY | "phandle" | "linux,phandle" | "name" => {
                Ok(())
            }
            "passthrough" => match prop.text() {
                Ok("enabled") => Ok(()),
                Ok("disabled") => {
                    self.no_passthrough = true;
                    Ok(())
                }
                Ok(other) => Err(Flaw::NotEnabled(other.to_string())),
                Err(flaw) => Err(flaw.into()),
            },
            // What these ask for by default is what every domain gets.
            "trap-unmapped-accesses" => match prop.u32() {
                Ok(1) => Ok(()),
                Ok(0) => Err(Flaw::NotTrapped),
                Ok(other) => Err(Flaw::NoBit(other)),
                Err(flaw) => Err(flaw.into()),
            },
            CAPABILITIES => match prop.u32() {
                Ok(bits) => {
                    self.privilege = Privilege {
                        control: bits & CONTROL != 0,
                        hardware: bits & HARDWARE != 0,
                    };
                    match bits & !(CONTROL | HARDWARE | XENSTORE) {
                        0 => Ok(()),
                        unknown => Err(Flaw::Capabilities(bits, unknown)),
                    }
                }
                Err(flaw) => Err(flaw.into()),
            },
            "xen,enhanced" | "xen,sci_type" => match prop.text() {
                Ok("disabled" | "none") => Ok(()),
                Ok(other) => Err(Flaw::ValueNotImplemented(other.to_string())),
                Err(flaw) => Err(flaw.into()),
            },
            // Sizes of pools that this hypervisor does not have.
            "xen,domain-p2m-mem-mb" => self.ignore(name),
            "sve" | "llc-colors" | "domain-cpupool" => Err(Flaw::NotImplemented),
            _ if name.starts_with("xen,") => Err(Flaw::NotImplemented),
            _ => self.ignore(name),
        };
        judged.map_err(|flaw| ConfigError::new(node, name, flaw))
    }

    fn ignore(&mut self, name: &str) -> Result<(), Flaw> {
        self.warnings
            .add(format_args!("{}: `{name}` has no effect", self.origin));
        Ok(())
    }
}
