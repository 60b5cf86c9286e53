//! Requests to the hypervisor, by the words of Xen's interface (public/domctl.h, public/physdev.h).

use wire::{Hv, Op, Width};

use super::Writer;
use crate::language::Scope;
use crate::language::operand::{Operands, PATIENCE};

pub const VERBS: &[&str] = &[
    "hypercall",
    "scratch-write",
    "scratch-read",
    "write-scratch-address",
    "hypervisor-version",
    "free-pages",
    "list-domains",
    "domain-info",
    "domain-pages",
    "wait-domain",
    "create",
    "start-at",
    "destroy",
    "pause",
    "unpause",
    "shutdown",
    "populate",
    "depopulate",
    "map-foreign",
    "unmap-foreign",
    "permit-pages",
    "forbid-pages",
    "map-pages",
    "unmap-pages",
    "bind-interrupt",
    "unbind-interrupt",
    "assign",
    "test-assign",
    "deassign",
    "pci-add",
    "pci-remove",
    "pci-reset",
    "pci-assign",
    "pci-test-assign",
    "pci-deassign",
    "pci-group",
    "pci-known",
    "pci-list",
];

/// Flags of a new domain that sets none (Xen, public/domctl.h: `XEN_DOMCTL_CDF_hvm`, `XEN_DOMCTL_CDF_hap`).
const FLAGS: u32 = 3;

/// Tells whether a query answers with a number.
pub const fn counts(asked: &Hv) -> bool {
    matches!(
        asked,
        Hv::Version
            | Hv::Free
            | Hv::List
            | Hv::Info { .. }
            | Hv::Pages { .. }
            | Hv::Wait { .. }
            | Hv::PciGroup { .. }
            | Hv::PciKnown { .. }
            | Hv::PciList { .. }
            | Hv::Create { dom: 0, .. }
    )
}

/// Reads a page of the host, whatever the domain has at that address.
fn host_page(words: &mut Operands<'_, '_>) -> Result<u64, String> {
    let host = Scope::outside(words.scope.names);
    host.number(words.word("a page of the host")?)
}

