//! Pins the way of a case from the requirement file to the trees, the modules and the command line of its runs. Nothing
//! is booted. The requirements, the machine and the subject are fixtures, so that the suite's own may change;
//! `INSTA_UPDATE=always cargo test -p conformance --test golden` accepts a change of the snapshots.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conformance::case::load::load;
use conformance::dtb::{BuildContext, blobs};
use conformance::run_request::request;
use conformance::scenario::{Scenario, generate};
use dtb_gen::Tree;
use runners::{Io, Profile};

/// Nonce of these runs' frames.
const NONCE: u32 = 0x0bad_cafe;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn profile() -> Profile {
    Profile::load(&fixture("subject.toml")).unwrap()
}

fn base() -> Tree {
    Tree::read(&std::fs::read(fixture("base.dtb")).unwrap()).unwrap()
}

fn scenarios() -> Vec<Scenario> {
    let loaded = load(&fixture("requirements")).unwrap();
    generate::scenarios(&loaded, &profile()).unwrap()
}

/// Shows everything that is decided about a scenario before it runs.
fn shown(scenario: &Scenario) -> String {
    let (profile, base) = (profile(), base());
    let probe: Arc<[u8]> = vec![0; 0x1234].into();
    let context = BuildContext {
        base: &base,
        probe: &probe,
        hypervisor_args: &[&profile.boot_args]
            .into_iter()
            .chain(&scenario.arguments)
            .cloned()
            .collect::<Vec<_>>()
            .join(" "),
        nonce: NONCE,
        modules: profile.modules,
        guest: &profile.guest,
        host: None,
    };
    let made = blobs(scenario, &context).unwrap();
    let request = request(scenario, &profile, Path::new("hypervisor.img"), &made);
    let mut text = String::new();
    for domain in &scenario.domains {
        writeln!(
            text,
            "domain {} is {}, {:?}",
            domain.name, domain.number, domain.expectation
        )
        .unwrap();
        for line in &domain.lines {
            writeln!(text, "    {:?}: {} => {}", line.from, line.op, line.expect).unwrap();
        }
        for rule in &domain.tree {
            writeln!(text, "    tree: {rule}").unwrap();
        }
    }
    for step in &scenario.outside {
        for act in &step.acts {
            writeln!(
                text,
                "outside at {:?}: {} => {}",
                step.at, act.text, act.expect
            )
            .unwrap();
        }
    }
    writeln!(text, "\nbefore the first instruction: {:?}", request.before).unwrap();
    for (name, at, bytes) in &made.modules {
        writeln!(text, "module {name} at {at:#x}, {:#x} bytes", bytes.len()).unwrap();
    }
    for file in &request.files {
        writeln!(text, "file {}", file.name).unwrap();
    }
    let argv = runners::argv(
        &request,
        &request.machine.kind,
        "hypervisor.img",
        Io::Harness,
    );
    writeln!(text, "\n{}", argv.join(" ").replace(" -", "\n    -")).unwrap();
    writeln!(text, "\nhost tree\n{}", dtb_gen::dts(&made.host)).unwrap();
    for (name, _, bytes) in made.modules.iter().filter(|(name, ..)| name != "probe") {
        match name.ends_with("-tree") {
            true => writeln!(text, "{name}\n{}", dtb_gen::dts(bytes)).unwrap(),
            false => script(name, bytes, &mut text),
        }
    }
    text
}

/// Shows a ramdisk: its script, and the trees that are packed after it.
fn script(name: &str, bytes: &[u8], text: &mut String) {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    writeln!(text, "{name}\n{}", String::from_utf8_lossy(&bytes[..end])).unwrap();
    let Some(pack) = wire::pack::Pack::behind(bytes) else {
        return;
    };
    let entries = (0..).map_while(|index| pack.entry(index));
    for (index, entry) in entries.enumerate() {
        writeln!(text, "{name} [{index}] has {} bytes", entry.len()).unwrap();
        if Tree::read(entry).is_ok() {
            writeln!(text, "{}", dtb_gen::dts(entry)).unwrap();
        }
    }
}

/// Each fixture case becomes the same blobs and the same command line every time.
#[test]
fn cases_become_the_same_runs() {
    let scenarios = scenarios();
    let ids: Vec<&str> = scenarios
        .iter()
        .map(|scenario| scenario.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "show.ident",
            "show.moved/low",
            "show.moved/last",
            "show.refused",
            "show.long",
            "show.life",
            "show.functions"
        ]
    );
    for scenario in &scenarios {
        insta::assert_snapshot!(scenario.folder(), shown(scenario));
    }
}

/// Two expansions of the same files are equal to the last byte, and no two evidence folders have the same name.
#[test]
fn expansion_repeats_itself() {
    let (first, second) = (scenarios(), scenarios());
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(shown(first), shown(second));
        let json = |scenario: &Scenario| serde_json::to_string(scenario).unwrap();
        assert_eq!(json(first), json(second));
    }
    let folders: BTreeSet<String> = first.iter().map(Scenario::folder).collect();
    assert_eq!(folders.len(), first.len());
}
