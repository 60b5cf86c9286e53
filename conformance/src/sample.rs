//! Fixtures for the tests of this crate: a small tree of requirements, scenarios of it, and the frames of probes.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use model::{
    AggregateVerdict, Arch, Class, Ledger, Level, Place, Requirement, Row, SCHEMA, Subject, Verdict,
};
use runners::Profile;
use tempfile::TempDir;
use wire::{Answer, Frame, Note, Op, Width};

use crate::case::Text;
use crate::case::expect::Expect;
use crate::case::load::{Loaded, load};
use crate::language::{Names, Scope};
use crate::library::Library;
use crate::scenario::{Scenario, generate};

/// Nonce of the samples' frames.
pub const NONCE: u32 = 0x5eed;

/// Requirements with a parent: `demo` at revision 2, `other` and `third` at revision 1.
pub const REQUIREMENTS: &str = "Requirements
============

Parent
------

`XenPRQ~top~1`

Description:
All of it.

Needs:
 - XenSSR

Demo
----

`XenSSR~demo~2`

Description:
It shall be shown.

Covers:
 - `XenPRQ~top~1`

Needs:
 - XenValTestCase

Other
-----

`XenSSR~other~1`

Description:
It shall be shown too.

Covers:
 - `XenPRQ~top~1`

Needs:
 - XenValTestCase

Third
-----

`XenSSR~third~1`

Description:
Nothing shows it.

Needs:
 - XenValTestCase
";

/// Writes the requirements and these files into a new folder.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.rst"), REQUIREMENTS).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The shipped profile of the reference hypervisor.
pub fn profile() -> Profile {
    Profile::shipped("reference", Arch::default()).unwrap()
}

/// What names of a text mean that is parsed alone: those of the reference hypervisor's machine with all devices that it
/// has on request, outside of all domains.
pub fn outside() -> Scope<'static> {
    static PROFILE: LazyLock<Profile> = LazyLock::new(profile);
    static ROW: BTreeMap<String, Text> = BTreeMap::new();
    static ASKED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let machine = Library::shipped().unwrap().machine(PROFILE.board());
        let devices = machine.unwrap().devices.iter();
        let asked = devices.filter(|(_, device)| device.optional.is_some());
        asked.map(|(name, _)| name.clone()).collect()
    });
    static NAMES: LazyLock<Names<'static>> = LazyLock::new(|| {
        let library = Library::shipped().unwrap();
        Names {
            library,
            machine: library.machine(PROFILE.board()).unwrap(),
            profile: &PROFILE,
            row: &ROW,
            asked: &ASKED,
            pci: None,
            banks: BTreeMap::new(),
        }
    });
    Scope::outside(&NAMES)
}

/// The addresses of its machine.
pub fn host() -> Option<runners::HostLayout> {
    let machine = crate::library::Library::shipped().unwrap().machine("virt");
    machine.unwrap().host_layout()
}

/// Loads cases that belong to `demo`.
pub fn loaded(cases: &str) -> Loaded {
    let file = format!("requirement: XenSSR~demo~2\ncases:\n{cases}");
    load(folder(&[("demo.yaml", &file)]).path()).unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems.iter().map(ToString::to_string).collect::<String>()
        )
    })
}

/// Expands cases that belong to `demo`.
pub fn scenarios(cases: &str) -> Vec<Scenario> {
    generate::scenarios(&loaded(cases), &profile()).unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems.iter().map(ToString::to_string).collect::<String>()
        )
    })
}

/// Expands one scenario; `rest` is the case without id, title and class, each line indented by four.
pub fn scenario(rest: &str) -> Scenario {
    scenarios(&case(rest)).remove(0)
}

/// Returns the errors of expanding such a case.
pub fn problems(rest: &str) -> Vec<String> {
    let found = generate::scenarios(&loaded(&case(rest)), &profile()).err();
    let told = found.unwrap_or_default();
    told.iter().map(ToString::to_string).collect()
}

fn case(rest: &str) -> String {
    format!("  - id: XenValTestCase~demo.one~1\n    title: One\n    class: positive\n{rest}")
}

/// The frames that the probes of one run send, numbered for each domain.
pub struct Play {
    nonce: u32,
    next: [u16; 8],
    /// The console so far.
    pub lines: Vec<String>,
}

