//! The command line of the suite. Exit status: 0 conformant, 1 not, 2 wrong use or bad input.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use model::Class;
use oft::Diagnostic;
use oft::cli::{Format, Output};

use crate::case::load::{Loaded, load, read};
use crate::kinds::CASE_KIND;
use crate::scenario::generate::scenarios;

mod reports;
mod run;
mod select;
mod selfcheck;

/// Device-passthrough conformance suite for hypervisors.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", version, after_help = EXIT)]
pub struct Cli {
    /// Folder with the built images.
    #[arg(long, value_name = "DIR", hide = true, default_value_os_t = default_images())]
    pub images: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Task,
}

const EXIT: &str = "Exit status: 0 conformant, 1 not conformant, 2 wrong use or bad input.";

const REPORTED: &str = "Exit status: 0 conformant, or a page of several was written; 1 not conformant; 2 wrong use or bad input.";

const COMPARED: &str = "A regression is a scenario that passed and no longer does, that was skipped and now fails or is
broken, that is gone, or that is new and fails or is broken.

Exit status: 0 no regression, 1 a regression, 2 wrong use or bad input.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Judge a hypervisor against the requirements
    #[command(after_help = EXIT)]
    Conformance(RunArgs),
    /// Prove that the suite can fail: run each seeded fault of the reference hypervisor
    Selfcheck(SelfcheckArgs),
    /// Measure the suite against an empty start of the same machine
    Bench(BenchArgs),
    /// Run one scenario again and show everything about it
    Reproduce(ReproduceArgs),
    /// Render the reports of a ledger again, or compare several subjects on one page
    #[command(after_help = REPORTED)]
    Report(ReportArgs),
    /// Show what changed from one run to another, scenario by scenario
    #[command(after_help = COMPARED)]
    Compare(CompareArgs),
    /// Write a page for each scenario: its steps in words, and what must be observed
    Cases(CasesArgs),
    /// Show the requirements and how they are traced to test cases
    Requirements(RequirementsArgs),
}

/// Selects a subject and its scenarios.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// Subject: the name of a shipped profile, or a profile of your own
    #[arg(long, value_name = "NAME|PROFILE.toml", default_value = "reference")]
    pub subject: String,
    /// Architecture, if it is not the first of these or the one of a PROFILE.toml
    #[arg(long, value_parser = arch, help = architectures())]
    pub arch: Option<model::Arch>,
    /// Machine: a file of the library, instead of the one that the subject's profile names
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Only scenarios of this requirement: full id or name; may be repeated
    #[arg(long, value_name = "ID")]
    pub requirement: Vec<String>,
    /// Only this case or scenario: full id, name or scenario; may be repeated
    #[arg(long, value_name = "ID")]
    pub case: Vec<String>,
    /// Only this class: positive, negative, boundary, fault; may be repeated
    #[arg(long, value_name = "CLASS", value_parser = class)]
    pub class: Vec<Class>,
    /// The level to ask for, instead of the one that the subject claims: required, strict
    #[arg(long, value_parser = level)]
    pub level: Option<model::Level>,
    /// Requirement and case files
    #[arg(long, value_name = "DIR", default_value_os_t = default_requirements())]
    pub requirements: PathBuf,
    /// Image to judge, instead of the one that the profile names
    #[arg(long, value_name = "PATH")]
    pub image: Option<PathBuf>,
    /// Download no image; use what is there
    #[arg(long, hide = true)]
    pub no_fetch: bool,
    /// Number of scenarios at a time; by default the number of processors
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Seed of all random choices
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

/// Arguments of `conformance`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    choice: Choice,
    /// Run part I of N parts of the scenarios
    #[arg(long, value_name = "I/N", value_parser = select::shard)]
    shard: Option<select::Shard>,
    /// List the scenarios and run none
    #[arg(long)]
    list: bool,
    /// Folder for the ledger, the reports and the evidence
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Failures that are accepted for a time, in addition to those of the profile
    #[arg(long, value_name = "FILE.toml")]
    waivers: Option<PathBuf>,
    /// Reports to make; the ledger is always written
    #[arg(long, help = reports::help("; the ledger is always written"), value_name = "NAME,...", hide_default_value = true, value_delimiter = ',', value_parser = reports::sink, default_values = reports::every_name())]
    report: Vec<::reports::Sink>,
    /// The date for which waivers are checked, instead of today
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = str::parse::<runners::Day>)]
    today: Option<runners::Day>,
}

/// Arguments of `selfcheck`.
#[derive(Debug, Args)]
pub struct SelfcheckArgs {
    #[command(flatten)]
    choice: Choice,
    /// Only this fault; may be repeated
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
    /// List the faults and run none
    #[arg(long)]
    list: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    choice: Choice,
    /// Number of starts of which the median is taken
    #[arg(long, value_name = "N", default_value = "15")]
    rounds: std::num::NonZeroUsize,
}

