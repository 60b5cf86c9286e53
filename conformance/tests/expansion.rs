//! Pins what every scenario of the suite expands to on `virt`: operations, expectations, actions outside, device trees,
//! modules and command lines. A case can be said in other words without a change here; a change here is a change of
//! what the suite does. `INSTA_UPDATE=always cargo test -p conformance --test expansion` accepts one.
//!
//! `EXPANSIONS=FILE` writes all of it as JSON, to see what differs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conformance::case::load::load;
use conformance::dtb::{BuildContext, blobs};
use conformance::run_request::request;
use conformance::scenario::{Scenario, generate};
use dtb_gen::Tree;
use model::Arch;
use runners::Profile;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns what is decided about a scenario before it runs, without the words in which its case says it.
fn expansion(scenario: &Scenario, profile: &Profile, base: &Tree) -> Value {
    let mut value = serde_json::to_value(scenario).unwrap();
    let map = value.as_object_mut().unwrap();
    for words in ["place", "note", "title", "machine", "board"] {
        map.remove(words);
    }
    for step in map["outside"].as_array_mut().unwrap() {
        for act in step["acts"].as_array_mut().unwrap() {
            act.as_object_mut().unwrap().remove("text");
        }
    }
    for rule in map["iommu_events"].as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("text");
    }
    let probe: Arc<[u8]> = vec![0; 0x1234].into();
    let arguments = scenario.arguments.join(" ");
    let context = BuildContext {
        base,
        probe: &probe,
        hypervisor_args: &arguments,
        nonce: 0x0bad_cafe,
        modules: profile.modules,
        guest: &profile.guest,
        host: scenario.board.host_layout(),
    };
    let made = blobs(scenario, &context).unwrap_or_else(|why| panic!("{}: {why}", scenario.id));
    let mut request = request(scenario, profile, Path::new("hypervisor.img"), &made);
    let modules: BTreeMap<&str, String> = made
        .modules
        .iter()
        .map(|(name, at, bytes)| (name.as_str(), format!("{at:#x} {}", digest(bytes))))
        .collect();
    let files: Vec<String> = request
        .files
        .iter()
        .map(|file| format!("{} {} {}", file.name, file.size, digest(&file.bytes)))
        .collect();
    map.insert(
        "blobs".to_owned(),
        json!({"host": digest(&made.host), "modules": modules, "files": files}),
    );
    (request.host_dtb, request.loads, request.files) = (None, Vec::new(), Vec::new());
    map.insert("request".to_owned(), json!(format!("{request:?}")));
    value
}

/// What the scenarios expand to is what it was.
#[test]
fn scenarios_expand_as_before() {
    let profile = Profile::shipped("reference", Arch::default()).unwrap();
    let tree = std::fs::read(here().join("tests/fixtures/virt.dtb")).unwrap();
    let base = Tree::read(&tree).unwrap();
    let loaded = load(&here().join("../requirements")).unwrap();
    let all = generate::scenarios(&loaded, &profile).unwrap();
    let all: BTreeMap<&str, Value> = all
        .iter()
        .map(|one| (one.id.as_str(), expansion(one, &profile, &base)))
        .collect();
    if let Some(file) = std::env::var_os("EXPANSIONS") {
        std::fs::write(file, serde_json::to_string_pretty(&all).unwrap()).unwrap();
    }
    let lines = all
        .iter()
        .map(|(id, value)| format!("{} {id}", digest(value.to_string().as_bytes())));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}
