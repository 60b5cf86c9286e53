//! Machines, and the steps for them.

use std::collections::BTreeSet;

use apt_sources::one_line_form;

use super::*;

fn debian(release: u32) -> Facts {
    Facts {
        system: System::Debian(Some(release)),
        root: true,
        ci: false,
        somebody: false,
        programs: BTreeSet::from(["apt-get", "rustup", "sudo"]),
        toolchain: "1.95.0".to_owned(),
        sources: one_line_form("deb http://m.example/debian bookworm main"),
        own_source_exists: false,
    }
}

fn everything() -> Vec<Missing> {
    vec![
        Missing::Targets(vec!["one-unknown-none".into(), "two-unknown-none".into()]),
        Missing::Components(vec!["clippy".into()]),
        Missing::Qemu(Found::Nothing),
        Missing::Dtc,
        Missing::UBoot,
        Missing::Python,
    ]
}

fn lines(facts: &Facts, missing: &[Missing]) -> Vec<String> {
    steps(facts, missing)
        .unwrap()
        .iter()
        .map(Step::to_string)
        .collect()
}

const UPDATE: &str = "env DEBIAN_FRONTEND=noninteractive apt-get update";
const INSTALL: &str = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300";
const ADD: &str = "printf '%s\\n' 'Types: deb' 'URIs: http://m.example/debian' 'Suites: bookworm-backports' 'Components: main' | ";
const FILE: &str = "tee /etc/apt/sources.list.d/passthrough-conformance-backports.sources";

/// A bare Debian 12 gets the targets, the backports of its own mirror, and all packages from there.
#[test]
fn debian_12_takes_backports() {
    assert_eq!(
        lines(&debian(12), &everything()),
        [
            "rustup target add --toolchain 1.95.0 one-unknown-none two-unknown-none".to_owned(),
            "rustup component add --toolchain 1.95.0 clippy".to_owned(),
            format!("{ADD}{FILE}"),
            UPDATE.to_owned(),
            format!(
                "{INSTALL} -t bookworm-backports qemu-system-arm ipxe-qemu device-tree-compiler u-boot-qemu python3"
            ),
        ]
    );
}

/// Only missing things are installed, and backports are used only for QEMU.
#[test]
fn no_more_than_missing() {
    assert_eq!(
        lines(&debian(12), &[Missing::Dtc]),
        [UPDATE.to_owned(), format!("{INSTALL} device-tree-compiler")]
    );
    assert_eq!(
        lines(&debian(12), &[Missing::Targets(vec!["t".into()])]),
        ["rustup target add --toolchain 1.95.0 t"]
    );
    assert_eq!(lines(&debian(12), &[]), [""; 0]);
    let known = Facts {
        sources: one_line_form(
            "deb http://m.example/debian bookworm main\ndeb http://m.example/debian bookworm-backports main",
        ),
        ..debian(12)
    };
    assert_eq!(
        lines(
            &known,
            &[Missing::Qemu(Found::Old(
                "/usr/bin/qemu".into(),
                Version { major: 7, minor: 2 }
            ))]
        ),
        [
            UPDATE.to_owned(),
            format!("{INSTALL} -t bookworm-backports qemu-system-arm ipxe-qemu")
        ]
    );
}

/// Releases with a sufficient QEMU install it from their packages; others report an error.
#[test]
fn releases_differ() {
    let plain = [
        UPDATE.to_owned(),
        format!("{INSTALL} qemu-system-arm ipxe-qemu"),
    ];
    let ubuntu = |major, minor| System::Ubuntu(Version { major, minor });
    let old = || Found::Old("/q".into(), Version { major: 7, minor: 0 });
    let table = [
        (System::Debian(Some(13)), Found::Nothing, None),
        (System::Debian(None), Found::Nothing, None),
        (ubuntu(24, 4), Found::Nothing, None),
        (ubuntu(25, 10), old(), None),
        (System::DebianLike("Mint".into()), Found::Nothing, None),
        (System::DebianLike("Mint".into()), old(), Some("Mint")),
        (System::Debian(Some(11)), Found::Nothing, Some("Debian 11")),
        (ubuntu(22, 4), old(), Some("Ubuntu 22.04")),
    ];
    for (system, found, refused) in table {
        let facts = Facts {
            system: system.clone(),
            ..debian(12)
        };
        let missing = [Missing::Qemu(found)];
        match refused {
            None => assert_eq!(lines(&facts, &missing), plain, "{system:?}"),
            Some(name) => assert_eq!(
                steps(&facts, &missing),
                Err(PlanError::TooOld {
                    system: name.into()
                })
            ),
        }
    }
}

