use std::path::Path;

use model::{Arch, Capability};

use crate::Profile;

/// The reference hypervisor is versioned with the suite.
#[test]
fn the_reference_has_the_version_of_the_suite() {
    let profile = Profile::shipped("reference", Arch::Aarch64).expect("shipped");
    assert_eq!(profile.version, env!("CARGO_PKG_VERSION"));
}

/// The error for an unknown subject lists the known ones.
#[test]
fn unknown_subjects_are_told_the_known() {
    let say = |name, arch| {
        Profile::shipped(name, arch)
            .expect_err("unknown")
            .to_string()
    };
    assert_eq!(
        say("referense", Arch::Aarch64),
        "no profile `referense` for aarch64, did you mean `reference`?; there are reference (aarch64), reference-by-adapter (aarch64), xen-4.17 (aarch64), xen-4.20 (aarch64)"
    );
    assert_eq!(
        say("reference", Arch::Amd64),
        "no profile `reference` for amd64; there are reference (aarch64), reference-by-adapter (aarch64), xen-4.17 (aarch64), xen-4.20 (aarch64)"
    );
    let error = Profile::load(Path::new("/nowhere/p.toml"))
        .expect_err("no file")
        .to_string();
    assert!(error.starts_with("/nowhere/p.toml: "), "{error}");
}

/// The reference profile behind an adapter differs from the plain one only in its name, its adapter, and the
/// capabilities that need a device tree or the suite's own command line.
#[test]
fn the_adapted_reference_is_the_reference() {
    let shipped = |name| Profile::shipped(name, Arch::Aarch64).expect("shipped");
    let (reference, adapted) = (shipped("reference"), shipped("reference-by-adapter"));
    let all = reference.capabilities.iter();
    let ours = [Capability::Dom0lessTrees, Capability::Firmware];
    let wanted = Profile {
        name: adapted.name.clone(),
        adapter: adapted.adapter.clone(),
        capabilities: all.filter(|one| !ours.contains(one)).collect(),
        firmware: None,
        ..reference
    };
    assert_eq!(adapted, wanted);
}

/// A profile of an architecture that cannot be run yet is refused at its line.
#[test]
fn profiles_of_what_cannot_run_are_refused() {
    let (file, text) = super::PROFILES[0];
    let other = text.replace("\"aarch64\"", "\"amd64\"");
    let error = Profile::parse(&other, file).expect_err("amd64");
    assert_eq!(
        error.to_string(),
        "reference-aarch64.toml:4: amd64: not available yet"
    );
}
