use std::sync::Arc;

use dtb_gen::Tree;

use super::*;
use crate::dtb::blobs;
use crate::sample::{NONCE, profile, scenario};

const BASE: &[u8] = include_bytes!("../../../tests/fixtures/base.dtb");

/// Describes a scenario of the sample's machine for an adapter.
pub fn told_of(scenario: &scenario::Scenario, profile: &Profile) -> AdapterScenario {
    let base = Tree::read(BASE).unwrap();
    let probe: Arc<[u8]> = vec![0xaa_u8; 0x1800].into();
    let context = BuildContext {
        base: &base,
        probe: &probe,
        hypervisor_args: "more",
        nonce: NONCE,
        modules: profile.modules,
        guest: &profile.guest,
        host: crate::sample::host(),
    };
    let made = blobs(scenario, &context).unwrap();
    tell(scenario, &context, profile, &made, vec!["-M".to_owned()]).unwrap()
}

fn told(rest: &str) -> AdapterScenario {
    told_of(&scenario(rest), &profile())
}

fn tree(told: &AdapterScenario, path: &str) -> Tree {
    let file = told.files.iter().find(|file| file.name == path);
    Tree::read(&file.unwrap_or_else(|| panic!("{path} is not there")).bytes).unwrap()
}

const GPIO: &str = "    domains:
      - name: dA
        devices: [{device: gpio, at: high_window}]
        script: [read32 gpio.id => gpio.identity]
";

/// The description of a device has everything that a hypervisor needs to assign it and a guest needs to find it.
#[test]
fn devices_are_told() {
    let told = told(GPIO);
    let domain = &told.scenario.domains[0];
    let device = &domain.devices[0];
    assert_eq!(device.name, "gpio@3a000000");
    let range = Range {
        host: 0x903_0000,
        guest: 0x3a00_0000,
        size: 0x1000,
    };
    assert_eq!(device.ranges, [range]);
    assert_eq!(device.interrupts, [39]);
    assert_eq!(device.host_node.as_deref(), Some("/pl061@9030000"));
    assert!(device.force_without_iommu);
    let names: Vec<&str> = device
        .properties
        .iter()
        .map(|prop| prop.name.as_str())
        .collect();
    assert_eq!(names, ["compatible", "interrupts"]);
    assert_eq!(domain.arguments.split(';').next(), Some("n=00005eed d=01"));
    assert_eq!(told.scenario.hypervisor_arguments, "more");
    assert_eq!(told.scenario.domains[1].name, scenario::SENTINEL);
    assert_eq!(
        (domain.role, domain.number, domain.console),
        (Role::Guest, 1, true)
    );
}

/// The tree that is offered for a domain has its console, its devices and its arguments.
#[test]
fn a_tree_is_offered() {
    let told = told(GPIO);
    let domain = &told.scenario.domains[0];
    let guest = tree(&told, &domain.tree.file.path);
    let chosen = guest.find("/chosen").unwrap();
    let text = |name| chosen.get(name).and_then(|prop| prop.text());
    assert_eq!(text("bootargs"), Some(domain.arguments.as_str()));
    assert_eq!(text("stdout-path"), Some("/pl011@22000000"));
    let gpio = guest.find("/passthrough/gpio@3a000000").unwrap();
    assert!(gpio.has("compatible") && !gpio.has("xen,reg"));
    let blob = guest.emit().unwrap();
    let end = domain.memory[0].base + domain.memory[0].size;
    assert_eq!(domain.tree.address % PAGE, 0);
    assert!(domain.tree.address + blob.len() as u64 <= end);
}

/// The machine's tree has the marks of what may be assigned and the edits of the machine, and no domain.
#[test]
fn the_machine_is_told_without_domains() {
    let told = told(&format!(
        "    host: [set /pl031@9010000 status \"disabled\"]\n{GPIO}"
    ));
    let machine = tree(&told, &told.scenario.machine.tree.path);
    assert!(
        machine
            .find("/pl061@9030000")
            .unwrap()
            .has("xen,passthrough")
    );
    assert!(machine.find("/pl031@9010000").unwrap().has("status"));
    assert!(machine.find("/chosen/dA").is_none());
    let xen = tree(&told, &told.scenario.dom0less.tree.path);
    assert!(xen.find("/chosen/dA").is_some());
    assert_eq!(told.scenario.machine.arguments, ["-M"]);
    // The image of a module contains all files, and the probe only once.
    for module in &told.scenario.dom0less.modules {
        assert!(told.files.iter().any(|file| file.name == module.file.path));
    }
    assert_eq!(
        told.files.iter().filter(|file| file.size == 0x1800).count(),
        1
    );
}