impl Writer<'_> {
    pub(super) fn of_hypervisor(
        &self,
        verb: &str,
        words: &mut Operands<'_, '_>,
    ) -> Result<Option<Op>, String> {
        let id = |word: &str| self.table.id(word).map(u64::from);
        Ok(Some(match verb {
            "hypercall" => Op::Hypercall {
                number: self.small("a number", words)?,
                args: words.values(&id)?,
            },
            "scratch-write" => Op::ScratchWrite {
                at: words.place()?,
                values: words.values(&id)?,
            },
            "write-scratch-address" => Op::WriteScratchAddress {
                at: words.address()?,
                place: words.place()?,
            },
            "scratch-read" => Op::ScratchRead {
                at: words.place()?,
                width: words.one_of(
                    "size",
                    &[
                        ("8", Width::W8),
                        ("16", Width::W16),
                        ("32", Width::W32),
                        ("64", Width::W64),
                    ],
                )?,
            },
            _ => match self.domctl(verb, words)? {
                Some(asked) => Op::Hv(asked),
                None => match self.physdev(verb, words)? {
                    Some(asked) => Op::Hv(asked),
                    None => return Ok(None),
                },
            },
        }))
    }

    /// Reads a request about a domain and its memory, interrupts and devices of the host's tree.
    fn domctl(&self, verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Hv>, String> {
        Ok(Some(match verb {
            "hypervisor-version" => Hv::Version,
            "free-pages" => Hv::Free,
            "list-domains" => Hv::List,
            "domain-info" => Hv::Info {
                dom: self.dom(words)?,
            },
            "domain-pages" => Hv::Pages {
                dom: self.dom(words)?,
            },
            "wait-domain" => Hv::Wait {
                dom: self.dom(words)?,
                mask: words.number("a mask")?,
                value: words.number("a value")?,
                ms: words.number32_or("a time in ms", PATIENCE)?,
            },
            "create" => Hv::Create {
                dom: self.dom(words)?,
                kib: words.number("memory in KiB")?,
                cpus: words.number32("a number of CPUs")?,
                lines: words.number32("a number of interrupt lines")?,
                flags: words.number32_or("flags", FLAGS)?,
            },
            "start-at" => Hv::Start {
                dom: self.dom(words)?,
                pc: words.address()?,
                argument: words.number("an argument")?,
            },
            "destroy" => Hv::Destroy {
                dom: self.dom(words)?,
            },
            "pause" => Hv::Pause {
                dom: self.dom(words)?,
            },
            "unpause" => Hv::Unpause {
                dom: self.dom(words)?,
            },
            "shutdown" => Hv::Shutdown {
                dom: self.dom(words)?,
                reason: words.number32("a reason")?,
            },
            "populate" => Hv::Populate {
                dom: self.dom(words)?,
                gfn: words.number("a frame")?,
                order: words.number32("an order")?,
                count: words.number32("a count")?,
            },
            "depopulate" => Hv::Depopulate {
                dom: self.dom(words)?,
                gfn: words.number("a frame")?,
            },
            "map-foreign" => Hv::Foreign {
                gfn: words.number("a frame")?,
                dom: self.dom(words)?,
                from: words.number("a frame of the other domain")?,
            },
            "unmap-foreign" => Hv::Unforeign {
                gfn: words.number("a frame")?,
            },
            "permit-pages" | "forbid-pages" => Hv::Iomem {
                dom: self.dom(words)?,
                mfn: host_page(words)?,
                count: words.number("a count")?,
                allow: verb == "permit-pages",
            },
            "map-pages" => Hv::Map {
                dom: self.dom(words)?,
                gfn: words.number("a frame")?,
                mfn: host_page(words)?,
                count: words.number("a count")?,
            },
            "unmap-pages" => Hv::Unmap {
                dom: self.dom(words)?,
                gfn: words.number("a frame")?,
                mfn: host_page(words)?,
                count: words.number("a count")?,
            },
            "bind-interrupt" => Hv::Bind {
                dom: self.dom(words)?,
                line: self.small("an interrupt", words)?,
            },
            "unbind-interrupt" => Hv::Unbind {
                dom: self.dom(words)?,
                line: self.small("an interrupt", words)?,
            },
            "assign" => Hv::Assign {
                dom: self.dom(words)?,
                path: words.path()?,
            },
            "test-assign" => Hv::TestAssign {
                dom: self.dom(words)?,
                path: words.path()?,
            },
            "deassign" => Hv::Deassign {
                dom: self.dom(words)?,
                path: words.path()?,
            },
            _ => return Ok(None),
        }))
    }

    /// Reads a request about a PCI function.
    fn physdev(&self, verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Hv>, String> {
        Ok(Some(match verb {
            "pci-add" => Hv::PciAdd {
                at: self.function(words)?,
                flags: words.number32_or("flags", 0)?,
                physfn: match words.is_empty() {
                    true => 0,
                    false => {
                        let function = self.function(words)?;
                        u16::try_from(function).map_err(|_| {
                            format!("{function:#x} is no function of the first segment")
                        })?
                    }
                },
            },
            "pci-remove" => Hv::PciRemove {
                at: self.function(words)?,
            },
            "pci-reset" => Hv::PciReset {
                at: self.function(words)?,
                flags: words.number32_or("flags", 0)?,
            },
            "pci-assign" => Hv::PciAssign {
                dom: self.dom(words)?,
                at: self.function(words)?,
            },
            "pci-test-assign" => Hv::PciTest {
                dom: self.dom(words)?,
                at: self.function(words)?,
            },
            "pci-deassign" => Hv::PciDeassign {
                dom: self.dom(words)?,
                at: self.function(words)?,
            },
            "pci-group" => Hv::PciGroup {
                dom: self.dom(words)?,
                at: self.function(words)?,
            },
            "pci-known" => Hv::PciKnown {
                at: self.function(words)?,
            },
            "pci-list" => Hv::PciList {
                at: self.function(words)?,
            },
            _ => return Ok(None),
        }))
    }

    fn dom(&self, words: &mut Operands<'_, '_>) -> Result<u16, String> {
        let word = words.word("a domain")?;
        if let Some(id) = self.table.id(word) {
            return Ok(id);
        }
        let wrong = |why| match word.starts_with(|c: char| c.is_ascii_digit()) {
            true => why,
            false => self.table.unknown(word),
        };
        let number = words.scope.number(word).map_err(wrong)?;
        u16::try_from(number).map_err(|_| format!("`{word}` is no id of a domain"))
    }

    fn small(&self, what: &str, words: &mut Operands<'_, '_>) -> Result<u16, String> {
        let number = words.number32(what)?;
        u16::try_from(number).map_err(|_| {
            format!(
                "{number} is no {}",
                what.trim_start_matches("an ").trim_start_matches("a ")
            )
        })
    }

    /// Reads a function by its name, or its segment and BDF.
    fn function(&self, words: &mut Operands<'_, '_>) -> Result<u32, String> {
        let word = words.word("a function")?;
        let functions = self.scope.names.pci.as_ref();
        if let Some(bdf) = functions.and_then(|all| all.bdf(word).ok()) {
            return Ok(u32::from(bdf));
        }
        let Some(device) = self.scope.names.machine.device(word) else {
            return words.scope.number32(word);
        };
        let slot = device.optional.as_ref().and_then(|optional| optional.pci);
        let slot = slot.ok_or_else(|| format!("`{word}` is no PCI function"))?;
        Ok(u32::from(slot) << 3)
    }
}
