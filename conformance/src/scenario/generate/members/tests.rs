use runners::Control;

use super::*;
use crate::sample::{loaded, profile};
use crate::scenario::{Scenario, generate};

const LIFE: &str = "  - id: XenValTestCase~demo.life~1
    title: T
    class: positive
    domains:
      - name: dA
        static: [0x58000000 0x400000, '']
        direct_map: true
        script: [post 1]
      - name: ctl
        role: control
        script: [destroy dA, build dB]
        children: [{name: dB, id: 9, script: ['', timer 1]}]
";

fn life(control: Control) -> Scenario {
    let profile = Profile {
        control,
        ..profile()
    };
    generate::scenarios(&loaded(LIFE), &profile)
        .unwrap()
        .remove(0)
}

fn numbers(scenario: &Scenario) -> Vec<(&str, u8)> {
    let all = scenario.domains.iter();
    all.map(|domain| (domain.name.as_str(), domain.number))
        .collect()
}

/// If a node says what a domain may do, numbers follow the tree, and children come after the sentinel.
#[test]
fn numbers_follow_the_tree() {
    let made = life(Control::Capabilities);
    assert_eq!(
        numbers(&made),
        [("dA", 1), ("ctl", 2), (SENTINEL, 3), ("dB", 4)]
    );
    assert_eq!(
        made.domains[1].extra,
        [("capabilities".to_owned(), dtb_gen::Value::Cells(vec![1]))]
    );
    assert_eq!(made.domains[1].lines[0].op.to_string(), "hv destroy 1");
    assert_eq!(
        made.domains[3]
            .child
            .map(|child| (child.of, child.id, child.entry)),
        Some((2, 9, 1))
    );
    assert_eq!(made.domains[3].lines.len(), 1);
    let direct = &made.domains[0];
    assert_eq!((direct.memory_kib, direct.ram), (Some(4096), 0x5800_0000));
}

/// If only the first domain is a control domain, it is the case's control domain.
#[test]
fn the_first_domain_may_be_in_control() {
    let made = life(Control::Dom0);
    assert_eq!(
        numbers(&made),
        [("dA", 1), ("ctl", 0), (SENTINEL, 2), ("dB", 3)]
    );
    assert!(made.domains[1].extra.is_empty());
}

/// In a refusal, a device that the domain is given stands for its node; any other word is one of the diagnostic.
#[test]
fn refusals_name_nodes() {
    let made = crate::sample::scenario(
        "    domains:
      - name: dA
        devices: [{device: gpio, at: window}, {node: rtc}]
        refused: [gpio, rtc, pcie, 'xen,reg', '${what}']
    parameters: [{name: a, what: '${window}'}]
",
    );
    let words = ["gpio@a000000", "rtc", "pcie", "xen,reg", "0xa000000"];
    let refused = Expectation::Refused(words.map(str::to_owned).into());
    assert_eq!(made.domains[0].expectation, refused);
}

/// A domain that another one destroys is at work from mark `up` on and gone at mark `gone`, unless the case says.
#[test]
fn ends_have_usual_marks() {
    let end = |destroyed: &str| {
        let made = crate::sample::scenario(&format!(
            "    domains:
      - {{name: ctl, role: control, script: [destroy dA, mark gone, mark later]}}
      - {{name: dA, script: [mark early, stay-up 1], destroyed: {destroyed}}}
"
        ));
        made.domains[1].expectation.clone()
    };
    let destroyed = |after: &str, mark: &str| Expectation::Destroyed {
        after_mark: after.to_owned(),
        by: 1,
        mark: mark.to_owned(),
    };
    assert_eq!(end("ctl"), destroyed("up", "gone"));
    let marks = "{after_mark: early, by: ctl later}";
    assert_eq!(end(marks), destroyed("early", "later"));
}

/// The required capabilities follow from the domains and their operations.
#[test]
fn needs_follow_from_the_domains() {
    use model::Capability::{ControlDomain, Destroy, DirectMap, RuntimeConsole, RuntimeCreate};
    let mut wanted = vec![
        ControlDomain,
        Destroy,
        DirectMap,
        RuntimeConsole,
        RuntimeCreate,
    ];
    wanted.sort_unstable();
    assert_eq!(life(Control::Capabilities).needs, wanted);
}
