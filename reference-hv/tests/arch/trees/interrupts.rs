//! Interrupts: from the host node, through its parents, to the domain's limit.

use crate::domains::{NODE, plain, refused};
use crate::rig::*;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;

/// Interrupts come from the host node, through whatever parents it names, and only shared lines
/// of the interrupt controller are routed.
#[test]
fn interrupts_are_the_hosts() {
    let with = |change: &dyn Fn(&mut Tree)| {
        let mut rig = Rig::default();
        rig.with("one", &[gpio(HOLE)]);
        change(&mut rig.host);
        rig
    };
    for (cells, words) in [
        (
            vec![1, 7, 4],
            "names private interrupt 7; only shared ones can be assigned",
        ),
        (vec![2, 7, 4], "names interrupt 7 of the unknown type 2"),
        (vec![0, 988, 4], "names interrupt 988, which no GIC has"),
        (
            vec![0, u32::MAX, 4],
            "names interrupt 4294967295, which no GIC has",
        ),
        (
            vec![0, 7, 0],
            "gives interrupt 7 the trigger 0, neither rising edge nor high level",
        ),
        (
            vec![0, 7, 2],
            "gives interrupt 7 the trigger 2, neither rising edge nor high level",
        ),
        (
            vec![0, 7, 8],
            "gives interrupt 7 the trigger 8, neither rising edge nor high level",
        ),
        (vec![0, 7], "is 8 bytes long, not a multiple of 12"),
        (vec![], "is empty"),
        (
            vec![0, 1, 4],
            "names interrupt 33, which is that of the hypervisor's console",
        ),
        (
            vec![0, 0x4a, 1],
            "names interrupt 106, which is that of an IOMMU",
        ),
        (
            vec![0, 0, 4],
            "names interrupt 32, which is that of the emulated UART",
        ),
        (
            vec![0, 256, 4],
            "names interrupt 288, beyond the 256 of the domain",
        ),
    ] {
        let rig = with(&|host| host.at(GPIO).put("interrupts", &be(&cells)));
        refused(&rig, &format!("{GPIO}: `interrupts` {words}"));
    }
    let rig = with(&|host| {
        host.at(GPIO).put(
            "interrupts-extended",
            &be(&[0x8002, 0, 9, 1, 0x8002, 0, 10, 4]),
        )
    });
    let lines: Vec<_> = rig.prove().domains()[0]
        .irqs
        .iter()
        .map(|irq| irq.line.number())
        .collect();
    assert_eq!(
        lines,
        [41, 42],
        "interrupts-extended goes before interrupts"
    );
    for (cells, words) in [
        (vec![0x8002, 0, 9], "does not end with a whole interrupt"),
        (
            vec![0x7777, 0, 9, 4],
            "names phandle 0x7777, which no node has",
        ),
        (
            vec![0x8002, 1, 9, 4],
            "names private interrupt 9; only shared ones can be assigned",
        ),
    ] {
        let rig = with(&|host| host.at(GPIO).put("interrupts-extended", &be(&cells)));
        refused(&rig, &format!("{GPIO}: `interrupts-extended` {words}"));
    }
}

/// The limit of the domain is exact.
#[test]
fn nr_spis_is_a_limit() {
    for (limit, refused) in [(7, true), (8, false), (0, true)] {
        let mut rig = Rig::default();
        rig.with("one", &[gpio(HOLE)]);
        rig.host.at(NODE).set("nr_spis", &be(&[limit]));
        assert_eq!(rig.refusal().is_some(), refused, "nr_spis {limit}");
    }
    let rig = plain(|node| node.put("nr_spis", &be(&[0])));
    assert_eq!(
        rig.prove().domains()[0].shared_lines,
        1,
        "the emulated UART needs a line"
    );
}

/// Interrupts of another controller are not routed, and a line says so.
#[test]
fn other_controllers_are_told() {
    let mut rig = Rig::default();
    rig.with("one", &[rtc(HOLE)]);
    let gpio = rig.host.at(GPIO);
    gpio.set("interrupt-controller", &[])
        .set("#interrupt-cells", &be(&[2]));
    rig.host
        .at(RTC)
        .set("interrupts-extended", &be(&[0x8005, 3, 4]));
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    assert_eq!(proven.domains()[0].irqs, []);
    assert_eq!(proven.domains()[0].mmio.len(), 1);
    let warnings: Vec<_> = proven.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [format!(
            "{RTC}: `interrupts-extended` goes to {GPIO}; not routed to d1"
        )]
    );
}

/// A chain of interrupt parents that bites its tail ends the domain, not the hypervisor.
#[test]
fn interrupt_parents_may_not_run_in_a_circle() {
    for controllers in [false, true] {
        for length in [1_u32, 2, 3] {
            let mut rig = Rig::default();
            rig.with("one", &[gpio(HOLE)]);
            for number in 0..length {
                let next = 0x9000 + (number + 1) % length;
                let mut node = Tree::new(&format!("ring{number}"))
                    .cells("phandle", &[0x9000 + number])
                    .cells("interrupt-parent", &[next]);
                if controllers {
                    node = node
                        .flag("interrupt-controller")
                        .cells("#interrupt-cells", &[3]);
                }
                rig.host.children.push(node);
            }
            rig.host.at(GPIO).set("interrupt-parent", &be(&[0x9000]));
            if controllers && length == 1 {
                // A controller that is its own parent is a root of its own.
                assert_eq!(rig.refusal(), None);
                continue;
            }
            refused(
                &rig,
                &format!("{GPIO}: `interrupt-parent` leads through a circle of nodes to no end"),
            );
        }
    }
    // The named node itself in the ring, as a pair of devices.
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    rig.host
        .at(RTC)
        .set("phandle", &be(&[0x9001]))
        .set("interrupt-parent", &be(&[0x8005]));
    rig.host.at(GPIO).set("interrupt-parent", &be(&[0x9001]));
    refused(
        &rig,
        &format!("{GPIO}: `interrupt-parent` leads through a circle of nodes to no end"),
    );
}

/// A line that the machine lacks is not assigned, whatever the domain's limit, and what the
/// hypervisor keeps is kept even where its node says more than it should.
#[test]
fn lines_are_the_machines() {
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    rig.host.at(NODE).put("nr_spis", &be(&[988]));
    rig.host.at(GPIO).put("interrupts", &be(&[0, 256, 4]));
    refused(
        &rig,
        &format!("{GPIO}: `interrupts` names interrupt 288, beyond the 256 of this machine"),
    );
    rig.host.at(GPIO).put("interrupts", &be(&[0, 0x4b, 1]));
    let odd = be(&[1, 3, 4, 0, 0x4b, 0, 7, 7, 7]);
    rig.host.at("/smmuv3@9050000").put("interrupts", &odd);
    refused(
        &rig,
        &format!("{GPIO}: `interrupts` names interrupt 107, which is that of an IOMMU"),
    );
}
