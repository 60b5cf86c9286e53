//! Domains that must not run: how long they are awaited, and the control runs by which the others are judged.

use dtb_gen::{Edit, Value};

use super::*;

/// In the control run of a refusal, the refused domain has nothing that it could be refused for, keeps its place, and
/// must run; the scripts of the others are unchanged.
#[test]
fn a_refused_domain_is_harmless_in_its_control_run() {
    let scenario = scenario(
        "    host: ['set /chosen/dA cpus <0>', 'set /chosen/dAB memory <0 1>', set /pl061@9030000 status disabled]
    domains:
      - name: dA
        extra: {passthrough: 'no'}
        devices: [{device: gpio, path: ''}]
        script: [mark here]
        refused: []
      - {name: dAB, script: [mark there]}
    outside:
      - {at: dA here, do: [read32 0x1000]}
      - {at: dAB there, do: [read32 0x2000]}
",
    );
    let control = control_run::without(&scenario, "dA");
    let numbers = |scenario: &Scenario| -> Vec<(String, u8)> {
        let all = scenario.domains.iter();
        all.map(|domain| (domain.name.clone(), domain.number))
            .collect()
    };
    assert_eq!(numbers(&control), numbers(&scenario));
    let innocent = &control.domains[0];
    assert_eq!(innocent.expectation, Expectation::Runs);
    assert!(innocent.partial.is_none() && innocent.extra.is_empty() && innocent.lines.is_empty());
    let set = |path: &str, prop: &str, value| Edit::Set {
        path: path.to_owned(),
        prop: prop.to_owned(),
        value,
    };
    assert_eq!(
        control.host,
        [
            set("/chosen/dAB", "memory", Value::Cells(vec![0, 1])),
            set("/pl061@9030000", "status", Value::Text("disabled".into()))
        ]
    );
    assert_eq!(
        control.outside.len(),
        1,
        "what hung on the refused domain's words is gone"
    );
    assert_eq!(control.domains[1].lines.len(), 1);
}

/// A subject that refuses by stopping gets time for each domain that it should refuse: until that domain sends a frame,
/// or the host's panic message is complete.
#[test]
fn what_should_be_refused_is_waited_for() {
    let scenario = scenario(TWO);
    let profile = Profile {
        refusal: Refusal::HostStops,
        panic_format: Some(runners::PanicFormat {
            begins: "(HV) Panic".to_owned(),
            names: vec!["(HV) Could not set up domain {domain}".to_owned()],
            ends: "(HV) Reboot".to_owned(),
        }),
        ..profile()
    };
    let well = Play::new()
        .hello(1)
        .op(1, 0, Answer::Ok)
        .end(1, 1)
        .sentinel(3);
    let mut observer = RunObserver::new(&scenario, NONCE).knowing(&profile);
    assert!(
        conduct(&mut observer, &well.lines).is_empty(),
        "dB may come yet"
    );
    let spoke = Play::new().hello(2);
    assert_eq!(
        conduct(&mut observer, &spoke.lines),
        [(0, vec!["finish".to_owned()])]
    );

    let mut observer = RunObserver::new(&scenario, NONCE).knowing(&profile);
    let words = [
        "(HV) Panic on CPU 0:",
        "(HV) Could not set up domain dB",
        "(HV) Reboot in five seconds...",
    ];
    let words = words.map(str::to_owned);
    assert_eq!(
        conduct(&mut observer, &words),
        [(2, vec!["finish".to_owned()])]
    );
    let stop = observer.close(record(runners::End::Finished)).stop.unwrap();
    assert!(stop.refuses(profile.panic_format.as_ref().unwrap(), "dB"));
}

/// If the observations of a domain decide the verdict, its script is awaited although it should not run.
#[test]
fn what_decides_is_heard_out() {
    let scenario = scenario(
        "    domains:
      - {name: dB, refused: [], if_permitted: [read32 0x1000 => nothing]}
",
    );
    let lenient = Profile {
        level: Level::Required,
        ..profile()
    };
    let play = Play::new()
        .hello(1)
        .sentinel(2)
        .op(1, 0, Answer::Ok)
        .end(1, 1);
    let last = play.lines.len() - 1;
    let ends = |profile: &Profile| {
        let mut observer = RunObserver::new(&scenario, NONCE).knowing(profile);
        let first = conduct(&mut observer, &play.lines);
        first.first().map(|(place, _)| *place)
    };
    assert_eq!(ends(&lenient), Some(last));
    let strict = Profile {
        level: Level::Strict,
        ..profile()
    };
    assert!(ends(&strict) < Some(last));
}
