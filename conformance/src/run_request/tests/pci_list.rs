//! Tests what the firmware reads back, and which functions a hypervisor must know.

use serde_json::json;
use wire::Answer;

use super::*;

const FUNCTIONS: &str = "    machine: {pci: [{name: one, device: edu, slot: 3}]}
    domains: [{name: ctl, role: control, script: [pci-functions]}]
    outside: [{at: start, do: [query-pci]}]
";

fn bytes(value: u32) -> runners::Answer {
    runners::Answer::Bytes(value.to_le_bytes().to_vec())
}

/// The values that the firmware reads back decide whether the machine is the one that was asked for; on another one the
/// subject is not judged.
#[test]
fn another_machine_than_was_asked_for_shows_nothing() {
    let scenario = scenario(FUNCTIONS);
    let before = requested(&scenario).before;
    let labels: Vec<&str> = before.iter().map(|act| act.label.as_str()).collect();
    assert_eq!(labels[..2], ["firmware 0", "firmware 1"]);
    assert_eq!(labels.last(), Some(&"0.0"));
    let mut observer = RunObserver::new(&scenario, NONCE);
    assert_eq!(
        told(observer.done("firmware 0", &bytes(0x11e8_1234))),
        [""; 0]
    );
    assert_eq!(
        told(observer.done("firmware 1", &runners::Answer::Done)),
        [""; 0]
    );
    assert_eq!(
        told(observer.done("firmware 2", &bytes(0x1000_0000))),
        [""; 0]
    );
    assert_eq!(
        told(observer.done("firmware 2", &bytes(0x1000_0001))),
        ["finish"]
    );
    let seen = observer.close(record(runners::End::Finished));
    let outcome = judge(&scenario, &seen, &[], Claims::of(&profile()));
    assert_eq!(outcome.verdict, Verdict::Broken);
    assert!(
        outcome.reason.contains("read 0x10000001 at 0x4010018010"),
        "{}",
        outcome.reason
    );
    let mut observer = RunObserver::new(&scenario, NONCE);
    let refused = runners::Answer::Refused("no".into());
    assert_eq!(told(observer.done("firmware 1", &refused)), ["finish"]);
    assert_eq!(
        told(RunObserver::new(&scenario, NONCE).done("firmware 0", &refused)),
        ["finish"]
    );
}

/// A hypervisor must know exactly the functions that QEMU lists; if QEMU's list cannot be read, nothing is shown.
#[test]
fn known_functions_are_those_that_are_listed() {
    let scenario = scenario(FUNCTIONS);
    let known = |answers: &[(u16, u64)], list: &serde_json::Value| {
        let mut observer = RunObserver::new(&scenario, NONCE);
        observer.done("0.0", &runners::Answer::Json(list.clone()));
        let asked = scenario.domains[0].lines.len();
        let mut play = Play::new().sentinel(2).hello(1);
        for place in 0..u16::try_from(asked).unwrap() {
            let found = answers.iter().find(|(at, _)| *at == place);
            play = play.op(
                1,
                place,
                Answer::Value(found.map_or(0, |(_, value)| *value)),
            );
        }
        let play = play.end(1, u16::try_from(asked).unwrap());
        conduct(&mut observer, &play.lines);
        let seen = observer.close(record(runners::End::Finished));
        judge(&scenario, &seen, &[], Claims::of(&profile()))
    };
    let device = |slot: u8| json!({"bus": 0, "slot": slot, "function": 0});
    let list = json!([{"bus": 0, "devices": [device(0), device(3)]}]);
    assert_eq!(known(&[(0, 0x100_0001)], &list).verdict, Verdict::Pass);
    for wrong in [
        &[][..],
        &[(0, 1)],
        &[(0, 0x100_0003)],
        &[(0, 0x100_0001), (8, 1 << 63)],
    ] {
        assert_eq!(known(wrong, &list).verdict, Verdict::Fail, "{wrong:?}");
    }
    assert_eq!(known(&[(0, 0x100_0001)], &json!({})).verdict, Verdict::Fail);
}
