use super::*;
use crate::sample::{loaded, problems, profile, scenario};
use crate::scenario::{ActionKind, From, TriggerPoint};

/// Asserts that a case has these errors, in this order, and no others.
#[track_caller]
fn check(rest: &str, wanted: &[&str]) {
    let found = problems(rest);
    assert_eq!(found.len(), wanted.len(), "{rest}: {found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(
            found.contains(wanted),
            "{rest}: wanted {wanted:?} in\n{found}"
        );
    }
}

/// Returns the operations of a domain's own script, with what they must observe.
fn lines(made: &Scenario, domain: &str) -> Vec<String> {
    let lines = made.domain(domain).unwrap().lines.iter();
    let own = lines.filter(|line| line.from == From::Case);
    own.map(|line| format!("{} | {}", line.op, line.expect))
        .collect()
}

/// A text of a script may hold several operations, each with its own expectation, and may be the whole script.
#[test]
fn a_text_may_hold_several_operations() {
    let wanted = [
        "irq act 39 w32 0x9030410 0x0 | goes through",
        "irq on 39 level 0xa0 | goes through",
        "r32 0x9030fe0 | 0x61",
        "mark one | goes through",
    ];
    let all =
        "on gpio.irq: lower gpio; enable gpio.irq;; read32 gpio.id => gpio.identity ; mark one;";
    for script in [
        format!("[{all}]"),
        format!("'{all}'"),
        format!("\n          {all}"),
        "['on gpio.irq: lower gpio', enable gpio.irq; read32 gpio.id => 0x61, mark one]".to_owned(),
        "['${all}']".to_owned(),
        "${all}".to_owned(),
    ] {
        let made = scenario(&format!(
            "    parameters: [{{name: a, all: '{all}'}}]
    domains:
      - name: dA
        script: {script}
"
        ));
        assert_eq!(lines(&made, "dA"), wanted, "{script}");
    }
    // What is wrong with one operation of a text is reported at the text.
    check(
        "    domains: [{name: dA, script: read32 gpio; raed32 gpio}]\n",
        &["`raed32` is no operation; did you mean `read32`?"],
    );
    check(
        "    domains: [{name: dA, script: [off; read32 gpio]}]\n",
        &["nothing runs after `off`"],
    );
}

/// So may a text of a step outside, in the long form and in the short one; what a device is made to do is one of them.
#[test]
fn a_text_may_hold_several_actions() {
    use ActionKind::{Line, Read, Write};
    let table = [
        "- dA ready: read32 gpio.IE => 0; post ctl 1; raise gpio; pulse-line gpio.irq",
        "- {at: dA ready, do: ['read32 gpio.IE => 0; post ctl 1', raise gpio; pulse-line gpio.irq;]}",
        "- dA ready: ${all}",
    ];
    for step in table {
        let made = scenario(&format!(
            "    parameters: [{{name: a, all: 'read32 gpio.IE => 0; post ctl 1; raise gpio; pulse-line gpio.irq'}}]
    domains:
      - {{name: ctl, static: [bank1 8M], script: wait 1}}
      - {{name: dA, script: mark ready}}
    outside:
      {step}
"
        ));
        let [step] = made.outside.as_slice() else {
            panic!("{:?}", made.outside);
        };
        assert_eq!(step.at, TriggerPoint::Mark(2, "ready".to_owned()));
        let acts: Vec<(&str, &ActionKind)> = step
            .acts
            .iter()
            .map(|act| (act.text.as_str(), &act.what))
            .collect();
        let raise = "raise gpio";
        let pulse = "pulse-line gpio.irq";
        let wanted = [
            ("read32 gpio.IE", &Read(0x903_0410, 4)),
            ("post ctl 1", &Write(0x5810_0000, 4, 1)),
            (raise, &Write(0x903_0404, 4, 0x10)),
            (raise, &Write(0x903_0410, 4, 0x10)),
            (pulse, &Line(7, true)),
            (pulse, &Line(7, false)),
        ];
        assert_eq!(acts, wanted);
        assert_eq!(step.acts[0].expect.to_string(), "0x0");
    }
    check(
        "    domains: [{name: dA}]\n    outside:\n      - end: stop; contt\n",
        &["`contt` is no action outside; did you mean `cont`?"],
    );
}

