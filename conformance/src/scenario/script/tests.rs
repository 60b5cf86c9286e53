//! Tests which operations the texts of scripts stand for. What is wanted is written in the form that probes read.

mod devices;
mod functions;

use wire::Op;

use super::Writer;
use crate::sample::{outside, problems, scenario};
use crate::scenario::domain_table::{DomainEntry, DomainTable};
use crate::scenario::{From, Line, Scenario};

/// Returns the lines of a text in a control domain that has nothing.
fn lines(text: &str) -> Result<Vec<Line>, String> {
    let entry = |name, number| DomainEntry::new(name, number, number.into(), 0x4000_0000);
    let writer = Writer {
        name: "ctl",
        scope: outside(),
        table: &DomainTable(vec![entry("ctl", 1), entry("dA", 2)]),
        children: &[],
    };
    writer.lines(text)
}

fn wired(texts: &[&str]) -> Vec<String> {
    let op = |text: &&str| text.parse::<Op>().unwrap_or_else(|_| panic!("{text}"));
    texts.iter().map(|text| op(text).to_string()).collect()
}

/// Asserts what a text stands for.
#[track_caller]
fn check(text: &str, wanted: &[&str]) {
    let made = lines(text).unwrap_or_else(|why| panic!("{why}"));
    let made: Vec<String> = made.iter().map(|line| line.op.to_string()).collect();
    assert_eq!(made, wired(wanted), "{text}");
}

/// Asserts what must be observed, in the words of reports.
#[track_caller]
fn expects(text: &str, wanted: &[&str]) {
    let made = lines(text).unwrap_or_else(|why| panic!("{why}"));
    let made: Vec<String> = made.iter().map(|line| line.expect.to_string()).collect();
    assert_eq!(made, wanted, "{text}");
}

#[track_caller]
fn refused(text: &str, wanted: &str) {
    let told = lines(text).unwrap_err();
    assert!(told.contains(wanted), "{text}: {told}");
}

/// Returns the operations of a domain's own script.
fn ops(scenario: &Scenario, domain: &str) -> Vec<String> {
    let lines = scenario.domain(domain).unwrap().lines.iter();
    let own = lines.filter(|line| line.from == From::Case);
    own.map(|line| line.op.to_string()).collect()
}

fn run_time(script: &str) -> Scenario {
    scenario(&format!(
        "    machine: {{devices: [edu]}}
    domains:
      - name: ctl
        role: control
        children:
          - name: dB
            memory_kib: 2056
            devices: [{{node: edu, reg: [edu 0x42000 0x20000000], interrupts: [edu.irq]}}]
            script: [wait 6, post 7]
        script: [{script}]
"
    ))
}

/// Each word stands for the calls that a toolstack makes, in the sizes that the hypervisor accepts.
#[test]
fn words_stand_for_calls() {
    let check =
        |script: &str, wanted: &[&str]| assert_eq!(ops(&run_time(script), "ctl"), wired(wanted));
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
        "remote-post dB 8",
        &[
            "hv foreign 0x3000000 3 0x40100",
            "w32 0x3000000000 8",
            "hv unforeign 0x3000000",
        ],
    );
    check(
        "remote-wait dB 7",
        &[
            "hv foreign 0x3000000 3 0x40100",
            "wait32 0x3000000000 0xffffffff 7 5000",
            "hv unforeign 0x3000000",
        ],
    );
    let own = ops(&run_time("start dB"), "dB");
    let wanted = ["wait32 0x40100000 0xffffffff 6 5000", "w32 0x40100000 7"];
    assert_eq!(own, wired(&wanted));
}