impl Play {
    /// Starts with an empty console.
    pub fn new() -> Self {
        Self {
            nonce: NONCE,
            next: [0; 8],
            lines: Vec::new(),
        }
    }

    /// Adds a frame.
    pub fn note(mut self, dom: u8, note: Note) -> Self {
        let next = &mut self.next[usize::from(dom)];
        let frame = Frame {
            nonce: self.nonce,
            dom,
            seq: *next,
            note,
        };
        *next += 1;
        self.lines.push(format!("(HV) d{dom}: {}", frame.encode()));
        self
    }

    /// Skips a frame, as if it had been lost.
    pub fn lose(mut self, dom: u8) -> Self {
        self.next[usize::from(dom)] += 1;
        self
    }

    /// Adds a hello frame.
    pub fn hello(self, dom: u8) -> Self {
        self.note(
            dom,
            Note::Hello {
                version: 1,
                privilege: 1,
                frequency: 62_500_000,
                cpu: 0,
            },
        )
    }

    /// Adds the answer to an operation.
    pub fn op(self, dom: u8, index: u16, answer: Answer) -> Self {
        self.note(dom, Note::Op { index, answer })
    }

    /// Adds the end of a script.
    pub fn end(self, dom: u8, ops: u16) -> Self {
        self.note(dom, Note::End { ops })
    }

    /// Adds a line that is no frame.
    pub fn says(mut self, text: &str) -> Self {
        self.lines.push(text.to_owned());
        self
    }

    /// Adds all frames of a sentinel.
    pub fn sentinel(self, dom: u8) -> Self {
        let timer = Answer::Irqs {
            irq: wire::Irq(27),
            count: 1,
        };
        self.hello(dom)
            .op(dom, 0, Answer::Ok)
            .op(dom, 1, timer)
            .op(dom, 2, Answer::Ok)
            .end(dom, 3)
    }
}

/// A row with nothing in it but what every row has; tests fill in what they are about.
pub fn row(scenario: &str, covers: &[&str], verdict: Verdict) -> Row {
    Row {
        scenario: scenario.to_owned(),
        case: "XenValTestCase~demo.one~1".to_owned(),
        title: "One".to_owned(),
        covers: covers.iter().map(|id| (*id).to_owned()).collect(),
        clause: None,
        place: Place::default(),
        arch: Arch::default(),
        class: Class::Positive,
        level: Level::Required,
        steps: Vec::new(),
        verdict,
        reason: String::new(),
        checks: Vec::new(),
        seed: "00005eed".to_owned(),
        digests: BTreeMap::new(),
        accelerator: "tcg".to_owned(),
        evidence: None,
    }
}

/// A requirement of a ledger, likewise.
pub fn requirement(id: &str, in_scope: bool, verdict: AggregateVerdict) -> Requirement {
    Requirement {
        id: id.to_owned(),
        title: "Demo".to_owned(),
        group: String::new(),
        texts: Vec::new(),
        parents: Vec::new(),
        needs: Vec::new(),
        status: String::new(),
        place: Place::default(),
        in_scope,
        optional: false,
        verdict,
    }
}

/// A ledger of these requirements and rows.
pub fn ledger(requirements: Vec<Requirement>, rows: Vec<Row>) -> Ledger {
    Ledger {
        schema: SCHEMA.to_owned(),
        suite: "0.1.0".to_owned(),
        subject: Subject {
            name: "demo".to_owned(),
            version: "1".to_owned(),
            digest: "00".to_owned(),
            arch: Arch::default(),
            level: Level::Strict,
        },
        selection: Vec::new(),
        seed: 0,
        accelerator: "tcg".to_owned(),
        conformant: rows.iter().all(|row| row.verdict == Verdict::Pass),
        requirements,
        parents: Vec::new(),
        rows,
        problems: Vec::new(),
        notices: Vec::new(),
        times: BTreeMap::new(),
    }
}

/// Asserts whether an expectation, as cases write it, accepts the answer to an operation, as the probe reads it.
#[track_caller]
pub fn check_expectation(expect: &str, op: &str, answer: Answer, met: bool) {
    let expect = Expect::parse(expect, &outside(), Width::W64).unwrap();
    let op: Op = op.parse().unwrap();
    assert_eq!(
        expect.met_by(&op, &answer, None),
        met,
        "{op} => {expect}: {answer}"
    );
}
