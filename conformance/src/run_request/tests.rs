mod pci_list;
mod refusals;

use std::path::Path;
use std::time::Duration;

use model::Verdict;
use runners::{Status, Timing};

use super::*;
use crate::arch;
use crate::dtb::{BuildContext, blobs};
use crate::sample::{NONCE, Play, profile, scenario};
use crate::scenario::SENTINEL;
use crate::verdict::{Claims, judge};

/// Returns what an observer does at each line: the labels of its actions, `finish` for the end.
fn conduct(observer: &mut RunObserver<'_>, lines: &[String]) -> Vec<(usize, Vec<String>)> {
    let did = lines
        .iter()
        .enumerate()
        .map(|(place, line)| (place, told(observer.line(line))));
    did.filter(|(_, commands)| !commands.is_empty()).collect()
}

fn told(commands: Vec<Command>) -> Vec<String> {
    let name = |command| match command {
        Command::Perform(act) => act.label,
        Command::Finish => "finish".to_owned(),
    };
    commands.into_iter().map(name).collect()
}

fn record(end: runners::End) -> RunRecord {
    RunRecord {
        end,
        console: b"text".to_vec(),
        stderr: String::new(),
        answers: Vec::new(),
        iommus: None,
        argv: Vec::new(),
        timing: Timing {
            ready: None,
            started: None,
            first_byte: None,
            total: Duration::ZERO,
        },
    }
}

const TWO: &str = "    domains:
      - {name: dA, script: [read32 0x1000]}
      - {name: dB, refused: []}
";

/// The run ends with the last awaited line and not before: neither when one domain ends nor because a domain should be
/// refused.
#[test]
fn the_run_ends_with_the_last_awaited_line() {
    let scenario = scenario(TWO);
    let mut observer = RunObserver::new(&scenario, NONCE);
    let first = Play::new()
        .hello(1)
        .op(1, 0, Answer::Ok)
        .end(1, 1)
        .says("chatter");
    let play = first.hello(2).end(2, 0).sentinel(3);
    let last = play.lines.len() - 1;
    assert_eq!(
        conduct(&mut observer, &play.lines),
        [(last, vec!["finish".to_owned()])]
    );
    let seen = observer.close(record(runners::End::Finished));
    assert_eq!((seen.end, seen.console), (End::Complete, b"text".to_vec()));
}

/// Domains may end in any order.
#[test]
fn the_sentinel_may_end_first() {
    let scenario = scenario(TWO);
    let mut observer = RunObserver::new(&scenario, NONCE);
    let play = Play::new()
        .sentinel(3)
        .hello(1)
        .op(1, 0, Answer::Ok)
        .end(1, 1);
    let last = play.lines.len() - 1;
    assert_eq!(
        conduct(&mut observer, &play.lines),
        [(last, vec!["finish".to_owned()])]
    );
}

/// A domain whose script ends in silence is done with its last answer; one with a bad script is done at once.
#[test]
fn silence_on_purpose_is_not_waited_for() {
    for (word, answers) in [("'off'", 1), ("spin", 1), ("idle", 1), ("crash", 1)] {
        let scenario = scenario(&format!(
            "    domains: [{{name: dA, script: [read32 0x1000, {word}]}}]\n"
        ));
        let mut observer = RunObserver::new(&scenario, NONCE);
        let play = Play::new()
            .sentinel(2)
            .hello(1)
            .op(1, 0, Answer::Ok)
            .op(1, answers, Answer::Ok);
        let last = play.lines.len() - 1;
        assert_eq!(
            conduct(&mut observer, &play.lines),
            [(last, vec!["finish".to_owned()])],
            "{word}"
        );
    }
    let scenario = scenario(TWO);
    let mut observer = RunObserver::new(&scenario, NONCE);
    let bad = Note::Bad {
        at: 0,
        why: wire::ScriptError::Script,
    };
    let play = Play::new().sentinel(3).hello(1).note(1, bad);
    assert_eq!(conduct(&mut observer, &play.lines).len(), 1);
}

/// Returns a case with actions at each kind of trigger; one of them raises line 5.
fn acts() -> String {
    let line = arch::FIRST_SHARED + 5;
    format!(
        "    domains: [{{name: dA, script: [mark one, mark two]}}]
    outside:
      - {{at: start, do: [read32 0x10]}}
      - {{at: dA two, do: [write16 0x14 0x102, raise-line {line}]}}
      - {{at: end, do: [read8 0x18, stop]}}
"
    )
}

