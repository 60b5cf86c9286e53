//! A domain's node under /chosen.

use alloc::vec::Vec;

use super::error::{Flaw, Notices};
use super::host::Host;
use super::index::NodeId;
use super::module::{Module, ModuleKind, module};
use super::platform::one;
use crate::dt::{Cells, Node, Prop};
use crate::ids::DomainId;

/// What a domain's node asks for.
#[derive(Clone, Debug)]
pub struct DomainClaim<'t> {
    /// Its number.
    pub id: DomainId,
    /// Its node.
    pub node: Node<'t>,
    /// RAM in KiB.
    pub memory_kib: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether it wants an emulated PL011.
    pub vpl011: bool,
    /// Shared interrupt lines, when it says how many.
    pub nr_spis: Option<u32>,
    /// Whether its node says that it gets no devices.
    pub no_passthrough: bool,
    /// Its modules.
    pub modules: Vec<Module<'t>>,
    /// What in its node has no effect.
    pub notices: Notices,
}

impl<'t> DomainClaim<'t> {
    /// Returns the module of this kind.
    pub fn module(&self, kind: ModuleKind) -> Option<&Module<'t>> {
        self.modules.iter().find(|module| module.kind == kind)
    }
}

/// Returns the nodes of the domains, in the order in which they stand.
pub fn domains<'t>(host: &Host<'t>) -> Vec<Node<'t>> {
    let Some(chosen) = one(host.index.by_path("/chosen")) else {
        return Vec::new();
    };
    let is_domain = |id: &NodeId| {
        host.node(*id)
            .compatible(|name| name.eq_ignore_ascii_case("xen,domain"))
    };
    host.index
        .children(chosen)
        .filter(is_domain)
        .map(|id| host.node(id))
        .collect()
}

impl<'t> DomainClaim<'t> {
    /// Reads a domain's node.
    ///
    /// # Errors
    /// Refuses what cannot be read, what must be there and is not, and what asks for something
    /// that this hypervisor does not do: a domain that got less than it asks for would be
    /// less protected, or less able, than its owner believes.
    pub fn read(id: DomainId, node: Node<'t>) -> Result<Self, Flaw> {
        let number = |name| node.read(name, Prop::u32);
        let memory = node.required("memory")?;
        let memory_kib = memory.u64().map_err(|flaw| node.flaw("memory", flaw))?;
        node.required("cpus")?;
        let mut claim = Self {
            id,
            node,
            memory_kib,
            cpus: number("cpus")?.unwrap_or(0),
            vpl011: node.read("vpl011", Prop::flag)?.unwrap_or(false),
            nr_spis: number("nr_spis")?,
            no_passthrough: false,
            modules: Vec::new(),
            notices: Notices::default(),
        };
        for prop in node.props() {
            claim.check(prop)?;
        }
        let cells = Cells::of(node, Cells::DEFAULT)?;
        for child in node.children() {
            match module(child, cells)? {
                Some(found) => {
                    if claim.module(found.kind).is_some() {
                        let what = format_args!("names a second {}", found.kind.name());
                        return Err(Flaw::new(child, "compatible", what));
                    }
                    claim.modules.push(found);
                }
                None => {
                    claim
                        .notices
                        .add(format_args!("{}: node has no effect", child.path()));
                }
            }
        }
        Ok(claim)
    }

    /// Judges a property that [`Self::read`] does not read itself.
    fn check(&mut self, prop: Prop<'t>) -> Result<(), Flaw> {
        let node = self.node;
        let name = prop.name();
        let refuse = |what: &str| Err(Flaw::new(node, name, what));
        match name {
            "compatible" | "#address-cells" | "#size-cells" | "memory" | "cpus" | "vpl011"
            | "nr_spis" | "phandle" | "linux,phandle" | "name" => Ok(()),
            "passthrough" => match prop.text() {
                Ok("enabled") => Ok(()),
                Ok("disabled") => {
                    self.no_passthrough = true;
                    Ok(())
                }
                Ok(other) => Err(Flaw::new(
                    node,
                    name,
                    format_args!("is \"{other}\", neither \"enabled\" nor \"disabled\""),
                )),
                Err(flaw) => Err(Flaw::new(node, name, flaw)),
            },
            // What these ask for by default is what every domain gets.
            "trap-unmapped-accesses" => match prop.u32() {
                Ok(1) => Ok(()),
                Ok(0) => refuse("is 0, which is not implemented: unmapped accesses always fault"),
                Ok(other) => Err(Flaw::new(
                    node,
                    name,
                    format_args!("is {other}, neither 0 nor 1"),
                )),
                Err(flaw) => Err(Flaw::new(node, name, flaw)),
            },
            "capabilities" => match prop.u32() {
                Ok(0) => Ok(()),
                Ok(bits) => Err(Flaw::new(
                    node,
                    name,
                    format_args!("is {bits:#x}; no capability is implemented"),
                )),
                Err(flaw) => Err(Flaw::new(node, name, flaw)),
            },
            "xen,enhanced" | "xen,sci_type" => match prop.text() {
                Ok("disabled" | "none") => Ok(()),
                Ok(other) => Err(Flaw::new(
                    node,
                    name,
                    format_args!("is \"{other}\", which is not implemented"),
                )),
                Err(flaw) => Err(Flaw::new(node, name, flaw)),
            },
            "direct-map" | "sve" | "llc-colors" | "domain-cpupool" => refuse("is not implemented"),
            // Sizes of pools that this hypervisor does not have.
            "xen,domain-p2m-mem-mb" => self.ignore(name),
            _ if name.starts_with("xen,") => refuse("is not implemented"),
            _ => self.ignore(name),
        }
    }

    fn ignore(&mut self, name: &str) -> Result<(), Flaw> {
        self.notices
            .add(format_args!("{}: `{name}` has no effect", self.node.path()));
        Ok(())
    }
}