/// Where nothing can be installed automatically, the error says what to get.
#[test]
fn unknown_systems_are_told_what_to_get() {
    let bare = Facts {
        programs: BTreeSet::new(),
        system: System::Other("Fedora Linux 42".into()),
        ..debian(12)
    };
    let missing = [Missing::Qemu(Found::Nothing), Missing::Dtc, Missing::UBoot];
    let error = steps(&bare, &missing).unwrap_err().to_string();
    for word in [
        "Fedora Linux 42",
        &format!("{} (8.1 or newer) with its ROMs", TARGET.qemu),
        "dtc",
        TARGET.u_boot,
    ] {
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(
        steps(&bare, &everything()),
        Err(PlanError::NoRustup(
            "one-unknown-none two-unknown-none".into()
        ))
    );
    let no_mirror = Facts {
        sources: vec![],
        ..debian(12)
    };
    assert_eq!(
        steps(&no_mirror, &everything()),
        Err(PlanError::Source(SourceError::NoMirror))
    );
}

/// Only steps that need root use sudo, and without a person sudo never waits for a password.
#[test]
fn sudo_stands_in_front_where_needed() {
    let person = Facts {
        root: false,
        somebody: true,
        ..debian(12)
    };
    assert_eq!(
        lines(
            &person,
            &[
                Missing::Targets(vec!["t".into()]),
                Missing::Qemu(Found::Nothing)
            ]
        ),
        [
            "rustup target add --toolchain 1.95.0 t".to_owned(),
            format!("{ADD}sudo {FILE}"),
            format!("sudo {UPDATE}"),
            format!("sudo {INSTALL} -t bookworm-backports qemu-system-arm ipxe-qemu"),
        ]
    );
    let robot = Facts {
        somebody: false,
        ci: true,
        ..person
    };
    assert_eq!(
        lines(&robot, &[Missing::Dtc]).first(),
        Some(&format!("sudo --non-interactive {UPDATE}"))
    );
}

/// Root and CI install at once, a person is asked, and without a person the answer is never yes.
#[test]
fn consent_depends_on_who_is_there() {
    const NOBODY: Consent = Consent::Withheld("neither root nor CI, and no terminal to ask on");
    const NEVER: Consent = Consent::Withheld("--no-provision says to install nothing");
    const NO_SUDO: Consent = Consent::Withheld("this needs root, and sudo is missing");
    // root, CI, person, sudo, may install
    let table = [
        (true, false, false, false, Install::Allowed, Consent::Given),
        (false, true, false, true, Install::Allowed, Consent::Given),
        (false, false, true, true, Install::Allowed, Consent::Ask),
        (false, false, false, true, Install::Allowed, NOBODY),
        (false, true, true, false, Install::Allowed, NO_SUDO),
        (false, false, true, false, Install::Allowed, NO_SUDO),
        (true, true, true, true, Install::Never, NEVER),
        (false, false, true, true, Install::Never, NEVER),
    ];
    for (root, ci, somebody, sudo, install, wanted) in table {
        let mut facts = Facts {
            root,
            ci,
            somebody,
            ..debian(13)
        };
        if !sudo {
            facts.programs.remove("sudo");
        }
        let steps = steps(&facts, &[Missing::Dtc]).unwrap();
        assert_eq!(consent(&facts, install, &steps), wanted, "{facts:?}");
    }
    // rustup does not need root.
    let mut person = Facts {
        root: false,
        somebody: true,
        ..debian(13)
    };
    person.programs.remove("sudo");
    let steps = steps(&person, &[Missing::Targets(vec!["t".into()])]).unwrap();
    assert_eq!(consent(&person, Install::Allowed, &steps), Consent::Ask);
}

/// A shell reads the printed command back unchanged.
#[test]
fn words_are_quoted_for_a_shell() {
    for (word, shown) in [
        ("a-b_c./:=+,@", "a-b_c./:=+,@"),
        ("", "''"),
        ("a b", "'a b'"),
        ("a'b", r"'a'\''b'"),
        ("$x", "'$x'"),
    ] {
        assert_eq!(quoted(word), shown);
    }
}