/// Arguments of `reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// The scenario, or a case that has only one
    scenario: String,
    #[command(flatten)]
    choice: Choice,
    /// Argument added to the hypervisor's, such as `fault=NAME`
    #[arg(long, value_name = "TEXT")]
    argument: Option<String>,
    /// Folder for the evidence
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A ledger, or a folder with a `ledger.json`; by default the newest run
    #[arg(value_name = "LEDGER")]
    from: Vec<PathBuf>,
    /// Make one page that compares the subjects of all these ledgers, in this order
    #[arg(long)]
    side_by_side: bool,
    /// Folder for the reports; by default beside the ledger, and for a page of several beside the runs
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Reports to make
    #[arg(long, help = reports::help(""), value_name = "NAME,...", hide_default_value = true, conflicts_with_all = ["side_by_side", "baseline"], value_delimiter = ',', value_parser = reports::sink, default_values = reports::every_name())]
    report: Vec<::reports::Sink>,
    /// Write only the verdicts into this file, as a baseline for later runs, and make no reports
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    baseline: Option<PathBuf>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier run: a folder with a `ledger.json`, the ledger, or a baseline
    old: PathBuf,
    /// The later run
    new: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Arguments of `cases`.
#[derive(Debug, Args)]
pub struct CasesArgs {
    #[command(flatten)]
    choice: Choice,
    /// Folder for the pages; if one scenario is chosen and no folder, its page is printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Arguments of `requirements`.
#[derive(Debug, Args)]
pub struct RequirementsArgs {
    /// `list` shows the items, `trace` their links and defects
    #[arg(value_parser = ["list", "trace"], default_value = "list")]
    what: String,
    /// Requirement and case files
    #[arg(long, value_name = "DIR", default_value_os_t = default_requirements())]
    requirements: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command line and returns the exit status.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<u8> {
    let images = &cli.images;
    match &cli.command {
        Task::Conformance(args) => run::conformance(args, images),
        Task::Selfcheck(args) => selfcheck::selfcheck(args, images),
        Task::Bench(args) => run::bench(args, images),
        Task::Reproduce(args) => run::reproduce(args, images),
        Task::Report(args) => reports::report(args, images),
        Task::Compare(args) => reports::compare(args),
        Task::Cases(args) => run::cases(args, images),
        Task::Requirements(args) => Ok(requirements(args)),
    }
}

fn requirements(args: &RequirementsArgs) -> u8 {
    use oft::cli;
    let format = match args.json {
        true => Format::Json,
        false if on_terminal() => Format::Terminal {
            colours: console::colors_enabled_stderr(),
        },
        false => Format::Text,
    };
    let output = match (load(&args.requirements), args.what.as_str()) {
        (Err(problems), _) => cli::refused(&problems, format),
        (Ok(loaded), "trace") => cli::trace(&loaded.catalog, CASE_KIND, format),
        (Ok(loaded), _) => cli::list(&loaded.catalog, CASE_KIND, format),
    };
    show(&output);
    output.code
}

/// Writes to standard output. A reader that closes the pipe (`| head`) is no error and changes no exit status.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = std::io::stdout().lock().write_fmt(text);
}

fn show(output: &Output) {
    say(format_args!("{}", output.stdout));
    eprint!("{}", output.stderr);
}

/// Loads the suite for a subject, or shows all errors of its files.
fn suite(root: &Path, profile: &runners::Profile) -> Result<Loaded> {
    let (loaded, mut problems) = read(root);
    if !problems.is_empty() {
        // Files that could be read may have further errors: all are reported at once.
        problems.extend(scenarios(&loaded, profile).err().unwrap_or_default());
        return Err(refused(&problems));
    }
    for warning in loaded.catalog.diagnostics() {
        eprintln!("{}", told(warning));
    }
    Ok(loaded)
}

/// Renders an error of an input file for standard error: an excerpt on a terminal, a few lines elsewhere.
fn told(note: &Diagnostic) -> String {
    match on_terminal() {
        true => oft::excerpt::render(note, console::colors_enabled_stderr()),
        false => note.to_string(),
    }
}

/// Shows the errors of input files; the returned error counts them.
fn refused(problems: &[Diagnostic]) -> anyhow::Error {
    for problem in problems {
        eprintln!("{}", told(problem));
    }
    anyhow::anyhow!(
        "{} of the requirement and case files",
        match problems.len() {
            1 => "1 error in one".to_owned(),
            many => format!("{many} errors in some"),
        }
    )
}

fn arch(text: &str) -> Result<model::Arch> {
    let known = model::Arch::ALL.into_iter();
    match known.clone().find(|arch| arch.name() == text) {
        Some(arch) => Ok(arch),
        None => bail!(
            "architectures are {}",
            known.map(model::Arch::name).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn architectures() -> String {
    let usual = model::Arch::default();
    let others = model::Arch::ALL.into_iter().filter(|arch| *arch != usual);
    format!(
        "Architecture: {usual} (unless a PROFILE.toml says otherwise) or {}",
        others.map(model::Arch::name).collect::<Vec<_>>().join(", ")
    )
}

fn level(text: &str) -> Result<model::Level> {
    crate::scenario::level(text).map_err(anyhow::Error::msg)
}

fn class(text: &str) -> Result<Class> {
    match Class::ALL.into_iter().find(|class| class.name() == text) {
        Some(class) => Ok(class),
        None => bail!("classes are positive, negative, boundary, fault"),
    }
}

/// Tells whether standard error is a terminal.
fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn default_requirements() -> PathBuf {
    // Shown in messages: relative if the suite is used from its own folder.
    match std::env::current_dir() {
        Ok(here) if here == root() => PathBuf::from("requirements"),
        _ => root().join("requirements"),
    }
}

fn default_images() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("images")
}
