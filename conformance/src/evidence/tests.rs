use std::sync::Arc;

use dtb_gen::Tree;
use wire::Answer;

use super::*;
use crate::dtb::{BuildContext, blobs};
use crate::observe::Recorder;
use crate::sample::{NONCE, Play, profile, scenario};

/// A folder has all that is needed to inspect a run, keeps nothing of an earlier run, and is read back in one order.
#[test]
fn folders_hold_the_whole_run() {
    let scenario = scenario(
        "    domains:
      - name: dA
        role: control
        children: [{name: dC, devices: [{node: y}]}]
        devices: [{node: x}]
        script: [read32 0x10, build dC]
      - {name: dB, refused: []}
",
    );
    let profile = profile();
    let (base, probe): (Tree, Arc<[u8]>) = (Tree::default(), vec![0; 64].into());
    let modules = profile.modules;
    let context = BuildContext {
        base: &base,
        probe: &probe,
        hypervisor_args: "",
        nonce: NONCE,
        modules,
        guest: &profile.guest,
        host: None,
    };
    let made = blobs(&scenario, &context).unwrap();
    let mut recorder = Recorder::new(NONCE);
    let play = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x61))
        .says("@pt2 x")
        .sentinel(3);
    for line in &play.lines {
        recorder.line(line);
    }
    let mut seen = Observation {
        console: play.lines.join("\n").into_bytes(),
        iommus: Some(runners::Iommus {
            trace: runners::Trace {
                lost: Some("it breaks off".to_owned()),
                ..runners::Trace::default()
            },
            queues: Vec::new(),
        }),
        ..recorder.seen
    };
    if let Some(spoke) = seen.domains.get_mut(&1) {
        spoke.tree = base.emit().unwrap();
    }
    let folder = tempfile::TempDir::new().unwrap();
    let folder = folder.path().join("deep").join(scenario.folder());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("old.dts"), "old").unwrap();
    let request = crate::run_request::request(&scenario, &profile, Path::new("image"), &made);
    write(&folder, &scenario, &made, Some(&request), &seen).unwrap();
    super::write_said(&folder, Some("> what?\n")).unwrap();
    assert!(folder.join("adapter.txt").is_file());

    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text(CONSOLE).into_bytes(), seen.console);
    let told = text("seen.txt");
    for part in [
        "end: Deadline",
        "gap: damaged line",
        "dA [0] r32 0x10: val 0x61",
        "dA: no end",
        "dB: nothing",
        "sentinel: end",
        "IOMMU: it breaks off",
    ] {
        assert!(told.contains(part), "wanted {part} in\n{told}");
    }
    let parsed: serde_json::Value = serde_json::from_str(&text("scenario.json")).unwrap();
    assert_eq!(parsed["id"], scenario.id);
    assert!(text("run.sh").contains("image"));
    assert_eq!(fs::read(folder.join("host.dtb")).unwrap(), made.host);
    let names: Vec<String> = trees(&folder).into_iter().map(|tree| tree.name).collect();
    assert_eq!(
        names,
        ["child-dC.dts", "guest-dA.dts", "host.dts", "partial-dA.dts"]
    );
    assert!(trees(&folder.join("nowhere")).is_empty());
    assert_eq!(
        iommu_events(&folder),
        seen.iommus.as_ref().map(iommu::merge_sources)
    );
    assert_eq!(iommu_events(&folder.join("nowhere")), None);
}