/// A child is given a device as the library describes it: the assigned part of its registers, and its interrupt.
#[test]
fn children_are_given_devices_of_the_library() {
    let made = scenario(
        "    machine: {devices: [edu]}
    domains:
      - name: ctl
        role: control
        children: [{name: dB, devices: [edu], script: [read32 edu.id => edu.identity]}]
        script: [make dB, give dB]
",
    );
    let given = &ops(&made, "ctl")[5..];
    let wanted = [
        "hv iomem 3 0x10000 1 1",
        "hv map 3 0x10000 0x10000 1",
        "hv bind 3 38",
    ];
    assert_eq!(given, wired(&wanted));
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
    let told = problems(
        "    domains: [{name: ctl, children: [{name: dB}], script: [give dB, make dB, give dB => EBUSY]}]\n",
    );
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`give dB` does nothing that could be observed"),
        "{told:?}"
    );
}

/// Words that stand for several operations state what must be observed, or need no more than success.
#[test]
fn several_operations_expect_by_themselves() {
    expects("remote-wait dA 7", &["0x0", "0x7", "0x0"]);
    expects(
        "dma-write edu ram 8",
        &[
            "goes through",
            "goes through",
            "goes through",
            "goes through",
            "0x2",
        ],
    );
    for text in [
        "wait 7 => 7",
        "remote-wait dA 7 => 7",
        "copy edu ram ram+8 => 1",
        "expect 39 once => irqs 1",
        "expect 39 once => 1",
        "identify gpio => 0x61",
        "dma-write edu ram 8 => ok",
    ] {
        refused(text, "states its expectation itself");
    }
    expects("expect 39 once => any", &["any answer"]);
    expects(
        "expect 39 once within 9 => timeout",
        &["nothing until the time is out"],
    );
    expects("expect 39 once => ok", &["goes through"]);
    for text in [
        "remote-post dA 7 => 0",
        "raise gpio => 1",
        "stay-up 3 => ok",
    ] {
        refused(text, "stands for several operations, which must work");
    }
    refused("post 0x100000000", "0x100000000 does not fit 32 bits");
    refused("wait 1 2", "`2` is one word too many");
    refused("remote-post dX 1", "`dX` is no domain; did you mean `dA`?");
    refused("make dB", "`ctl` has no child `dB`");
}

/// A domain that stays up tells so, posts that it has told, and then sleeps.
#[test]
fn staying_up_is_a_mark_a_word_and_sleep() {
    let wanted = [
        "mark up",
        "w32 0x40100000 1",
        "timer 2",
        "timer 2",
        "timer 2",
    ];
    check("stay-up 3", &wanted);
}

/// Accesses to memory have places as their operands; a wait has a time that is long enough unless the case says.
#[test]
fn accesses_are_read() {
    check("read32 gpio.IE", &["r32 0x9030410"]);
    check("write8 bank1+1 0xff", &["w8 0x58000001 0xff"]);
    check("write16 gpio.IE ones", &["w16 0x9030410 0xffff"]);
    check(
        "wait32 edu.STATUS 0x80 0",
        &["wait32 0x10000020 0x80 0 5000"],
    );
    check(
        "wait64 edu.STATUS ones 1 9",
        &["wait64 0x10000020 0xffffffffffffffff 1 9"],
    );
    check("sweep read32 gpio 4K 4", &["sweep r32 0x9030000 4096 4"]);
    check(
        "sweep write8 gpio 16 1 0xaa",
        &["sweep w8 0x9030000 16 1 0xaa"],
    );
    check("same read32 flash 2M 4 0 4", &["same r32 0 0x200000 4 0 4"]);
    check("storm gpio 5", &["storm 0x9030000 5"]);
    check("ram bank1 1M", &["ram 0x58000000 0x100000"]);
    check("exec (bank1+4K)", &["exec 0x58001000"]);
    check("attr device", &["attr device"]);
    check("loop 7 2", &["loop 7 2"]);
    expects("read16 gpio => ones", &["0xffff"]);
    expects(
        "sweep read32 gpio 16 4 => nothing",
        &["0 accesses go through, 16 abort at their own addresses"],
    );
    expects(
        "sweep read32 gpio 16 4 => reached 4 of 16",
        &["4 accesses go through, 12 abort at their own addresses"],
    );
    expects(
        "read32 gpio => nothing",
        &["abort at the address of the access"],
    );
    expects("loop 7 2", &["0x0"]);
    refused("write8 gpio 0x100", "0x100 does not fit 8 bits");
    refused(
        "same write32 gpio 1 4 0 0",
        "`same` reads, such as `read32`",
    );
    refused("sweep gpio 1 4", "a sweep reads or writes");
    refused("loop 7 256", "`256` does not fit 8 bits");
    refused(
        "attr divice",
        "`divice` is no memory type; there are `device`, `normal`",
    );
    refused("mark a.b", "is no name of a mark");
}

