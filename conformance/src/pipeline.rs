//! The way of the data in one place: scenario, blobs, request, observation, verdict, row.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use dtb_gen::Tree;
use runners::{Machine, Profile};
use sha2::{Digest, Sha256};

use crate::dtb::{self, Blobs, Ground};
use crate::evidence;
use crate::ledger::Row;
use crate::observe::{End, Seen};
use crate::rig::{self, Conductor};
use crate::scenario::Scenario;
use crate::verdict::{self, Judgement, Verdict};

mod twin;

/// What executes the guests' instructions: nothing but QEMU's translator is used so far.
pub const ACCELERATOR: &str = "tcg";

/// A subject on its machine, ready to run scenarios.
pub struct Rig {
    profile: Profile,
    image: PathBuf,
    probe: Arc<[u8]>,
    seed: u64,
    /// Added to the hypervisor's arguments.
    arguments: Option<String>,
    digests: BTreeMap<String, String>,
    bases: Mutex<HashMap<Machine, Arc<Tree>>>,
    /// Twins that were judged already, by what they are made of.
    twins: twin::Twins,
}

/// One run with its verdict.
#[derive(Debug)]
pub struct Ran {
    /// The verdict.
    pub judgement: Judgement,
    /// What was seen.
    pub seen: Seen,
    /// SHA-256 of what went in.
    pub digests: BTreeMap<String, String>,
    /// Wall time.
    pub took: Duration,
}

impl Rig {
    /// Takes up a subject: its image and the probe are read once.
    pub fn new(profile: Profile, image: &Path, probe: &Path, seed: u64) -> Result<Self> {
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| format!("{}: no image there", path.display()))
        };
        let hypervisor = read(image)?;
        let probe: Arc<[u8]> = read(probe)?.into();
        let digests = BTreeMap::from([
            ("image".to_owned(), hex(&hypervisor)),
            ("probe".to_owned(), hex(&probe)),
        ]);
        let bases = Mutex::new(HashMap::new());
        Ok(Self {
            profile,
            image: image.to_path_buf(),
            probe,
            seed,
            arguments: None,
            digests,
            bases,
            twins: twin::Twins::default(),
        })
    }

    /// Gives the hypervisor one more argument.
    #[must_use]
    pub fn with_argument(mut self, argument: &str) -> Self {
        self.arguments = Some(argument.to_owned());
        self
    }

    /// The subject's profile.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// SHA-256 of the subject's image.
    pub fn digest(&self) -> &str {
        self.digests.get("image").map_or("", String::as_str)
    }

    /// Seed of the run.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Number that the frames of a scenario carry: the same for the same seed, another for every scenario.
    pub fn nonce(&self, scenario: &Scenario) -> u32 {
        let digest = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(&scenario.id)
            .finalize();
        digest
            .iter()
            .take(4)
            .fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    /// Runs one scenario and judges it; with `folder`, everything about it is kept there.
    pub fn run(&self, scenario: &Scenario, folder: Option<&Path>) -> Result<Ran> {
        let began = Instant::now();
        let (blobs, request) = self.prepare(scenario)?;
        let seen = self.observe(scenario, &request);
        let judgement = self.judge(scenario, &seen, &blobs.partials)?;
        let took = began.elapsed();
        if let Some(folder) = folder {
            evidence::write(folder, scenario, &blobs, &request, &self.image, &seen)
                .with_context(|| format!("evidence of {}", scenario.id))?;
        }
        let mut digests = self.digests.clone();
        digests.insert("host-tree".to_owned(), hex(&blobs.host));
        for (name, _, bytes) in blobs.modules.iter().filter(|(name, ..)| name != "probe") {
            digests.insert(name.clone(), hex(bytes));
        }
        Ok(Ran {
            judgement,
            seen,
            digests,
            took,
        })
    }

    /// Runs one scenario in a part of the usual time and judges it by itself, without twins: what it shows it shows, and
    /// nobody is blamed.
    pub fn alone(&self, scenario: &Scenario, part: u32) -> Result<(Judgement, Seen)> {
        let (blobs, mut request) = self.prepare(scenario)?;
        request.deadline /= part.max(1);
        let seen = self.observe(scenario, &request);
        let claims = verdict::Claims::of(&self.profile);
        let judgement = verdict::judge(scenario, &seen, &blobs.partials, claims);
        Ok((judgement, seen))
    }

    /// Judges the subject by other capabilities than its profile has.
    pub fn with_capabilities(&mut self, capabilities: runners::Capabilities) {
        self.profile.capabilities = capabilities;
    }

    /// Says why the subject is not judged by a scenario: it does not claim what that needs or asks for.
    pub fn unclaimed(&self, scenario: &Scenario) -> Option<String> {
        let profile = &self.profile;
        let missing = profile.capabilities.missing(&scenario.needs);
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
            return Some(format!(
                "`{}` does not claim {}",
                profile.name,
                names.join(", ")
            ));
        }
        (scenario.level > profile.level).then(|| {
            format!(
                "`{}` does not claim level {}: the requirement does not ask for it",
                profile.name, scenario.level
            )
        })
    }

    /// Says what one run would look like, without running it.
    pub fn prepare(&self, scenario: &Scenario) -> Result<(Blobs, runners::Request)> {
        let base = self.base(&rig::machine(&self.profile, &scenario.machine))?;
        if scenario.pci.is_some() {
            let host = self.profile.host.as_ref().and_then(|host| host.pci);
            dtb::host_bridge::check(&base, host).map_err(|why| anyhow!("{why}"))?;
        }
        let own = [Some(&self.profile.boot_args), self.arguments.as_ref()];
        let arguments: Vec<&str> = own
            .into_iter()
            .flatten()
            .chain(&scenario.arguments)
            .map(String::as_str)
            .filter(|argument| !argument.is_empty())
            .collect();
        let arguments = arguments.join(" ");
        let ground = Ground {
            base: &base,
            probe: &self.probe,
            hypervisor_args: &arguments,
            nonce: self.nonce(scenario),
            modules: self.profile.modules,
            guest: &self.profile.guest,
        };
        let blobs =
            dtb::blobs(scenario, &ground).map_err(|why| anyhow!("{}: {why}", scenario.id))?;
        let mut request = rig::request(scenario, &self.profile, &self.image, &blobs);
        request.smmus = rig::smmus(&base);
        Ok((blobs, request))
    }

    fn observe(&self, scenario: &Scenario, request: &runners::Request) -> Seen {
        let nonce = self.nonce(scenario);
        let mut conductor = Conductor::new(scenario, nonce).knowing(&self.profile);
        match runners::run(request, &mut conductor) {
            Ok(outcome) => conductor.close(outcome),
            Err(error) => Seen {
                end: End::Failed(error.to_string()),
                ..Seen::default()
            },
        }
    }

    /// The machine's own tree, asked for once a kind of machine.
    fn base(&self, machine: &Machine) -> Result<Arc<Tree>> {
        // A poisoned lock holds a map that is whole all the same: entries go in complete.
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = bases.get(machine) {
            return Ok(base.clone());
        }
        let blob = runners::dump_tree(machine).context("the machine's own device tree")?;
        let base = Arc::new(Tree::read(&blob).context("the machine's own device tree")?);
        bases.insert(machine.clone(), base.clone());
        Ok(base)
    }
}