/// Memory is described as the domain sees it, and with its host addresses if the case sets them.
#[test]
fn memory_is_told() {
    let of = |rest: &str| {
        told(&format!(
            "    domains: [{{name: dA, {rest}, script: [timer 1]}}]\n"
        ))
    };
    let banks = |told: &AdapterScenario| {
        let all = told.scenario.domains[0].memory.iter();
        all.map(|bank| (bank.base, bank.size, bank.host))
            .collect::<Vec<_>>()
    };
    let plain = of("memory_kib: 4096");
    assert_eq!(banks(&plain), [(0x4000_0000, 0x40_0000, None)]);
    let large = of("memory_kib: 4194304");
    let wanted = [
        (0x4000_0000, 0xc000_0000, None),
        (0x2_0000_0000, 0x4000_0000, None),
    ];
    assert_eq!(banks(&large), wanted);
    let fixed = of("static: [0x58000000 0x200000, 0x5c000000 0x200000]");
    let wanted = [
        (0x4000_0000, 0x20_0000, Some(0x5800_0000)),
        (0x4020_0000, 0x20_0000, Some(0x5c00_0000)),
    ];
    assert_eq!(banks(&fixed), wanted);
    let direct = of("static: [0x58000000 0x400000], direct_map: true");
    assert_eq!(
        banks(&direct),
        [(0x5800_0000, 0x40_0000, Some(0x5800_0000))]
    );
    let uart = tree(&direct, "dA.dtb");
    assert!(
        uart.find("/pl011@9000000").is_some(),
        "where the host has it"
    );
}

/// A device that only the harness adds to the machine is described for the machine and for the domain.
#[test]
fn devices_of_the_rig_are_known() {
    let told = told(
        "    machine: {devices: [edu]}
    domains:
      - name: dA
        devices: [edu]
        script: [read32 edu.id]
",
    );
    let machine = tree(&told, &told.scenario.machine.tree.path);
    assert!(
        machine
            .find("/edu@10000000")
            .unwrap()
            .has("xen,passthrough")
    );
    let device = &told.scenario.domains[0].devices[0];
    assert_eq!(device.interrupts, [38]);
    let guest = tree(&told, "dA.dtb");
    assert!(
        guest
            .find("/passthrough/edu@10000000")
            .unwrap()
            .has("compatible")
    );
}

/// A script that is too long for arguments is at the end of memory, where the tree says; the tree is below it.
#[test]
fn ramdisks_are_placed() {
    let lines = vec!["read32 0x9030fe0 => nothing"; 80].join(", ");
    let told = told(&format!("    domains: [{{name: dA, script: [{lines}]}}]\n"));
    let domain = &told.scenario.domains[0];
    let ramdisk = domain.ramdisk.as_ref().unwrap();
    let file = told
        .files
        .iter()
        .find(|file| file.name == ramdisk.file.path)
        .unwrap();
    let guest = tree(&told, &domain.tree.file.path);
    let number = |name| {
        let prop = guest.find("/chosen")?.get(name)?;
        prop.u64()
    };
    let (start, end) = (number("linux,initrd-start"), number("linux,initrd-end"));
    assert_eq!(
        (start, end),
        (Some(ramdisk.address), Some(ramdisk.address + file.size))
    );
    assert!(domain.tree.address < ramdisk.address);
}

/// An adapter receives what is to be run, not what is expected.
#[test]
fn expectations_are_not_told() {
    let told = told(
        "    domains:
      - name: dA
        devices: [{node: gpio@9030000, reg: [0x9030000 0x1000 0x9030000], path: /pl061@9030000}]
        refused: [force]
      - name: dB
        script: [read32 0x9030fe0 => 0x77]
",
    );
    let line = serde_json::to_string(&told.scenario).unwrap();
    for word in ["refused", "force\"", "0x77", "expect", "class", "title"] {
        assert!(!line.contains(word), "{word}: {line}");
    }
}