/// Actions are taken at their marks and at the end, and the run ends only when the last answer has arrived.
#[test]
fn acts_are_taken_at_their_moments() {
    let scenario = scenario(&acts());
    let mut observer = RunObserver::new(&scenario, NONCE);
    let done = |observer: &mut RunObserver<'_>, label: &str| {
        told(observer.done(label, &runners::Answer::Done))
    };
    assert_eq!(done(&mut observer, "0.0"), [""; 0]);
    let mark = |name| Answer::Mark(wire::Name::new(name).unwrap());
    let play = Play::new()
        .sentinel(2)
        .hello(1)
        .op(1, 0, mark("one"))
        .op(1, 1, mark("two"))
        .end(1, 2);
    let acts = vec!["1.0".to_owned(), "1.1".to_owned()];
    assert_eq!(
        conduct(&mut observer, &play.lines),
        [(play.lines.len() - 2, acts)]
    );
    assert_eq!(done(&mut observer, "1.0"), [""; 0]);
    assert_eq!(done(&mut observer, "1.1"), ["2.0", "2.1"]);
    assert_eq!(
        told(observer.done("2.0", &runners::Answer::Bytes(vec![7]))),
        [""; 0]
    );
    assert_eq!(
        told(observer.done("2.1", &runners::Answer::Refused("no".into()))),
        ["finish"]
    );
    let seen = observer.close(record(runners::End::Finished));
    assert_eq!(seen.outside.get("2.0"), Some(&OutsideAnswer::Value(7)));
    assert_eq!(
        seen.outside.get("2.1"),
        Some(&OutsideAnswer::Refused("no".into()))
    );
    let outcome = judge(&scenario, &seen, &[], Claims::of(&profile()));
    assert_eq!(
        (outcome.verdict, outcome.reason.contains("refused: no")),
        (Verdict::Fail, true)
    );
}

/// A repeated mark triggers no action a second time, and the first answer of an action counts.
#[test]
fn an_echo_takes_no_act() {
    let scenario = scenario(&acts());
    let mut observer = RunObserver::new(&scenario, NONCE);
    let mark = |name| Answer::Mark(wire::Name::new(name).unwrap());
    let mut play = Play::new()
        .hello(1)
        .op(1, 0, mark("one"))
        .op(1, 1, mark("two"));
    play.lines.push(play.lines[2].clone());
    assert_eq!(conduct(&mut observer, &play.lines).len(), 1);
    observer.done("1.0", &runners::Answer::Bytes(vec![1]));
    observer.done("1.0", &runners::Answer::Bytes(vec![2]));
    let seen = observer.close(record(runners::End::Deadline));
    assert_eq!(seen.outside.get("1.0"), Some(&OutsideAnswer::Value(1)));
}

/// Every way in which a run may end is recorded; only a failed harness is `Failed`.
#[test]
fn ends_are_told_apart() {
    let status = Status {
        code: None,
        signal: Some(6),
    };
    let rows = [
        (
            runners::End::PoweredOff {
                reason: "guest-reset".into(),
            },
            End::PoweredOff("guest-reset".into()),
        ),
        (runners::End::Deadline, End::Deadline),
        (runners::End::Flooded { bytes: 9 }, End::Flooded(9)),
    ];
    let scenario = scenario(TWO);
    for (end, wanted) in rows {
        assert_eq!(
            RunObserver::new(&scenario, NONCE).close(record(end)).end,
            wanted
        );
    }
    let died = runners::End::Died {
        status,
        stderr: "no such device\n".into(),
    };
    match RunObserver::new(&scenario, NONCE).close(record(died)).end {
        End::Failed(why) => assert!(why.contains("no such device"), "{why}"),
        end => panic!("{end:?}"),
    }
}

/// The control run contains only the sentinel, and refers to no nodes that only the case's edits create.
#[test]
fn the_control_run_is_the_sentinel_alone() {
    let scenario = scenario(
        "    host: [add /gpio]\n    passthrough: [/gpio]\n    outside: [{at: end, do: [stop]}]\n    domains: [{name: dA}]\n",
    );
    let control = control_run::alone(&scenario).unwrap();
    let names: Vec<&str> = control
        .domains
        .iter()
        .map(|domain| domain.name.as_str())
        .collect();
    assert_eq!(names, [SENTINEL]);
    let request = requested(&control);
    assert_eq!((request.before.len(), request.loads.len()), (0, 1));
    assert!(
        super::control_run::alone(&control).is_none(),
        "a control run of its own would show nothing new"
    );
}

/// The machine of a scenario is the subject's, with the additions of the case.
#[test]
fn machines_are_the_subjects_with_what_the_case_adds() {
    let profile = profile();
    let wanted = scenario(
        "    machine:
      {iommu: true, devices: [uart2, edu], qemu_devices: [usb-ehci], version: iommu-without-stage-2}
    domains: [{name: dA}]
",
    );
    let machine = machine(&profile, &wanted);
    assert_eq!(machine.pin.as_deref(), Some("virt-9.1"));
    let option = runners::iommu_option(profile.arch).unwrap();
    assert!(machine.options.contains(&option.to_owned()));
    assert_eq!(machine.options.len(), profile.machine.options.len() + 1);
    let edu = "edu,addr=3,dma_mask=0xffffffffffffffff";
    assert_eq!(machine.devices, [edu, "usb-ehci"]);
    assert_eq!(machine.extra, ["-serial", "null"]);
    let plain = scenario("    domains: [{name: dA}]\n");
    assert_eq!(super::machine(&profile, &plain), profile.machine);
}

