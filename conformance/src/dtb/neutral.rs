//! Turns a scenario into what an adapter receives: domains, devices and machine in no hypervisor's form, and no
//! expectations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dtb_gen::{Guest, Node, Tree};
use runners::adapter::protocol::{
    Bank, Device, Dom0less, Domain, FileRef, Machine, Module, PciFunction, Placed, Property, Range,
    Role, Scenario,
};
use runners::{File, GuestLayout, HostLayout, Profile};

use super::{Blobs, BuildContext, plan, platform};
use crate::arch::{self, CONTROLLER_PHANDLE};
use crate::case;
use crate::scenario::{self, DOMAIN_MEMORY_KIB};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::told_of as sample;

/// Images and trees of a domain are page-aligned.
const PAGE: u64 = 0x1000;
/// File name of the kernel of every domain.
const KERNEL: &str = "kernel.img";

/// What an adapter receives, and the files that it refers to.
#[derive(Clone, Debug)]
pub struct AdapterScenario {
    /// The scenario.
    pub scenario: Scenario,
    /// The files.
    pub files: Vec<File>,
}

/// Describes `scenario` for an adapter; the machine is started with these arguments.
pub fn tell(
    scenario: &scenario::Scenario,
    context: &BuildContext<'_>,
    profile: &Profile,
    blobs: &Blobs,
    arguments: Vec<String>,
) -> Result<AdapterScenario, String> {
    let kernel = FileRef::of(KERNEL, context.probe);
    let mut files = vec![File::new(KERNEL, context.probe.clone())];
    let mut known = vec![kernel.clone()];
    // Equal content is written once, even under another name.
    let mut put = |name: String, bytes: Vec<u8>| {
        let file = FileRef::of(name, &bytes);
        if let Some(same) = known.iter().find(|other| other.sha256 == file.sha256) {
            return same.clone();
        }
        files.push(File::new(file.path.clone(), bytes));
        known.push(file.clone());
        file
    };
    let tree = platform(scenario, context.base)?;
    let base = super::machine(scenario, context.base);
    let tree = tree.emit().map_err(|error| error.to_string())?;
    let machine = Machine {
        arguments,
        memory_mib: profile.machine.memory_mib,
        cpus: profile.machine.cpus,
        tree: put("machine.dtb".to_owned(), tree),
        modules: profile.modules,
        guest: profile.guest.clone(),
        host: context.host,
        ipa_bits: profile.ipa_bits,
    };
    let mut domains = Vec::new();
    for boot in &blobs.boots {
        let of_number = |domain: &&scenario::Domain| domain.number == boot.number;
        let Some(domain) = scenario.domains.iter().find(of_number) else {
            continue;
        };
        let in_domain = |why: String| format!("{}: {why}", domain.name);
        let memory = memory(domain, &profile.guest);
        let end = end(&memory);
        let size = boot.ramdisk.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let ramdisk = boot.ramdisk.as_ref().map(|bytes| Placed {
            address: below(end, bytes.len()),
            file: put(format!("{}.ramdisk", domain.name), bytes.to_vec()),
        });
        let guest = guest(
            domain,
            profile,
            &memory,
            &boot.args,
            ramdisk.as_ref().map(|placed| (placed.address, size)),
            (&base, context.host),
        );
        let tree = dtb_gen::guest(&guest.map_err(in_domain)?)
            .map_err(|error| in_domain(error.to_string()))?;
        let tree = tree.emit().map_err(|error| in_domain(error.to_string()))?;
        let top = ramdisk.as_ref().map_or(end, |placed| placed.address);
        domains.push(Domain {
            name: domain.name.clone(),
            number: boot.number,
            role: match domain.role {
                case::Role::Guest => Role::Guest,
                case::Role::Control => Role::Control,
                case::Role::Hardware => Role::Hardware,
            },
            memory_kib: domain.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB),
            memory,
            direct_map: domain.direct,
            cpus: domain.cpus,
            console: domain.vpl011,
            interrupt_lines: domain.guest_lines,
            arguments: boot.args.clone(),
            ramdisk,
            tree: Placed {
                address: below(top, tree.len()),
                file: put(format!("{}.dtb", domain.name), tree),
            },
            devices: devices(domain, &base).map_err(in_domain)?,
            pci: domain.pci.iter().map(function).collect(),
        });
    }
    let mut modules = Vec::new();
    for (name, address, bytes) in &blobs.modules {
        let file = match name.as_str() {
            "probe" => kernel.clone(),
            name => put(format!("dom0less-{name}"), bytes.to_vec()),
        };
        modules.push(Module {
            file,
            address: *address,
        });
    }
    let dom0less = Dom0less {
        tree: put("dom0less.dtb".to_owned(), blobs.host.clone()),
        modules,
    };
    let scenario = Scenario {
        id: scenario.id.clone(),
        arch: profile.arch,
        kernel,
        hypervisor_arguments: context.hypervisor_args.to_owned(),
        machine,
        domains,
        dom0less,
    };
    Ok(AdapterScenario { scenario, files })
}

