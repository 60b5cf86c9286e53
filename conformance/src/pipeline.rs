//! The data flow in one place: scenario, blobs, request, observation, verdict, row.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use dtb_gen::Tree;
use model::{Capability, Row, Verdict};
use runners::{Machine, Profile};
use sha2::{Digest, Sha256};

use crate::adapter_run::AdapterRun;
use crate::dtb::{self, Blobs, BuildContext, neutral};
use crate::evidence;
use crate::library::{self, Library};
use crate::observe::{End, Observation};
use crate::run_request::{self, RunObserver};
use crate::scenario::{Scenario, generate};
use crate::verdict::{self, Outcome};

mod attribution;

/// What executes the guests' instructions. So far only QEMU's translator is used.
pub const ACCELERATOR: &str = "tcg";

/// A subject on its machine, ready to run scenarios.
pub struct Harness {
    profile: Profile,
    /// Path of the hypervisor's image; a subject with an adapter may not have one.
    image: PathBuf,
    adapter: Option<AdapterRun>,
    probe: Arc<[u8]>,
    seed: u64,
    /// Added to the hypervisor's arguments.
    arguments: Option<String>,
    digests: BTreeMap<String, String>,
    bases: Mutex<HashMap<Machine, Arc<Tree>>>,
    library: Library,
    board: &'static library::Machine,
    /// Control runs that were judged already, by their content.
    control_runs: attribution::ControlRuns,
}

/// One run with its verdict.
#[derive(Debug)]
pub struct Ran {
    /// The verdict.
    pub outcome: Outcome,
    /// The observation.
    pub seen: Observation,
    /// SHA-256 of each input.
    pub digests: BTreeMap<String, String>,
    /// Wall time.
    pub took: Duration,
    /// Whether its evidence is in the folder that was asked for.
    pub kept: bool,
}

/// One run without its verdict.
struct Attempt {
    blobs: Blobs,
    /// The request; none if an adapter failed before there was one.
    request: Option<runners::Request>,
    /// The image that was started, if an adapter named it.
    image: Option<Vec<u8>>,
    /// The dialogue with the adapter, if there is one.
    said: Option<String>,
    seen: Observation,
}

