//! What becomes of a virtual CPU that makes a hypercall.

use super::*;
use crate::hal::Ram;

/// Where an argument lies, for the first domain and for the host.
const ARGUMENT: u64 = ENTRY + 0x1000;
const HOST_ARGUMENT: u64 = 0x8000_1000;

/// Two domains of which the first controls others.
fn pair() -> Hypervisor<Fake> {
    let mut control = plan(1, 1, 39);
    control.privilege.control = true;
    hypervisor(&[control, plan(2, 1, 40)])
}

fn registers(hypervisor: &Hypervisor<Fake>, domain: usize) -> &crate::hal::fake::Registers {
    &hypervisor.domains.get(domain).unwrap().vcpus[0].registers
}

/// A call that takes long is made again by its own instruction, with its arguments as they were, and
/// only after everybody else had a turn; the end of it is an answer like any other.
#[test]
fn long_calls_are_made_again() {
    let mut hypervisor = pair();
    let mut other = plan(3, 1, 41);
    // Not a neighbour of the free memory, so that what is given back is told apart.
    other.ram[0].pa = Pa::new(0x80a0_0000);
    hypervisor.create(&other, b"a tree").expect("a domain");
    let mut destroy = [0; 144];
    (destroy[0], destroy[4], destroy[8]) = (2, 0x17, 2);
    assert!(hypervisor.machine().write(Pa::new(HOST_ARGUMENT), &destroy));
    let args = [ARGUMENT, 1, 2, 3, 4];
    told(&mut hypervisor, 1, 0, &[Deed::hypercall(36, args); 8]);
    let mut answers = Vec::new();
    while answers.last() != Some(&0) {
        entered(&mut hypervisor);
        hypervisor.step();
        if entered(&mut hypervisor) != "d1v0" {
            continue;
        }
        let now = registers(&hypervisor, 0);
        answers.push(now.x[0]);
        if now.x[0] != 0 {
            assert_eq!((&now.x[..5], now.pc), (&args[..], ENTRY - 4));
            hypervisor.step();
            assert_ne!(entered(&mut hypervisor), "d1v0", "nobody else had a turn");
            // The instruction is there again.
            let vcpu = &mut hypervisor.domains.get_mut(0).unwrap().vcpus[0];
            vcpu.registers.pc = ENTRY;
        }
        assert!(answers.len() < 8, "never ends");
    }
    assert!(answers.len() > 1, "all at once");
    assert!(hypervisor.domains.get(1).is_none());
}

/// Giving way and waiting are answered with zero; others run meanwhile.
#[test]
fn turns_are_given_up() {
    let mut hypervisor = pair();
    told(&mut hypervisor, 1, 0, &[Deed::hypercall(29, [0; 5])]);
    for _ in 0..2 {
        hypervisor.step();
    }
    assert_eq!(entered(&mut hypervisor), "d1v0 d2v0");
    let mut hypervisor = pair();
    told(
        &mut hypervisor,
        2,
        0,
        &[Deed::hypercall(29, [1, 7, 7, 7, 7])],
    );
    for at in [2000, 3000, 4000, 5000] {
        hypervisor.machine().later.push((at, Interrupt::Own));
    }
    for _ in 0..5 {
        hypervisor.step();
    }
    assert_eq!(entered(&mut hypervisor), "d1v0 d2v0 d1v0 d1v0 d1v0");
    assert_eq!(registers(&hypervisor, 1).x[0], 0);
}

/// A domain that ends itself by hypercall is stopped with the reason that it gave, and its unfinished
/// line of text is not lost.
#[test]
fn a_domain_ends_itself() {
    let mut hypervisor = pair();
    let text = b"bye\0\0\0\0\0\x03\0\0\0";
    assert!(hypervisor.machine().write(Pa::new(HOST_ARGUMENT), text));
    let deeds = [
        Deed::hypercall(18, [0, 3, ARGUMENT, 0, 0]),
        Deed::hypercall(29, [2, ARGUMENT + 8, 0, 0, 0]),
    ];
    told(&mut hypervisor, 1, 0, &deeds);
    hypervisor.machine().later.push((9000, Interrupt::Own));
    for _ in 0..3 {
        hypervisor.step();
    }
    assert_eq!(entered(&mut hypervisor), "d1v0 d1v0 d2v0");
    let life = hypervisor.domains.get(0).unwrap().life;
    assert_eq!(life, Life::ShutDown(3));
    let console = &hypervisor.machine().console[2..];
    assert_eq!(
        console,
        [
            "d1: bye",
            "domain guest1 (d1) stopped: shut down by hypercall, reason 3"
        ]
    );
}