/// Interrupts are named by their devices. A handler makes the writes of an action, which may be a procedure.
#[test]
fn interrupts_are_read() {
    check("enable gpio.irq", &["irq on 39 level"]);
    check("enable gpio.irq edge 0x50", &["irq on 39 edge 0x50"]);
    check("disable gpio.irq", &["irq off 39"]);
    check("leave-active iommu.irq[1]", &["irq noeoi 107"]);
    check(
        "on gpio.irq: write32 gpio.IE 0",
        &["irq act 39 w32 0x9030410 0"],
    );
    check("on gpio.irq: lower gpio", &["irq act 39 w32 0x9030410 0"]);
    check(
        "on 40: raise gpio@window",
        &[
            "irq act 40 w32 0xa000404 0x10",
            "irq act 40 w32 0xa000410 0x10",
        ],
    );
    check("expect gpio.irq once", &["irq wait 39 1 5000"]);
    check("expect 39 3 times within 9", &["irq wait 39 3 9"]);
    check("count gpio.irq", &["irq count 39"]);
    check("count gpio.irq once", &["irq count 39"]);
    for (text, wanted) in [
        ("expect 39 twice", "exactly 2 interrupts"),
        ("expect 39 3 times", "exactly 3 interrupts"),
        ("count 39", "goes through"),
        ("count 39 => irqs 5", "exactly 5 interrupts"),
        ("count 39 never", "exactly 0 interrupts"),
        ("count 39 once", "exactly 1 interrupts"),
        ("on 39: write32 gpio.IE 0", "goes through"),
    ] {
        expects(text, &[wanted]);
    }
}

/// A text about an interrupt that is incomplete or impossible is refused with the word that is wrong.
#[test]
fn wrong_texts_about_interrupts_are_refused() {
    for (text, told) in [
        ("on gpio.irq lower gpio", "it reads `on INTERRUPT: ACTION`"),
        ("on gpio.irq:", "an action is missing"),
        ("on gpio.irq: read32 gpio.IE", "a handler only writes"),
        ("on edu.irq: dma-read edu ram 8", "a handler only writes"),
        (
            "on edu.irq: start-dma-write edu @1 8",
            "a handler only writes",
        ),
        (
            "on gpio.irq: lowr gpio",
            "`lowr` is no operation; did you mean `lower`?",
        ),
        ("on gpio.irq: lower gpio 1", "`1` is one word too many"),
        (
            "expect 39",
            "how often: `once`, `twice`, `N times` is missing",
        ),
        ("expect 39 3", "`times` is missing"),
        ("expect 39 3 time", "`time`: it reads `3 times`"),
        ("expect 39 once within", "a time in ms is missing"),
        ("expect 39 once after 9", "`after` is one word too many"),
        ("count 39 thrice", "nothing defines `thrice`"),
        ("count 39 once => irqs 1", "states its expectation itself"),
        (
            "enable 39 levl",
            "`levl` is no trigger; there are `level`, `edge`",
        ),
        ("enable 39 level 300", "`300` does not fit 8 bits"),
        ("enable gpio.irq[1]", "nothing defines `gpio.irq[1]`"),
    ] {
        refused(text, told);
    }
}

