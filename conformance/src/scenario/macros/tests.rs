use crate::sample::scenario;
use crate::scenario::Scenario;

fn run_time(script: &str) -> Scenario {
    scenario(&format!(
        "    domains:
      - name: ctl
        role: control
        children:
          - name: dB
            memory_kib: 2056
            devices: [{{node: edu, reg: [0x10000000 0x42000 0x20000000], lines: [38]}}]
            script: [see 6, flag 7]
        script: [{script}]
"
    ))
}

fn check(script: &str, wanted: &[&str]) {
    let made = run_time(script);
    let said: Vec<String> = made.domains[0]
        .lines
        .iter()
        .map(|line| line.op.to_string())
        .collect();
    let read = |text: &&str| text.parse::<wire::Op>().unwrap().to_string();
    assert_eq!(said, wanted.iter().map(read).collect::<Vec<_>>());
}

/// Each word stands for the calls that a toolstack makes, in the sizes that the hypervisor accepts.
#[test]
fn words_stand_for_calls() {
    check(
        "make dB",
        &[
            "hv create 3 2056 1 256",
            "hv populate 3 0x40000 9 1",
            "hv populate 3 0x40200 0 2",
            "hv load 3 0 0x40000000",
            "hv load 3 1 0x40180000",
            "hv load 3 2 0x401a0000",
        ],
    );
    check(
        "give dB",
        &[
            "hv iomem 3 0x10000 0x42 1",
            "hv map 3 0x20000 0x10000 0x40",
            "hv map 3 0x20040 0x10040 2",
            "hv bind 3 38",
        ],
    );
    check("start dB", &["hv start 3 0x40000000 0x40180000"]);
    let built = run_time("build dB").domains[0].lines.len();
    assert_eq!(built, 6 + 4 + 1);
    check(
        "signal dB 8",
        &[
            "hv foreign 0x3000000 3 0x40100",
            "w32 0x3000000000 8",
            "hv unforeign 0x3000000",
        ],
    );
    check(
        "await dB 7",
        &[
            "hv foreign 0x3000000 3 0x40100",
            "wait32 0x3000000000 0xffffffff 7 5000",
            "hv unforeign 0x3000000",
        ],
    );
    let child = run_time("start dB").domains.pop().unwrap();
    let own: Vec<wire::Op> = child
        .lines
        .iter()
        .rev()
        .take(2)
        .map(|line| line.op)
        .collect();
    let wanted = ["w32 0x40100000 7", "wait32 0x40100000 0xffffffff 6 5000"];
    assert_eq!(own, wanted.map(|text| text.parse().unwrap()));
}

/// A function is named by its name in the case, whatever its number in the domain.
#[test]
fn functions_are_called_by_their_names() {
    let made = |role: &str, script: &str| {
        let direct = if role == "guest" {
            ", static: [0x58000000 0x800000], direct_map: true"
        } else {
            ""
        };
        let made = scenario(&format!(
            "    machine:
      pci: [{{name: one, device: edu, slot: 3}}, {{name: two, device: nvme, slot: 5.1}}]
    domains:
      - {{name: dA, role: {role}{direct}, pci: {}, script: [{script}]}}
",
            if role == "hardware" {
                "[]"
            } else {
                "[two, one]"
            }
        ));
        let lines = made.domains[0].lines.iter();
        lines.map(|line| line.op.to_string()).collect::<Vec<_>>()
    };
    let ecam = |at: u64| format!("r16 {:#x}", 0x40_1000_0000 + at);
    assert_eq!(
        made("hardware", "pci read16 one 2, pci read16 5.1 2"),
        [ecam(0x18002), ecam(0x29002)]
    );
    assert_eq!(
        made("guest", "pci read16 one 2, pci read16 2:31.7 2"),
        [ecam(0x8002), ecam(0x2ff002)]
    );
    assert_eq!(
        made(
            "control",
            "pci enable two bar0 0x23000000 bar4 0x180000000, hv pciremove one"
        ),
        [
            "w32 0x10000010 0x23000000",
            "w32 0x10000014 0x0",
            "w32 0x10000020 0x80000000",
            "w32 0x10000024 0x1",
            "w16 0x10000004 0x6",
            "hv pciremove 0x18",
        ]
    );
    assert_eq!(
        made(
            "control",
            "hv pciadd two 2 one, hv pcitest dA two, hv pciassign invalid 0x10418"
        ),
        [
            "hv pciadd 0x29 0x2 0x18",
            "hv pcitest 1 0x29",
            "hv pciassign 32756 0x10418"
        ]
    );
    assert_eq!(
        made("hardware", "dma read @1+8 8")[0],
        "hcaim 0x10000080 1+0x8"
    );
    assert_eq!(
        made("guest", "dma@0x23000000 write 0x58000000 8 begin")
            .last()
            .map(String::as_str),
        Some("w64 0x23000098 0x3")
    );
}

/// An expectation of `give` applies to each of its calls.
#[test]
fn a_refusal_is_wanted_of_each_call() {
    let made = run_time("give dB => EBUSY");
    let expects = made.domains[0]
        .lines
        .iter()
        .map(|line| line.expect.to_string());
    assert_eq!(expects.collect::<Vec<_>>(), ["EBUSY"; 4]);
}
