//! `conformance`, `reproduce` and `bench`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use model::{Row, Verdict};
use runners::Day;
use text::visible;

use crate::cli::select::{self, choose, profile};
use crate::cli::{
    BenchArgs, CasesArgs, Choice, ReproduceArgs, RunArgs, on_terminal, refused, reports, say, suite,
};
use crate::library::Library;
use crate::pipeline::{Harness, run_all};
use crate::scenario::generate::scenarios;
use crate::{benchmark, capability_detection, groups, ledger_builder, pages, waiver};

/// Judges a subject.
pub fn conformance(args: &RunArgs, images: &Path) -> Result<u8> {
    let profile = profile(&args.choice)?;
    let loaded = suite(&args.choice.requirements, &profile)?;
    let chosen = choose(&args.choice, args.shard, &loaded, &profile)?;
    if args.list {
        for scenario in &chosen.scenarios {
            say(format_args!(
                "{}  [{}]  {}\n",
                scenario.id,
                scenario.class.name(),
                scenario.title
            ));
        }
        return Ok(0);
    }
    if chosen.scenarios.is_empty() && chosen.scope.is_empty() {
        bail!("nothing to run: no scenario has all that was asked for");
    }
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| default_out(images, &profile));
    fs::create_dir_all(&out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let all = scenarios(&loaded, &profile).map_err(|problems| refused(&problems))?;
    let mut waivers = profile.waivers.clone();
    if let Some(path) = &args.waivers {
        waivers.extend(waiver::read(path)?);
    }
    waiver::check(&waivers, &all)?;
    let optional = groups::optional(
        &args.choice.requirements,
        &loaded.catalog,
        &profile.optional,
    )?;
    let mut harness = harness(&args.choice, profile, &loaded.library, images, "refhv.img")?;
    for capability in harness.beyond_profile() {
        eprintln!(
            "note: the adapter claims `{capability}`, its profile does not: what needs it is skipped"
        );
    }
    let began = Instant::now();
    let (notices, mut problems) = look(&mut harness, &args.choice)?;
    let progress = Progress::new(chosen.scenarios.len());
    reports::remove_old(&out)?;
    let mut rows = run_all(
        &harness,
        &chosen.scenarios,
        jobs(&args.choice),
        Some(&out),
        &|row, took| progress.row(row, took),
    )?;
    progress.finish();
    let took = began.elapsed();
    let today = args.today.unwrap_or_else(Day::today);
    problems.extend(waiver::apply(&waivers, &all, &mut rows, today));
    let run = ledger_builder::Run {
        loaded: &loaded,
        harness: &harness,
        scope: &chosen.scope,
        optional: &optional,
        problems,
        notices,
        selection: selection(args, harness.profile()),
        took,
    };
    let ledger = ledger_builder::ledger(&run, rows);
    let path = out.join(reports::LEDGER);
    fs::write(&path, ledger.to_json()?)
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    let conformant = ledger.conformant;
    reports::write(ledger, &args.report, &out, &out)?;
    Ok(u8::from(!conformant))
}

/// Detects what a subject can do that was not built here; returns notices and problems. An image named on the command
/// line is judged by what it was seen to do.
fn look(harness: &mut Harness, choice: &Choice) -> Result<(Vec<String>, Vec<String>)> {
    if choice.image.is_none() && harness.profile().package.is_none() {
        return Ok(Default::default());
    }
    let found = capability_detection::probe(harness, jobs(choice), choice.image.is_none())?;
    let claimed = harness.profile().capabilities.clone();
    let name = harness.profile().name.clone();
    let mut notices: Vec<String> = Vec::new();
    notices.extend(
        found
            .interface
            .map(|interface| format!("`{name}` answers by {interface}")),
    );
    let judged = match choice.image {
        Some(_) => "it is judged by that too",
        None => "what needs that was skipped",
    };
    let richer = found.unclaimed(&claimed).into_iter();
    notices.extend(richer.map(|one| {
        format!("`{name}` was seen to have {one}, which its profile does not claim: {judged}")
    }));
    let poorer = found.unseen(&claimed).into_iter();
    let problems = poorer
        .map(|one| format!("`{name}` claims {one} and was not seen to have it"))
        .collect();
    if choice.image.is_some() {
        harness.with_capabilities(found.capabilities(&claimed));
    }
    Ok((notices, problems))
}