/// Each request to the hypervisor has its word; domains, nodes, functions and pages are named.
#[test]
fn requests_are_read() {
    for (text, wanted) in [
        ("hypervisor-version", "hv version"),
        ("free-pages", "hv free"),
        ("list-domains", "hv list"),
        ("domain-info dA", "hv info 2"),
        ("domain-pages 7", "hv pages 7"),
        ("wait-domain dA 4 4", "hv wait 2 4 4 5000"),
        ("wait-domain dA 4 4 9", "hv wait 2 4 4 9"),
        ("create 9 2048 1 32", "hv create 9 2048 1 32 3"),
        ("create 9 2048 1 32 7", "hv create 9 2048 1 32 7"),
        ("destroy self", "hv destroy 32752"),
        ("pause dA", "hv pause 2"),
        ("unpause dA", "hv unpause 2"),
        ("shutdown dA 1", "hv shutdown 2 1"),
        (
            "populate dA page:guest.ram 9 1",
            "hv populate 2 0x40000 9 1",
        ),
        ("depopulate dA 5", "hv depopulate 2 5"),
        ("map-foreign 1 dA 2", "hv foreign 1 2 2"),
        ("unmap-foreign 1", "hv unforeign 1"),
        ("permit-pages dA page:gpio 1", "hv iomem 2 0x9030 1 1"),
        ("forbid-pages dA page:gpio 1", "hv iomem 2 0x9030 1 0"),
        (
            "map-pages dA page:window page:gpio 1",
            "hv map 2 0xa000 0x9030 1",
        ),
        (
            "unmap-pages dA page:window page:gpio 1",
            "hv unmap 2 0xa000 0x9030 1",
        ),
        ("bind-interrupt dA gpio.irq", "hv bind 2 39"),
        ("unbind-interrupt dA gpio.irq", "hv unbind 2 39"),
        ("assign dA edu", "hv assign 2 /edu@10000000"),
        ("test-assign dA /x/y", "hv testassign 2 /x/y"),
        ("deassign dA edu2", "hv deassign 2 /edu@10100000"),
        ("pci-add 0x18", "hv pciadd 0x18 0 0"),
        ("pci-remove 0x18", "hv pciremove 0x18"),
        ("pci-reset 0x18 1", "hv pcireset 0x18 1"),
        ("pci-assign io 0x18", "hv pciassign 32753 0x18"),
        ("pci-test-assign dA 0x10418", "hv pcitest 2 0x10418"),
        ("pci-deassign dA 0x18", "hv pcideassign 2 0x18"),
        ("pci-group dA 0x18", "hv pcigroup 2 0x18"),
        ("pci-known edu.stream", "hv pciknown 0x18"),
        ("pci-list 0x100", "hv pcilist 0x100"),
        ("hypercall 36 @0 dA 7", "hc 36 @0 2 7"),
        (
            "scratch-write 0+8 0x1700000005 self",
            "hcmem 0+8 0x1700000005 32752",
        ),
        ("scratch-read 1+4 32", "hcr 1+4 32"),
        (
            "write-scratch-address edu.DMA_SOURCE 1+8",
            "hcaim 0x10000080 1+8",
        ),
    ] {
        check(text, &[wanted]);
    }
    for (text, wanted) in [
        ("destroy dA", "0x0"),
        ("destroy dA => refused", "an error"),
        ("destroy dA => EBUSY", "EBUSY"),
        ("domain-info dA", "a result that is no error"),
        ("pci-known 0x18 => unknown", "0xfffffffe"),
        ("hypercall 36 @0", "0x0"),
    ] {
        expects(text, &[wanted]);
    }
    for (text, told) in [
        (
            "destory dA",
            "`destory` is no operation; did you mean `destroy`?",
        ),
        ("destroy dX", "`dX` is no domain; did you mean `dA`?"),
        ("destroy 0x10000", "`0x10000` is no id of a domain"),
        (
            "assign dA flash-pattern",
            "is neither a path nor a device with a node",
        ),
        (
            "pci-add 0x18 0 0x10000",
            "0x10000 is no function of the first segment",
        ),
        (
            "scratch-read 1+4 33",
            "`33` is no size; there are `8`, `16`, `32`, `64`",
        ),
        ("scratch-write 300 1", "`300` is no place in scratch memory"),
        ("hypercall 36 @0 dX", "nothing defines `dX`"),
        ("pci-functions", "has no `pci`"),
    ] {
        refused(text, told);
    }
}