/// Writes have the width that they state, lowest byte first.
#[test]
fn acts_become_actions() {
    let scenario = scenario(&acts());
    let write = scenario.outside[1]
        .acts
        .iter()
        .map(|act| action(&act.what))
        .collect::<Vec<_>>();
    assert_eq!(
        write[0],
        Action::Write {
            addr: 0x14,
            bytes: vec![2, 1]
        }
    );
    assert_eq!(
        write[1],
        Action::SetLine {
            line: format!("{}5", arch::LINE),
            high: true
        }
    );
    assert_eq!(
        action(&scenario.outside[0].acts[0].what),
        Action::Read { addr: 0x10, len: 4 }
    );
}

/// Each word of the flash pattern is its own offset, up to the end of what is filled.
#[test]
fn the_flash_pattern_tells_where_it_is() {
    let filled = 0x80_0000;
    let scenario = scenario("    machine: {devices: [flash-pattern]}\n    domains: [{name: dA}]\n");
    let file = requested(&scenario).files.remove(0);
    assert_eq!((file.name.as_str(), file.size), ("flash.img", 0x400_0000));
    let bytes = file.bytes;
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(
        (word(0), word(0x1000), word(bytes.len() - 4)),
        (0, 0x1000, filled - 4)
    );
}

/// Makes the request for a scenario on an empty tree.
fn requested(scenario: &Scenario) -> Request {
    let profile = profile();
    let base = dtb_gen::Tree::default();
    let probe = [0_u8; 64].into();
    let context = BuildContext {
        base: &base,
        probe: &probe,
        hypervisor_args: "",
        nonce: 1,
        modules: profile.modules,
        guest: &profile.guest,
        host: None,
    };
    let made = blobs(scenario, &context).unwrap();
    request(scenario, &profile, Path::new("image"), &made)
}

/// The edu device is placed before the first action of the case, and a register is polled until it shows the awaited
/// value.
#[test]
fn registers_are_set_up_and_waited_for() {
    let scenario = scenario(
        "    machine: {devices: [edu]}
    domains: [{name: dA, script: [read32 0x10]}]
    outside: [{at: start, do: [wait32 0x20 1 0, read32 0x24 => 5]}]
",
    );
    let request = requested(&scenario);
    let labels: Vec<&str> = request
        .before
        .iter()
        .map(|act| act.label.as_str())
        .collect();
    assert_eq!(labels, ["edu-bar", "edu-command", "0.0", "0.1"]);
    assert!(
        request
            .machine
            .devices
            .iter()
            .any(|device| device.starts_with("edu,"))
    );
    let host = dtb_gen::Tree::read(request.host_dtb.as_deref().unwrap()).unwrap();
    assert!(host.find("/edu@10000000").is_some());

    let mut observer = RunObserver::new(&scenario, 1);
    let bytes = |value: u8| runners::Answer::Bytes(vec![value, 0, 0, 0]);
    let again = observer.done("0.0", &bytes(1));
    assert!(matches!(again.as_slice(), [Command::Perform(act)] if act.label == "0.0"));
    assert!(observer.done("0.0", &bytes(2)).is_empty());
    assert_eq!(
        observer.recorder.seen.outside.get("0.0"),
        Some(&OutsideAnswer::Value(2))
    );
}

/// The IOMMUs of a machine are found by its own tree and its cell sizes, and no other node is taken for one.
#[test]
fn iommus_are_found_in_the_machines_tree() {
    use dtb_gen::{Node, Tree, Value};
    let node = |name: &str, model: &str, reg: &[u32]| {
        Node::new(name)
            .with("compatible", Value::Text(model.to_owned()))
            .with("reg", Value::Cells(reg.to_vec()))
    };
    let places =
        |tree: &Tree| -> Vec<u64> { iommus(tree).iter().map(|one| one.registers).collect() };
    let tree = |cells: u32, reg: &[u32]| {
        let mut tree = Tree::default();
        tree.root.set("#address-cells", Value::Cells(vec![cells]));
        tree.root.children = vec![
            node("iommu@1", arch::sample::IOMMU, reg),
            node("iommu@2", arch::sample::OTHER_IOMMU, reg),
            Node::new("broken").with("compatible", Value::Text(arch::sample::IOMMU.to_owned())),
        ];
        places(&tree)
    };
    assert_eq!(tree(2, &[1, 0x0905_0000, 0, 0x2_0000]), [0x1_0905_0000]);
    assert_eq!(tree(1, &[0x0905_0000, 0x2_0000]), [0x0905_0000]);
    assert_eq!(tree(2, &[1]), [0_u64; 0]);
    assert_eq!(places(&Tree::default()), [0_u64; 0]);
}