/// Returns the arguments that chose the scenarios, without paths that differ from machine to machine.
fn selection(args: &RunArgs, profile: &runners::Profile) -> Vec<String> {
    let choice = &args.choice;
    let mut words = vec![
        "--subject".to_owned(),
        choice.subject.clone(),
        "--arch".to_owned(),
        profile.arch.name().to_owned(),
    ];
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    choice
        .requirement
        .iter()
        .for_each(|id| add("--requirement", id));
    choice.case.iter().for_each(|id| add("--case", id));
    choice
        .class
        .iter()
        .for_each(|class| add("--class", class.name()));
    if let Some(machine) = &choice.machine {
        add("--machine", machine);
    }
    if let Some(level) = choice.level {
        add("--level", level.name());
    }
    if choice.seed != 0 {
        add("--seed", &choice.seed.to_string());
    }
    if let Some(shard) = args.shard {
        add("--shard", &shard.to_string());
    }
    words
}

/// Writes a page for each scenario.
pub fn cases(args: &CasesArgs, images: &Path) -> Result<u8> {
    let profile = profile(&args.choice)?;
    let loaded = suite(&args.choice.requirements, &profile)?;
    let chosen = choose(&args.choice, None, &loaded, &profile)?.scenarios;
    if let ([one], None) = (chosen.as_slice(), &args.out) {
        say(format_args!("{}", pages::page(one, &loaded.library)));
        return Ok(0);
    }
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| images.with_file_name("cases"));
    let write = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))
    };
    fs::create_dir_all(&out).with_context(|| format!("{}: cannot be made", out.display()))?;
    for scenario in &chosen {
        let page = pages::page(scenario, &loaded.library);
        write(&pages::file(scenario), page)?;
    }
    write("index.md", pages::index(&chosen))?;
    say(format_args!(
        "{} pages, from {}\n",
        chosen.len(),
        out.join("index.md").display()
    ));
    Ok(0)
}

/// Runs one scenario again and shows everything about it.
pub fn reproduce(args: &ReproduceArgs, images: &Path) -> Result<u8> {
    let profile = profile(&args.choice)?;
    let loaded = suite(&args.choice.requirements, &profile)?;
    let choice = Choice {
        case: vec![args.scenario.clone()],
        ..args.choice.clone()
    };
    let chosen = choose(&choice, None, &loaded, &profile)?;
    let [scenario] = chosen.scenarios.as_slice() else {
        let names: Vec<&str> = chosen
            .scenarios
            .iter()
            .map(|scenario| scenario.id.as_str())
            .collect();
        bail!(
            "`{}` is {} scenarios; name one:\n  {}",
            args.scenario,
            names.len(),
            names.join("\n  ")
        );
    };
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| default_out(images, &profile).with_file_name("reproduce"));
    let seeded = args
        .argument
        .as_ref()
        .is_some_and(|argument| argument.contains("fault="));
    let mut harness = harness(
        &args.choice,
        profile,
        &loaded.library,
        images,
        if seeded {
            "refhv-faults.img"
        } else {
            "refhv.img"
        },
    )?;
    if let Some(argument) = &args.argument {
        harness = harness.with_argument(argument);
    }
    let folder = out.join(scenario.folder());
    let ran = harness.run(scenario, Some(&folder))?;
    say(format_args!("{}\n{}\n\n", scenario.id, scenario.title));
    for check in &ran.outcome.checks {
        let mark = if check.ok { "ok  " } else { "FAIL" };
        say(format_args!(
            "{mark}  {}\n        wanted {}\n        saw    {}\n",
            check.what,
            check.wanted,
            visible(&check.seen)
        ));
    }
    say(format_args!(
        "\nconsole:\n{}\n",
        visible(&String::from_utf8_lossy(&ran.seen.console))
    ));
    say(format_args!(
        "{} {}\n",
        ran.outcome.verdict.name(),
        visible(&ran.outcome.reason)
    ));
    say(format_args!(
        "evidence {}  (run.sh there repeats the run by hand)\n",
        folder.display()
    ));
    Ok(u8::from(ran.outcome.verdict != Verdict::Pass))
}

