//! Operations at run time through an adapter.

use libtest_mimic::Trial;
use runners::File;
use runners::adapter::protocol::{
    Assigned, Destroy, Domain, FileRef, Operation, OperationKind, PciFunction, Placed, Role,
    Transfer,
};
use runners::adapter::{AdapterError, Stage};

use crate::script::{adapter, prepare, start};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("operations::what_is_claimed_is_carried_out", claimed),
        trial(
            "operations::what_is_not_claimed_is_not_asked_for",
            unclaimed,
        ),
        trial("operations::answers_are_to_what_was_asked", answers),
    ]
}

/// An adapter that can create and destroy domains and has prepared a scenario in `$folder`.
const ABLE: &str = r#"
hears; says 1 '{"description":{"name":"demo","version":"7","capabilities":[],"operations":["create","destroy"]}}'
hears; folder=$(printf %s "$heard" | sed 's/.*"folder":"\([^"]*\)".*/\1/'); says 2 '{"prepared":{}}'
hears
"#;

fn destroy() -> Operation {
    Operation::Destroy(Destroy {
        domain: "dB".to_owned(),
    })
}

/// A domain without devices whose tree is a file of its own.
fn domain(tree: &File) -> Domain {
    Domain {
        name: "dB".to_owned(),
        number: 2,
        role: Role::Guest,
        memory_kib: 2048,
        memory: Vec::new(),
        direct_map: false,
        cpus: 1,
        console: true,
        interrupt_lines: None,
        arguments: String::new(),
        ramdisk: None,
        tree: Placed {
            file: FileRef::of(&tree.name, &tree.bytes),
            address: 0x4000_0000,
        },
        devices: Vec::new(),
        pci: Vec::new(),
    }
}

fn claimed() {
    // `sha256sum` makes the digest, so that both sides agree on it.
    let text = format!(
        r#"{ABLE}
        case $heard in *'"operate":{{"scenario":"demo.one","operation":{{"create":{{"name":"dB"'*) ;; *) exit 8;; esac
        sum=$(sha256sum "$folder/dB.dtb"); case $heard in *"${{sum%% *}}"*) ;; *) exit 9;; esac
        says 3 '{{"operated":{{}}}}'; hears; says 4 '{{"operated":{{"refused":"busy"}}}}'; done_ 5; hears"#
    );
    let adapters = start(&adapter(&text)).expect("described");
    let claims = &adapters.description().operations;
    assert!(
        claims
            .iter()
            .eq(&[OperationKind::Create, OperationKind::Destroy])
    );
    let stage = prepare(&adapters).expect("prepared");
    let tree = File::new("dB.dtb", *b"a tree");
    let create = Operation::Create(domain(&tree));
    let (stage, made) = stage.operate(create, &[tree]).expect("made");
    assert_eq!(made.refused, None);
    let (stage, ended) = stage.operate(destroy(), &[]).expect("an answer");
    assert_eq!(ended.refused.as_deref(), Some("busy"));
    let said = adapters.teardown(stage).expect("done");
    assert_eq!(said.lines().count(), 10, "{said}");
}

/// Asks a prepared adapter for an operation, which must fail, and returns the error.
#[track_caller]
fn failed(text: &str, operation: Operation) -> AdapterError {
    let adapters = start(&adapter(&format!("{ABLE}{text}"))).expect("described");
    let stage: Stage = prepare(&adapters).expect("prepared");
    stage.operate(operation, &[]).map(|_| ()).expect_err(text)
}

fn unclaimed() {
    let transfer = || Transfer {
        domain: "dA".to_owned(),
        what: Assigned::Pci(PciFunction {
            segment: 0,
            bus: 0,
            device: 3,
            function: 0,
        }),
    };
    for (operation, name) in [
        (Operation::Assign(transfer()), "assign"),
        (Operation::Deassign(transfer()), "deassign"),
    ] {
        let told = failed("echo asked >&2", operation).to_string();
        let wanted = format!("does not claim to `{name}` at run time; it said nothing");
        assert!(told.contains(&wanted), "{told}");
    }
}

fn answers() {
    for (text, part) in [
        (
            "says 3 '{\"done\":{}}'; hears",
            "answered `operate` with `done`",
        ),
        (
            "says 3 '{\"error\":{\"reason\":\"no agent\"}}'; hears",
            "cannot `operate`: no agent",
        ),
        (
            "says 3 '{\"operated\":{\"verdict\":\"pass\"}}'; hears",
            "unknown field `verdict`",
        ),
        ("exit 5", "instead of answering `operate` (exit code 5)"),
    ] {
        let told = failed(text, destroy()).to_string();
        assert!(told.contains(part), "{text}: {told}");
    }
}
