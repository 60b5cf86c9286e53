//! Adapters as shell scripts, and a scenario for them.

use std::path::PathBuf;

use runners::adapter::protocol::{Dom0less, FileRef, Machine, Scenario};
use runners::adapter::{Adapter, AdapterError, Adapters, Stage};

use crate::trials::reference;

/// Longer than any answer takes on a busy machine. Only tests of scripts that never answer wait less.
pub const PATIENCE: u64 = 60_000;

/// Shell functions of an adapter: `says ID RESPONSE`, `hears`, and the three answers in their usual order.
const PRELUDE: &str = r#"
says() { printf '{"version":2,"id":%s,"response":%s}\n' "$1" "$2"; }
hears() { IFS= read -r heard; }
me() { hears; says 1 '{"description":{"name":"demo","version":"7","capabilities":["iommu"]}}'; }
ready() { hears; says "$1" '{"prepared":{}}'; }
done_() { hears; says "$1" '{"done":{}}'; }
"#;

/// An adapter that runs `text`; its processes have `mark` on their command line, as the script's name.
pub fn marked(text: &str, mark: &str, deadline_ms: u64) -> Adapter {
    Adapter {
        command: ["sh", "-c", &format!("{PRELUDE}\n{text}"), mark]
            .map(str::to_owned)
            .to_vec(),
        deadline_ms,
        image: None,
        folder: PathBuf::from("/"),
    }
}

pub fn adapter(text: &str) -> Adapter {
    marked(text, "script", PATIENCE)
}

pub fn start(adapter: &Adapter) -> Result<Adapters, AdapterError> {
    Adapters::new(adapter, reference().arch, None)
}

pub fn prepare(adapters: &Adapters) -> Result<Stage, AdapterError> {
    adapters.prepare(scenario(), &[], &[])
}

/// The smallest scenario.
pub fn scenario() -> Scenario {
    let profile = reference();
    Scenario {
        id: "demo.one".to_owned(),
        arch: profile.arch,
        kernel: FileRef::of("kernel.img", b"kernel"),
        hypervisor_arguments: String::new(),
        machine: Machine {
            arguments: vec!["-M".to_owned(), "virt".to_owned()],
            memory_mib: 512,
            cpus: 1,
            tree: FileRef::of("machine.dtb", b"machine"),
            modules: profile.modules,
            guest: profile.guest,
            host: None,
            ipa_bits: 40,
        },
        domains: Vec::new(),
        dom0less: Dom0less {
            tree: FileRef::of("dom0less.dtb", b"dom0less"),
            modules: Vec::new(),
        },
    }
}