/// Measures the suite.
pub fn bench(args: &BenchArgs, images: &Path) -> Result<u8> {
    let profile = profile(&args.choice)?;
    let loaded = suite(&args.choice.requirements, &profile)?;
    let chosen = choose(&args.choice, None, &loaded, &profile)?;
    if chosen.scenarios.is_empty() {
        bail!("nothing to measure: no scenario has all that was asked for");
    }
    let harness = harness(&args.choice, profile, &loaded.library, images, "refhv.img")?;
    let figures = benchmark::measure(
        &harness,
        &chosen.scenarios,
        args.rounds.get(),
        jobs(&args.choice),
    )?;
    say(format_args!("{figures}"));
    Ok(u8::from(!figures.within_bars()))
}

/// Loads the chosen subject: with the image that was named, the one of its package, or the one that is built here.
pub fn harness(
    choice: &Choice,
    profile: runners::Profile,
    library: &Library,
    images: &Path,
    image: &str,
) -> Result<Harness> {
    let library = library.clone();
    let folder = images.join(profile.arch.name());
    // An adapter receives the image that its profile names; if there is none, it receives a folder, which is no image.
    let image = match &profile.adapter {
        Some(adapter) => adapter.image.clone().unwrap_or_default(),
        None => image.to_owned(),
    };
    if let Some(named) = choice.image.as_ref().filter(|image| !image.is_file()) {
        bail!("{}: no image there", named.display());
    }
    let probe = folder.join("probe.img");
    let built = "the images are built by `cargo xtask image`";
    if let Some(own) = &choice.image {
        return Harness::new(profile, library, own, &probe, choice.seed);
    }
    let Some(package) = profile.package.clone() else {
        return Harness::new(profile, library, &folder.join(image), &probe, choice.seed)
            .context(built);
    };
    let name = format!("{}-{}", profile.name, profile.arch.name());
    let place = images.with_file_name("subjects").join(name);
    let unpacked = package
        .image(&place, !choice.no_fetch)
        .with_context(|| format!("the image of `{}`", profile.name))?;
    Harness::new(profile, library, &unpacked, &probe, choice.seed).context(built)
}

/// Returns how many scenarios run at a time.
pub fn jobs(choice: &Choice) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    choice
        .jobs
        .map_or_else(processors, std::num::NonZeroUsize::get)
}

fn default_out(images: &Path, profile: &runners::Profile) -> PathBuf {
    images
        .with_file_name("conformance")
        .join(format!("{}-{}", profile.name, profile.arch.name()))
}

/// Reports the progress of a run: with a bar on a terminal, elsewhere with a line for each bad verdict and each tenth.
pub struct Progress {
    bar: Option<ProgressBar>,
    done: std::sync::atomic::AtomicUsize,
    total: usize,
}

impl Progress {
    /// Starts the progress of `total` scenarios.
    pub fn new(total: usize) -> Self {
        let bar = on_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
            let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            done: std::sync::atomic::AtomicUsize::new(0),
            total,
        }
    }

    /// Reports one row.
    pub fn row(&self, row: &Row, took: Duration) {
        let done = self.done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let bad = matches!(row.verdict, Verdict::Fail | Verdict::Broken);
        let line = format!(
            "{:6} {} ({} ms) {}",
            row.verdict.name(),
            row.scenario,
            took.as_millis(),
            visible(&row.reason)
        );
        match &self.bar {
            Some(bar) => {
                bar.set_message(row.scenario.clone());
                bar.inc(1);
                if bad {
                    bar.println(line);
                }
            }
            None if bad => eprintln!("{line}"),
            None if done.is_multiple_of(self.total.div_ceil(10).max(1)) || done == self.total => {
                eprintln!("{done} of {} scenarios", self.total);
            }
            None => {}
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl std::fmt::Display for select::Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (index, count) = self.parts();
        write!(f, "{index}/{count}")
    }
}