/// Runs scenarios on `jobs` threads and calls `row` for each as it is done, in no fixed order; the rows returned are in
/// the order of the scenarios.
pub fn run_all(
    rig: &Rig,
    scenarios: &[Scenario],
    jobs: usize,
    out: Option<&Path>,
    row: &(dyn Fn(&Row, Duration) + Sync),
) -> Result<Vec<(Row, Duration)>> {
    in_parallel(scenarios, jobs, |scenario| {
        let made = one(rig, scenario, out)?;
        row(&made.0, made.1);
        Ok(made)
    })
    .into_iter()
    .collect()
}

/// Does `work` on every item on `jobs` threads; what comes of it is in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, R>> = Mutex::default();
    std::thread::scope(|threads| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            threads.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else {
                        break;
                    };
                    let made = work(item);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(place, made);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}

fn one(rig: &Rig, scenario: &Scenario, out: Option<&Path>) -> Result<(Row, Duration)> {
    if let Some(reason) = rig.unclaimed(scenario) {
        let judgement = Judgement {
            verdict: Verdict::Skip,
            reason,
            checks: Vec::new(),
        };
        return Ok((
            row(rig, scenario, judgement, rig.digests.clone(), None),
            Duration::ZERO,
        ));
    }
    let folder = scenario.folder();
    let ran = rig.run(scenario, out.map(|out| out.join(&folder)).as_deref())?;
    let evidence = out.map(|_| folder);
    Ok((
        row(rig, scenario, ran.judgement, ran.digests, evidence),
        ran.took,
    ))
}

fn row(
    rig: &Rig,
    scenario: &Scenario,
    judgement: Judgement,
    digests: BTreeMap<String, String>,
    evidence: Option<String>,
) -> Row {
    Row {
        scenario: scenario.id.clone(),
        case: scenario.case.to_string(),
        title: scenario.title.clone(),
        covers: scenario.covers.iter().map(ToString::to_string).collect(),
        arch: scenario.arch.name().to_owned(),
        class: scenario.class,
        level: scenario.level,
        verdict: judgement.verdict,
        reason: judgement.reason,
        checks: judgement.checks,
        seed: format!("{:08x}", rig.nonce(scenario)),
        digests,
        accelerator: ACCELERATOR.to_owned(),
        evidence,
    }
}

/// SHA-256 in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
