//! Modules: what the boot loader put into memory for a domain.

use alloc::string::ToString;

use super::error::{ConfigError, Origin};
use super::flaw::Flaw;
use crate::addr::{Pa, Span};
use crate::dt::{Cells, Node, Prop};

/// Gives the bytes of modules. Whoever boots the machine implements it.
pub trait Modules<'t> {
    /// Returns the bytes at `at`; `None` where `at` is not as a whole in RAM, or belongs to the
    /// hypervisor.
    fn bytes(&self, at: Span<Pa>) -> Option<&'t [u8]>;
}

/// What a module is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModuleKind {
    /// The kernel.
    Kernel,
    /// The initial RAM disk.
    Ramdisk,
    /// The partial device tree.
    Tree,
}

impl ModuleKind {
    /// Returns what `compatible` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "multiboot,kernel",
            Self::Ramdisk => "multiboot,ramdisk",
            Self::Tree => "multiboot,device-tree",
        }
    }

    /// Returns what trees of before Xen 4.4 call it, where there is one for the domain that has the
    /// hardware.
    const fn old_name(self) -> Option<&'static str> {
        match self {
            Self::Kernel => Some("xen,linux-zimage"),
            Self::Ramdisk => Some("xen,linux-initrd"),
            Self::Tree => None,
        }
    }

    const ALL: [Self; 3] = [Self::Kernel, Self::Ramdisk, Self::Tree];
}

/// A module as a domain's node names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Module<'t> {
    /// Where it is named.
    pub origin: Origin<'t>,
    /// What it is for.
    pub kind: ModuleKind,
    /// Where it lies, unchecked.
    pub span: Span<Pa>,
    /// Its command line.
    pub arguments: Option<&'t str>,
}

/// What trees of before Xen 4.4 call every module.
const OLD_MODULE: &str = "xen,multiboot-module";

/// Tells whether a child of /chosen is a module, or part of what a module says it is.
pub(super) fn says_module(node: Node<'_>) -> bool {
    node.compatible(|name| {
        let is = |kind: &ModuleKind| name == kind.name() || Some(name) == kind.old_name();
        matches!(name, "multiboot,module" | OLD_MODULE) || ModuleKind::ALL.iter().any(is)
    })
}

/// Reads a child of a domain's node, with `old` one that may use names of before Xen 4.4; `None`
/// where it is no module and nothing of ours.
///
/// # Errors
/// Refuses a module that cannot be read, and one that lacks part of its `compatible`: to pass it
/// over would lose the domain's devices without a word.
pub(super) fn module<'t>(
    node: Node<'t>,
    cells: Cells,
    old: bool,
) -> Result<Option<Module<'t>>, ConfigError> {
    let says = |model: &str| node.compatible(|name| name == model);
    let says_old = |model: Option<&str>| old && model.is_some_and(says);
    let mut kinds = ModuleKind::ALL
        .into_iter()
        .filter(|kind| says(kind.name()) || says_old(kind.old_name()));
    let is_module = says("multiboot,module") || says_old(Some(OLD_MODULE));
    let kind = match (is_module, kinds.next(), kinds.next()) {
        (true, Some(kind), None) => Ok(kind),
        (true, Some(_), Some(_)) => Err(Flaw::ModuleKinds),
        (true, None, _) => Err(Flaw::NoModuleKind),
        (false, Some(kind), _) => Err(Flaw::NoModule(kind.name())),
        (false, None, _) => match foreign(node) {
            Some(name) => Err(Flaw::NameNotImplemented(name.to_string())),
            None => return Ok(None),
        },
    };
    let kind = kind.map_err(|flaw| ConfigError::new(node, "compatible", flaw))?;
    let reg = node.required("reg")?;
    let mut pairs = cells
        .pairs(reg.value())
        .map_err(|flaw| node.flaw("reg", flaw))?;
    let (Some([base, size]), None) = (pairs.next(), pairs.next()) else {
        return Err(ConfigError::new(node, "reg", Flaw::Ranges));
    };
    let span =
        Span::new(Pa::new(base), size).map_err(|error| ConfigError::new(node, "reg", error))?;
    let arguments = node.read("bootargs", Prop::text)?;
    Ok(Some(Module {
        origin: node.into(),
        kind,
        span,
        arguments,
    }))
}

/// Names what a child of a domain's node asks for that is known, but not to this hypervisor.
fn foreign<'t>(node: Node<'t>) -> Option<&'t str> {
    let compatible = node.prop("compatible")?;
    compatible
        .strings()
        .find(|name| name.starts_with("xen,") || name.starts_with("multiboot,"))
}