impl Harness {
    /// Loads a subject: its image and the probe are read once. The adapter of a subject receives `image` if it exists,
    /// and names itself what QEMU starts.
    pub fn new(
        mut profile: Profile,
        library: Library,
        image: &Path,
        probe: &Path,
        seed: u64,
    ) -> Result<Self> {
        let board = generate::machine(&library, &profile).map_err(|why| anyhow!(why))?;
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| format!("{}: no image there", path.display()))
        };
        let probe: Arc<[u8]> = read(probe)?.into();
        let adapter = AdapterRun::start(&mut profile, image.is_file().then_some(image));
        let hypervisor = match &adapter {
            Some(adapter) => adapter.identity(),
            None => Some(read(image)?),
        };
        let mut digests = BTreeMap::from([("probe".to_owned(), hex(&probe))]);
        digests.extend(hypervisor.map(|bytes| ("image".to_owned(), hex(&bytes))));
        let bases = Mutex::new(HashMap::new());
        Ok(Self {
            profile,
            image: image.to_path_buf(),
            adapter,
            probe,
            seed,
            arguments: None,
            digests,
            bases,
            library,
            board,
            control_runs: attribution::ControlRuns::default(),
        })
    }

    /// Adds an argument to the hypervisor's.
    #[must_use]
    pub fn with_argument(mut self, argument: &str) -> Self {
        self.arguments = Some(argument.to_owned());
        self
    }

    /// Returns the capabilities that the subject's adapter claims beyond its profile.
    pub fn beyond_profile(&self) -> Vec<Capability> {
        let adapter = self.adapter.as_ref();
        adapter.map_or_else(Vec::new, |adapter| adapter.beyond(&self.profile))
    }

    /// Returns the subject's profile.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the library of machines and devices.
    pub const fn library(&self) -> &Library {
        &self.library
    }

    /// Returns the subject's machine, as the library describes it.
    pub const fn board(&self) -> &'static library::Machine {
        self.board
    }

    /// Returns the SHA-256 of the subject's image; empty if its adapter names none.
    pub fn digest(&self) -> &str {
        self.digests.get("image").map_or("", String::as_str)
    }

    /// Returns the seed of the run.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the nonce of a scenario's frames: it follows from the seed and the scenario's id.
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

    /// Runs one scenario and judges it. With `folder`, all its evidence is kept there.
    pub fn run(&self, scenario: &Scenario, folder: Option<&Path>) -> Result<Ran> {
        let began = Instant::now();
        if let Some(why) = self.unusable(scenario) {
            return Ok(self.broken(why, began));
        }
        let Attempt {
            blobs,
            request,
            image,
            said,
            seen,
        } = self.attempt(scenario)?;
        let outcome = self.judge(scenario, &seen, &blobs.partials)?;
        let took = began.elapsed();
        if let Some(folder) = folder {
            evidence::write(folder, scenario, &blobs, request.as_ref(), &seen)
                .and_then(|()| evidence::write_said(folder, said.as_deref()))
                .with_context(|| format!("evidence of {}", scenario.id))?;
        }
        let digests = self.digests_of(&blobs, request.as_ref(), image.as_deref());
        Ok(Ran {
            outcome,
            seen,
            digests,
            took,
            kept: folder.is_some(),
        })
    }

    /// Returns the digests of a run's inputs; with an adapter, of what the adapter made of them.
    fn digests_of(
        &self,
        blobs: &Blobs,
        request: Option<&runners::Request>,
        image: Option<&[u8]>,
    ) -> BTreeMap<String, String> {
        let mut digests = self.digests.clone();
        if self.adapter.is_none() {
            digests.insert("host-tree".to_owned(), hex(&blobs.host));
            for (name, _, bytes) in blobs.modules.iter().filter(|(name, ..)| name != "probe") {
                digests.insert(name.clone(), hex(bytes));
            }
            return digests;
        }
        digests.remove("image");
        digests.extend(image.map(|bytes| ("image".to_owned(), hex(bytes))));
        if let Some(request) = request {
            let tree = request.host_dtb.as_deref();
            digests.extend(tree.map(|bytes| ("host-tree".to_owned(), hex(bytes))));
            for load in &request.loads {
                digests.insert(format!("load-{:x}", load.addr), hex(&load.bytes));
            }
            for file in &request.files {
                digests.insert(file.name.clone(), hex(&file.bytes));
            }
        }
        digests
    }

    /// Says why a scenario cannot be run at all.
    fn unusable(&self, scenario: &Scenario) -> Option<String> {
        self.adapter.as_ref()?.unusable(scenario)
    }

    fn broken(&self, reason: String, began: Instant) -> Ran {
        let seen = Observation {
            end: End::Failed(reason.clone()),
            ..Observation::default()
        };
        Ran {
            outcome: Outcome {
                verdict: Verdict::Broken,
                reason,
                checks: Vec::new(),
            },
            seen,
            digests: self.digests.clone(),
            took: began.elapsed(),
            kept: false,
        }
    }

    /// Runs one scenario once.
    fn attempt(&self, scenario: &Scenario) -> Result<Attempt> {
        let (blobs, request) = self.prepare(scenario)?;
        let Some(adapter) = &self.adapter else {
            let seen = self.observe(scenario, &request);
            return Ok(Attempt {
                blobs,
                request: Some(request),
                image: None,
                said: None,
                seen,
            });
        };
        let base = self.base(&run_request::machine(&self.profile, scenario))?;
        let arguments = runners::machine_arguments(&request);
        let hypervisor = self.arguments_for(scenario);
        let context = self.build_context(&base, scenario, &hypervisor);
        let told = neutral::tell(scenario, &context, &self.profile, &blobs, arguments)
            .map_err(|why| anyhow!("{}: {why}", scenario.id))?;
        let ran = adapter.run(told, request, |request| self.observe(scenario, request))?;
        Ok(Attempt {
            blobs,
            request: ran.request,
            image: ran.image,
            said: ran.said,
            seen: ran.seen,
        })
    }

    /// Runs one scenario with a fraction of the usual time and judges it by itself, without control runs: the caller
    /// wants to know only what it showed, not whose fault a failure is.
    pub fn alone(&self, scenario: &Scenario, part: u32) -> Result<(Outcome, Observation)> {
        let (blobs, mut request) = self.prepare(scenario)?;
        request.deadline /= part.max(1);
        let seen = self.observe(scenario, &request);
        let claims = verdict::Claims::of(&self.profile);
        let outcome = verdict::judge(scenario, &seen, &blobs.partials, claims);
        Ok((outcome, seen))
    }

    /// Replaces the capabilities of the profile by which the subject is judged.
    pub fn with_capabilities(&mut self, capabilities: model::Capabilities) {
        self.profile.capabilities = capabilities;
    }

    /// Says why the subject is not judged by a scenario: it does not claim a capability or the level that the scenario
    /// needs, or the machine cannot do what it needs.
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
        if !scenario.lacking.is_empty() {
            return Some(format!(
                "the machine `{}` has no {}",
                self.board.machine,
                scenario.lacking.join(", ")
            ));
        }
        (scenario.level > profile.level).then(|| {
            format!(
                "`{}` does not claim level {}: the requirement does not ask for it",
                profile.name, scenario.level
            )
        })
    }

    /// Builds the blobs and the request of a run, without running it.
    pub fn prepare(&self, scenario: &Scenario) -> Result<(Blobs, runners::Request)> {
        let base = self.base(&run_request::machine(&self.profile, scenario))?;
        if scenario.pci.is_some() {
            dtb::host_bridge::check(&base, self.board.pci).map_err(|why| anyhow!("{why}"))?;
        }
        let arguments = self.arguments_for(scenario);
        let context = self.build_context(&base, scenario, &arguments);
        let blobs =
            dtb::blobs(scenario, &context).map_err(|why| anyhow!("{}: {why}", scenario.id))?;
        let mut request = run_request::request(scenario, &self.profile, &self.image, &blobs);
        request.iommus = run_request::iommus(&base);
        Ok((blobs, request))
    }

    /// Returns the hypervisor's arguments: those of the profile, the user's, and the scenario's.
    fn arguments_for(&self, scenario: &Scenario) -> String {
        let own = [Some(&self.profile.boot_args), self.arguments.as_ref()];
        let all: Vec<&str> = own
            .into_iter()
            .flatten()
            .chain(&scenario.arguments)
            .map(String::as_str)
            .filter(|argument| !argument.is_empty())
            .collect();
        all.join(" ")
    }

    fn build_context<'g>(
        &'g self,
        base: &'g Tree,
        scenario: &Scenario,
        hypervisor_args: &'g str,
    ) -> BuildContext<'g> {
        BuildContext {
            base,
            probe: &self.probe,
            hypervisor_args,
            nonce: self.nonce(scenario),
            modules: self.profile.modules,
            guest: &self.profile.guest,
            host: self.board.host_layout(),
        }
    }

    fn observe(&self, scenario: &Scenario, request: &runners::Request) -> Observation {
        let nonce = self.nonce(scenario);
        let mut observer = RunObserver::new(scenario, nonce).knowing(&self.profile);
        match runners::run(request, &mut observer) {
            Ok(outcome) => observer.close(outcome),
            Err(error) => Observation {
                end: End::Failed(error.to_string()),
                ..Observation::default()
            },
        }
    }

    /// Returns the machine's own tree; QEMU is asked for it once for each kind of machine.
    fn base(&self, machine: &Machine) -> Result<Arc<Tree>> {
        // A poisoned lock still holds a consistent map: entries are inserted whole.
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

/// Runs scenarios on `jobs` threads and calls `row` for each as it finishes, in no fixed order. The returned rows are
/// in the order of the scenarios.
pub fn run_all(
    harness: &Harness,
    scenarios: &[Scenario],
    jobs: usize,
    out: Option<&Path>,
    row: &(dyn Fn(&Row, Duration) + Sync),
) -> Result<Vec<(Row, Duration)>> {
    in_parallel(scenarios, jobs, |scenario| {
        let made = one(harness, scenario, out)?;
        row(&made.0, made.1);
        Ok(made)
    })
    .into_iter()
    .collect()
}

/// Applies `work` to every item on `jobs` threads; the results are in the order of the items.
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

fn one(harness: &Harness, scenario: &Scenario, out: Option<&Path>) -> Result<(Row, Duration)> {
    if let Some(reason) = harness.unclaimed(scenario) {
        let outcome = Outcome {
            verdict: Verdict::Skip,
            reason,
            checks: Vec::new(),
        };
        return Ok((
            row(harness, scenario, outcome, harness.digests.clone(), None),
            Duration::ZERO,
        ));
    }
    let folder = scenario.folder();
    let ran = harness.run(scenario, out.map(|out| out.join(&folder)).as_deref())?;
    let evidence = ran.kept.then_some(folder);
    Ok((
        row(harness, scenario, ran.outcome, ran.digests, evidence),
        ran.took,
    ))
}

fn row(
    harness: &Harness,
    scenario: &Scenario,
    outcome: Outcome,
    digests: BTreeMap<String, String>,
    evidence: Option<String>,
) -> Row {
    Row {
        scenario: scenario.id.clone(),
        case: scenario.case.to_string(),
        title: scenario.title.clone(),
        covers: scenario.covers.iter().map(ToString::to_string).collect(),
        clause: scenario.clause.clone(),
        place: scenario.place.clone(),
        arch: scenario.arch,
        class: scenario.class,
        level: scenario.level,
        steps: scenario.steps(),
        verdict: outcome.verdict,
        reason: outcome.reason,
        checks: outcome.checks,
        seed: format!("{:08x}", harness.nonce(scenario)),
        digests,
        accelerator: ACCELERATOR.to_owned(),
        evidence,
    }
}

/// Returns the SHA-256 in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