/// Returns the memory of a domain in guest-physical addresses.
fn memory(domain: &scenario::Domain, layout: &GuestLayout) -> Vec<Bank> {
    if domain.direct {
        let bank = |(base, size): &(u64, u64)| Bank {
            base: *base,
            size: *size,
            host: Some(*base),
        };
        return domain.banks.iter().map(bank).collect();
    }
    let size = domain
        .memory_kib
        .unwrap_or(DOMAIN_MEMORY_KIB)
        .saturating_mul(1024);
    let low = size.min(layout.ram.size);
    let rest = layout.ram_high.map(|high| (high.base, size - low));
    let mut places = vec![(domain.ram, low)];
    places.extend(rest.filter(|(_, size)| *size > 0));
    // If the case asks for certain host memory, the banks appear in the domain's memory in the order of the case.
    let mut banks = Vec::new();
    if domain.banks.is_empty() {
        banks.extend(places.iter().map(|(base, size)| Bank {
            base: *base,
            size: *size,
            host: None,
        }));
    }
    let mut base = domain.ram;
    for (host, size) in &domain.banks {
        banks.push(Bank {
            base,
            size: *size,
            host: Some(*host),
        });
        base = base.saturating_add(*size);
    }
    banks
}

/// Returns the end of the first piece of memory, which holds the kernel.
fn end(memory: &[Bank]) -> u64 {
    memory
        .first()
        .map_or(0, |bank| bank.base.saturating_add(bank.size))
}

/// Returns the highest page at which this many bytes end below `top`.
fn below(top: u64, bytes: usize) -> u64 {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    top.saturating_sub(bytes) / PAGE * PAGE
}

/// Builds the tree with which a domain may be booted.
fn guest(
    domain: &scenario::Domain,
    profile: &Profile,
    memory: &[Bank],
    arguments: &str,
    ramdisk: Option<(u64, u64)>,
    context: (&Tree, Option<HostLayout>),
) -> Result<Guest, String> {
    let (base, host) = context;
    let layout = &profile.guest;
    let host = host.as_ref().filter(|_| domain.direct);
    let uart = host.map_or(layout.uart, |host| host.uart);
    let plain = domain.partial.as_ref();
    Ok(Guest {
        memory: memory.iter().map(|bank| (bank.base, bank.size)).collect(),
        cpus: domain.cpus,
        arch: arch::guest(layout, host, domain.cpus),
        args: arguments.to_owned(),
        ramdisk,
        uart: domain.vpl011.then(|| {
            let line = layout.uart_irq.saturating_sub(arch::FIRST_SHARED);
            (uart.base, uart.size, line)
        }),
        callable: false,
        devices: plain.map(|partial| plan(partial, base)).transpose()?,
    })
}

/// Lists the devices of the machine that are assigned to a domain.
fn devices(domain: &scenario::Domain, base: &Tree) -> Result<Vec<Device>, String> {
    let Some(partial) = &domain.partial else {
        return Ok(Vec::new());
    };
    let planned = plan(partial, base)?.devices;
    let device = |device: &dtb_gen::Device| {
        let node = device
            .props
            .iter()
            .fold(Node::new(""), |node, (name, value)| {
                node.with(name, value.clone())
            });
        let usual = |prop: &dtb_gen::Prop| {
            prop.name == "interrupt-parent" && prop.u32() == Some(CONTROLLER_PHANDLE)
        };
        Device {
            name: device.name.clone(),
            ranges: device
                .ranges
                .iter()
                .map(|range| Range {
                    host: range.host,
                    guest: range.guest,
                    size: range.size,
                })
                .collect(),
            interrupts: arch::shared_interrupts(&node),
            host_node: device.path.clone(),
            force_without_iommu: device.force,
            properties: node
                .props
                .iter()
                .filter(|prop| !usual(prop))
                .map(|prop| Property {
                    name: prop.name.clone(),
                    base64: STANDARD.encode(&prop.value),
                })
                .collect(),
        }
    };
    Ok(planned.iter().map(device).collect())
}

/// Converts a function from segment, bus, and device and function in one number (PCI 3.0, 3.2.2.3.2).
fn function([segment, bus, place]: &[u32; 3]) -> PciFunction {
    PciFunction {
        segment: *segment,
        bus: *bus,
        device: place >> 3,
        function: place & 7,
    }
}