/// Functions may be written in their short form, with one behind the other; a wrong one is an error of the case.
#[test]
fn functions_have_a_short_form() {
    let made = scenario(
        "    machine: {pci: [edu one 3.1 bar0=low+4M, pcie-root-port port 5 > edu behind bar0=low]}
    domains: [{name: hw, script: read32 one.STATUS; read32 behind.bar0; read32 behind.config}]
",
    );
    let wanted = ["r32 0x10400020", "r32 0x10000000", "r32 0x4010100000"];
    let wanted = wanted.map(|op| format!("{op} | goes through"));
    assert_eq!(lines(&made, "hw"), wanted);
    for (function, told) in [
        ("edu", "`edu`: a function reads `DEVICE NAME"),
        ("edu one 3 > edu two", "nothing can be below a edu"),
        ("edu one bar0=lwo", "nothing defines `lwo`"),
        ("edu one bar1=low", "a edu has no memory register 1"),
        ("edu one barx=low", "it reads `barN=ADDRESS`"),
        (
            "edv one",
            "`edv` is no PCI function of the library; did you mean `edu`?",
        ),
        ("edu one 32", "32.0 is no place on its bus"),
        ("edu 1st", "`1st` is no name of a function"),
    ] {
        let rest = format!("    machine: {{pci: [{function}]}}\n    domains: [{{name: dA}}]\n");
        check(&rest, &[told]);
    }
}

/// A domain's memory is at the host's addresses if it is directly mapped there.
#[test]
fn a_direct_map_holds_the_memory() {
    let made =
        scenario("    domains: [{name: dA, direct_map: [bank1 8M], script: read32 ram.end-4}]\n");
    let domain = made.domain("dA").unwrap();
    assert_eq!(domain.banks, [(0x5800_0000, 0x80_0000)]);
    assert_eq!((domain.direct, domain.ram), (true, 0x5800_0000));
    assert_eq!(domain.memory_kib, Some(8192));
    assert_eq!(lines(&made, "dA"), ["r32 0x587ffffc | goes through"]);
}

/// The machine has the version that the case asks for, or the case has an error that names the nearest.
#[test]
fn versions_of_the_machine_are_known() {
    let asked = |version: &str| {
        format!(
            "    machine: {{version: {version}}}\n    domains: [{{name: dA, script: raed32 ram}}]\n"
        )
    };
    let nearest =
        "`iommu-without-stage-3` is no version of `virt`; did you mean `iommu-without-stage-2`?";
    let other = "`raed32` is no operation";
    check(&asked("iommu-without-stage-3"), &[other, nearest]);
    check(
        &asked("old"),
        &[
            other,
            "`old` is no version of `virt`; there are `iommu-without-stage-2`",
        ],
    );
    check(&asked("iommu-without-stage-2"), &[other]);
}

/// A device that the machine has only on request is an error wherever a case uses it that does not ask for it.
#[test]
fn devices_on_request_are_asked_for() {
    let told = "the machine has `edu` only on request: `machine: {devices: [edu]}`";
    let uses = [
        "    domains: [{name: dA, devices: [edu]}]\n",
        "    domains: [{name: dA, devices: [{device: edu, at: window, path: ''}]}]\n",
        "    domains: [{name: dA, devices: [{node: x, path: edu}]}]\n",
        "    domains: [{name: dA, devices: [{node: x, reg: [edu 4K window]}]}]\n",
        "    domains: [{name: dA, devices: [{node: x, describe_as: edu}]}]\n",
        "    domains: [{name: dA, script: read32 edu.STATUS}]\n",
        "    domains: [{name: dA, script: raise edu}]\n",
        "    domains: [{name: dA, script: identify edu}]\n",
        "    domains: [{name: dA, script: copy edu ram ram+8}]\n",
        "    domains: [{name: dA, script: 'on 40: raise edu'}]\n",
        "    domains: [{name: dA, tree: [node edu]}]\n",
        "    domains: [{name: dA, partial: {edit: [remove edu]}}]\n",
        "    domains: [{name: ctl, script: assign self edu}]\n",
        "    domains: [{name: dA}]\n    outside: [end: raise edu]\n",
        "    domains: [{name: dA}]\n    outside: [end: 'read32 edu.id']\n",
        "    domains: [{name: dA}]\n    host: [set edu status okay]\n",
        "    domains: [{name: dA}]\n    host: [point gpio iommus edu]\n",
        "    domains: [{name: dA}]\n    host: ['set /x reg <0 edu>']\n",
        "    domains: [{name: dA}]\n    passthrough: [edu]\n",
        "    machine: {iommu: true}\n    domains: [{name: dA}]\n    iommu_events: [edu event]\n",
    ];
    for rest in uses {
        check(rest, &[told]);
        let asked = match rest.strip_prefix("    machine: {iommu: true}") {
            Some(rest) => format!("    machine: {{iommu: true, devices: [edu]}}{rest}"),
            None => format!("    machine: {{devices: [edu]}}\n{rest}"),
        };
        check(&asked, &[]);
    }
    // Each has to be asked for, and a function of the same name is another device.
    check(
        "    machine: {devices: [edu]}\n    domains: [{name: dA, script: raise uart2; read32 uart2.FR}]\n",
        &["`raise` is no operation"],
    );
    check(
        "    machine: {devices: [edu]}\n    domains: [{name: dA, script: read32 uart2.FR; raise edu}]\n",
        &["`machine: {devices: [uart2]}`"],
    );
    check(
        "    machine: {pci: [edu edu 3]}\n    domains: [{name: hw, script: read32 edu.STATUS; raise edu}]\n",
        &[],
    );
    // What a hypervisor makes of a path that is none may be the point of a case.
    check(
        "    domains: [{name: dA, devices: [{node: x, path: nonsense}]}]\n",
        &[],
    );
}

