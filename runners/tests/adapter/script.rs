//! Adapters as shell scripts, and a scenario to ask them about.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use model::Arch;
use runners::Profile;
use runners::adapter::protocol::{Dom0less, Machine, Scenario};
use runners::adapter::{Adapter, AdapterError, Adapters, Stage};

/// Longer than any answer takes on a busy machine. Only scripts that never answer wait for less.
pub const PATIENCE: u64 = 60_000;

/// Speaks like an adapter: `says ID RESPONSE`, `hears` and the three answers in their usual order.
const PRELUDE: &str = r#"
says() { printf '{"version":1,"id":%s,"response":%s}\n' "$1" "$2"; }
hears() { IFS= read -r heard; }
me() { hears; says 1 '{"description":{"name":"demo","version":"7","capabilities":["smmu"]}}'; }
ready() { hears; says "$1" '{"prepared":{}}'; }
done_() { hears; says "$1" '{"done":{}}'; }
"#;

/// An adapter that runs `text`; processes of it carry `mark`, the script's name.
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
    Adapters::new(adapter, Arch::Aarch64, None)
}

pub fn prepare(adapters: &Adapters) -> Result<Stage, AdapterError> {
    adapters.prepare(scenario(), &[], &[])
}

/// The smallest scenario.
pub fn scenario() -> Scenario {
    let profile = Profile::shipped("reference", Arch::Aarch64).expect("shipped");
    Scenario {
        id: "demo.one".to_owned(),
        arch: Arch::Aarch64,
        kernel: "kernel.img".to_owned(),
        hypervisor_arguments: String::new(),
        machine: Machine {
            arguments: vec!["-M".to_owned(), "virt".to_owned()],
            memory_mib: 512,
            cpus: 1,
            tree: "machine.dtb".to_owned(),
            modules: profile.modules,
            guest: profile.guest,
            host: profile.host,
            ipa_bits: 40,
        },
        domains: Vec::new(),
        dom0less: Dom0less {
            tree: "dom0less.dtb".to_owned(),
            modules: Vec::new(),
        },
    }
}

pub fn unique(name: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a clock");
    format!("{name}-{}-{}", std::process::id(), now.as_nanos())
}

/// Returns the processes whose command line has `mark` as an argument. Zombies have no command line.
pub fn alive(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("procfs").flatten() {
        // A process may end between the listing and the reading.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line
            .split(|byte| *byte == 0)
            .any(|arg| arg == mark.as_bytes())
        {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Looks until no process with `mark` is left. The kernel ends it on its own time, so the look is repeated; one that
/// stays is found at the bound.
#[track_caller]
pub fn assert_none_stays(mark: &str, what: &str) {
    let began = Instant::now();
    loop {
        let left = alive(mark);
        if left.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{what}: still alive: {left:?}"
        );
        std::thread::yield_now();
    }
}
