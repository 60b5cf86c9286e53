//! The domain that modules directly under /chosen make: it has the hardware and controls the
//! others. What a domain's node would say stands in the hypervisor's arguments.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::domain::{DomainClaim, Names};
use super::error::{Brief, ConfigError, Warnings};
use super::flaw::Flaw;
use super::module::{ModuleKind, module, says_module};
use super::tree::Host;
use crate::dt::{Cells, Node};
use crate::ids::{DomainId, Privilege};

/// What it is called, for it has no node of its own.
pub(super) const NAME: &str = "dom0";

/// Its arguments among the hypervisor's, as Xen names them.
const NAMES: Names = Names {
    memory: "dom0_mem",
    cpus: "dom0_max_vcpus",
};

/// RAM where the arguments do not say, in KiB.
const MEMORY_KIB: u64 = 32 * 1024;

/// Reads the claim of the domain that the modules among these nodes make; `None` without modules.
pub(super) fn claim<'t>(
    host: &Host<'t>,
    chosen: Node<'t>,
    children: &[Node<'t>],
) -> Option<Result<DomainClaim<'t>, ConfigError>> {
    let modules: Vec<_> = children
        .iter()
        .copied()
        .filter(|child| says_module(*child))
        .collect();
    (!modules.is_empty()).then(|| read(host, chosen, &modules))
}

fn read<'t>(
    host: &Host<'t>,
    chosen: Node<'t>,
    children: &[Node<'t>],
) -> Result<DomainClaim<'t>, ConfigError> {
    let cells = Cells::of(chosen, Cells::DEFAULT)?;
    let mut claim = DomainClaim {
        id: DomainId::HARDWARE,
        origin: chosen.into(),
        name: NAME,
        names: NAMES,
        memory_kib: MEMORY_KIB,
        cpus: 1,
        vpl011: false,
        shared_lines: None,
        no_passthrough: false,
        privilege: Privilege {
            control: true,
            hardware: true,
        },
        direct_map: true,
        static_memory: None,
        modules: Vec::new(),
        warnings: Warnings::default(),
    };
    if let Some(text) = host.argument(NAMES.memory) {
        claim.memory_kib =
            kib(text).ok_or_else(|| unclear(chosen, NAMES.memory, text, Flaw::Size))?;
    }
    if let Some(text) = host.argument(NAMES.cpus) {
        let cpus = text.parse();
        claim.cpus = cpus.map_err(|_| unclear(chosen, NAMES.cpus, text, Flaw::Number))?;
    }
    for child in children {
        if let Some(found) = module(*child, cells, true)? {
            claim.add(found)?;
        }
    }
    if let Some(tree) = claim.module(ModuleKind::Tree) {
        return Err(claim.partial_tree(tree));
    }
    let arguments = arguments(chosen);
    let kernel = claim
        .modules
        .iter_mut()
        .find(|module| module.kind == ModuleKind::Kernel);
    if let Some(kernel) = kernel {
        kernel.arguments = kernel.arguments.or(arguments);
    }
    Ok(claim)
}

/// Returns the kernel's command line as Xen finds it where the module has none.
fn arguments<'t>(chosen: Node<'t>) -> Option<&'t str> {
    let plain = || {
        chosen
            .prop("bootargs")
            .filter(|_| chosen.has("xen,xen-bootargs"))
    };
    let prop = chosen.prop("xen,dom0-bootargs").or_else(plain)?;
    prop.text().ok()
}

fn unclear(node: Node<'_>, name: &str, text: &str, flaw: fn(String) -> Flaw) -> ConfigError {
    ConfigError::new(node, name, flaw(Brief(text).to_string()))
}

/// Reads a size as Xen writes it: a number of KiB, or one with a unit behind it.
fn kib(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let number: u64 = digits.parse().ok()?;
    let scale = match unit {
        "" | "k" | "K" => 1,
        "m" | "M" => 1 << 10,
        "g" | "G" => 1 << 20,
        "t" | "T" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::kib;

    /// Sizes are whole numbers with at most one unit, and none that wraps.
    #[test]
    fn sizes_are_read_as_xen_reads_them() {
        for (text, wanted) in [
            ("32768", Some(32768)),
            ("64M", Some(64 << 10)),
            ("1g", Some(1 << 20)),
            ("2T", Some(2 << 30)),
            ("8k", Some(8)),
            ("", None),
            ("M", None),
            ("64MB", None),
            ("-1", None),
            ("0x40", None),
            ("max:64M", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744073709551615K", Some(u64::MAX)),
            ("18446744073709551615M", None),
        ] {
            assert_eq!(kib(text), wanted, "{text}");
        }
    }
}