/// Only what the case adds to the machine can be left outside of the IOMMU.
#[test]
fn what_is_unprotected_is_there() {
    let with = |machine: &str| {
        format!("    machine: {{iommu: true{machine}}}\n    domains: [{{name: dA}}]\n")
    };
    check(&with(", devices: [edu], unprotected: [edu]"), &[]);
    let told = "`edu2` is none of the case's `devices`";
    check(&with(", devices: [edu], unprotected: [edu2]"), &[told]);
    check(&with(", unprotected: [edu2]"), &[told]);
}

/// Memory that cannot be read hides none of the other errors, and causes no false ones.
#[test]
fn wrong_memory_hides_no_other_error() {
    for memory in ["static: [bnak1 8M]", "direct_map: [bnak1 8M]"] {
        check(
            &format!(
                "    domains:
      - {{name: dA, {memory}, script: 'read32 ram.end-4K; write32 dA.ram.end-4K 1'}}
      - {{name: dB, static: [bank2 8M], script: raed32 dA.ram}}
    outside: [end: 'read32 dA.ram+2M; post dA 1; read32 dB.ram; raed32 dB.ram']
"
            ),
            &[
                "nothing defines `bnak1`; did you mean `bank1`?",
                "`raed32` is no operation",
                "`raed32` is no action outside",
            ],
        );
    }
    // Without memory of its own a domain has none that others could name.
    check(
        "    domains: [{name: dA, static: ['']}]\n    outside: [end: read32 dA.ram]\n",
        &["nothing defines `dA.ram`"],
    );
}

/// A hypercall takes an interrupt of 16 bits, and so many pages: what does not fit is an error.
#[test]
fn requests_hold_what_fits() {
    let with = |child: &str| {
        format!(
            "    domains: [{{name: ctl, children: [{{name: dB, {child}}}], script: build dB}}]\n"
        )
    };
    check(
        &with("devices: [{device: gpio, interrupts: [0xffff]}]"),
        &[],
    );
    check(
        &with("devices: [{device: gpio, interrupts: [0x10000]}]"),
        &["`gpio@9030000`: interrupt 65536 does not fit the 16 bits of a request"],
    );
    check(
        &with("memory_kib: 0x80000000000"),
        &["`dB`: 8796093022208 KiB are too many for one request"],
    );
}

/// A machine of another architecture is refused once, not once for each case.
#[test]
fn the_machine_is_of_the_subjects_architecture() {
    let other = Profile {
        board: Some("q35".to_owned()),
        ..profile()
    };
    let case = "  - id: XenValTestCase~demo.one~1\n    title: T\n    class: positive\n    domains: [{name: dA}]\n";
    let told = scenarios(&loaded(case), &other).unwrap_err();
    assert_eq!(told.len(), 1);
    let told = told[0].to_string();
    assert!(told.contains("the machine `q35` is for "), "{told}");
}
