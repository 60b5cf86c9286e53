//! Operations on PCI functions, which are named by their names in the case.

use super::{ops, scenario, wired};
use crate::scenario::Scenario;

fn with(role: &str, script: &str) -> Scenario {
    let rest = match role {
        "guest" => "static: [bank1 8M], direct_map: true, pci: [two, one]",
        "hardware" => "pci: []",
        _ => "pci: [two, one]",
    };
    scenario(&format!(
        "    machine:
      pci: [{{name: one, device: edu, slot: 3}}, {{name: two, device: nvme, slot: 5.1}}]
    domains:
      - {{name: dA, role: {role}, {rest}, script: [{script}]}}
    outside: [{{at: start, do: [query-pci]}}]
"
    ))
}

#[track_caller]
fn check(role: &str, script: &str, wanted: &[&str]) {
    assert_eq!(ops(&with(role, script), "dA"), wired(wanted), "{script}");
}

/// A function is named by its name in the case, whatever its number in the domain.
#[test]
fn functions_are_called_by_their_names() {
    check(
        "hardware",
        "read16 one.config+2, read16 config:5.1+2, write32 two.config ones",
        &[
            "r16 0x4010018002",
            "r16 0x4010029002",
            "w32 0x4010029000 0xffffffff",
        ],
    );
    check(
        "guest",
        "read16 one.config+2, read16 config:2:31.7+2",
        &["r16 0x4010008002", "r16 0x40102ff002"],
    );
    check(
        "control",
        "pci-add two 2 one, pci-test-assign dA two, pci-assign invalid 0x10418, pci-remove one",
        &[
            "hv pciadd 0x29 0x2 0x18",
            "hv pcitest 1 0x29",
            "hv pciassign 32756 0x10418",
            "hv pciremove 0x18",
        ],
    );
}

/// BARs are set in as many words as they have, and memory decoder and bus master are switched on.
#[test]
fn functions_are_switched_on() {
    check(
        "control",
        "pci-enable two bar0 0x23000000 bar4 0x180000000",
        &[
            "w32 0x10000010 0x23000000",
            "w32 0x10000014 0x0",
            "w32 0x10000020 0x80000000",
            "w32 0x10000024 0x1",
            "w16 0x10000004 0x6",
        ],
    );
    check("control", "pci-enable 1.0", &["w16 0x10008004 0x6"]);
}

/// From there on, the names of the function's registers mean the place where the script put them; before, where the
/// firmware did.
#[test]
fn registers_are_where_they_were_put() {
    check(
        "control",
        "read32 one.bar0, pci-enable one bar0 low, read32 one.bar0, read32 one.STATUS, raise one, \
         pci-enable one bar0 low+1M, read32 one.id, read32 one@window.id, read32 edu@low.id",
        &[
            "r32 0x10000000",
            "w32 0x10008010 0x23000000",
            "w16 0x10008004 6",
            "r32 0x23000000",
            "r32 0x23000020",
            "w32 0x23000060 1",
            "w32 0x10008010 0x23100000",
            "w16 0x10008004 6",
            "r32 0x23100000",
            "r32 0xa000000",
            "r32 0x23000000",
        ],
    );
}

/// What one domain does to a BAR means nothing in another domain, nor outside.
#[test]
fn other_domains_have_their_own_places() {
    let made = scenario(
        "    machine: {pci: [{name: one, device: edu, slot: 3}]}
    domains:
      - {name: dA, pci: [one], script: [pci-enable one bar0 low, read32 one.bar0]}
      - {name: hw, role: hardware, script: [read32 one.bar0]}
    outside: [{at: end, do: [read32 one.bar0]}]
",
    );
    assert_eq!(ops(&made, "dA").last().unwrap(), "r32 0x23000000");
    assert_eq!(ops(&made, "hw"), ["r32 0x10000000"]);
    let seen = &made.outside[0].acts[0].what;
    assert_eq!(*seen, crate::scenario::ActionKind::Read(0x1000_0000, 4));
}

/// All functions are asked for: on every bus, on the one after them, and on the last possible one.
#[test]
fn all_functions_are_asked_for() {
    let made = with("control", "pci-functions");
    let asked = ops(&made, "dA");
    assert_eq!(asked.len(), 3 * 4);
    let ends = [&asked[0], &asked[4], &asked[11]];
    assert_eq!(
        ends,
        ["hv pcilist 0x0", "hv pcilist 0x100", "hv pcilist 0xffc0"]
    );
    let listed = crate::case::expect::Expect::Listed;
    assert!(
        made.domains[0]
            .lines
            .iter()
            .all(|line| line.expect == listed)
    );
}

/// A function that is not there, or not given to the domain, is reported, and so is a BAR that does not exist.
#[test]
fn wrong_functions_are_refused() {
    let refused = |script: &str, wanted: &str| {
        let loaded = crate::sample::loaded(&format!(
            "  - id: XenValTestCase~demo.one~1
    title: One
    class: positive
    machine: {{pci: [{{name: one, device: edu, slot: 3}}, {{name: two, device: nvme}}]}}
    domains: [{{name: dA, pci: [one], script: ['{script}']}}]
"
        ));
        let made = crate::scenario::generate::scenarios(&loaded, &crate::sample::profile());
        let told = made.unwrap_err()[0].to_string();
        assert!(told.contains(wanted), "{script}: {told}");
    };
    refused(
        "read16 two.config",
        "`two` is not in the `pci` of the domain",
    );
    refused("read16 config:tow", "`two`");
    refused("read16 config:32.0", "is neither a function");
    refused(
        "pci-enable one bar6 low",
        "`bar6` is none of `bar0` to `bar5`",
    );
    refused("pci-enable one bar0", "an address is missing");
    refused("read32 one.bar1", "BAR 1 of `one` is nowhere");
    refused("read32 one.STATE", "did you mean `STATUS`?");
    refused("pci-functions", "needs a `query-pci` outside");
    refused("pci-functions => any", "states its expectation itself");
}
