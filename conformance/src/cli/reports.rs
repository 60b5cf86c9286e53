//! Writes the reports of a ledger, for people and tools.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::Ledger;
use reports::view::{Evidence, Run};
use reports::{Artifact, Look, SINKS, Sink};
use text::nearest;

use crate::cli::{CompareArgs, ReportArgs, say};
use crate::{baseline, compare, evidence};

/// Name of the ledger in its folder.
pub const LEDGER: &str = "ledger.json";
/// Name of the page that compares several subjects.
const SIDE_BY_SIDE: &str = "side-by-side.html";

/// Renders the reports of an old ledger again.
pub fn report(args: &ReportArgs, images: &Path) -> Result<u8> {
    let runs = images.with_file_name("conformance");
    if args.side_by_side {
        return together(args, &runs);
    }
    let from = match args.from.as_slice() {
        [from] => from.clone(),
        [] => newest(&runs)?,
        [_, second, ..] => bail!(
            "{}: one ledger at a time, or `--side-by-side` to have all on one page",
            second.display()
        ),
    };
    let path = named(&from);
    let ledger = Ledger::load(&path)?;
    if let Some(baseline) = &args.baseline {
        fs::write(baseline, baseline::render(&ledger)?)
            .with_context(|| format!("{}: cannot be written", baseline.display()))?;
        say(format_args!("baseline  {}\n", baseline.display()));
        return Ok(0);
    }
    let evidence = path.parent().unwrap_or(Path::new("."));
    let out = args.out.as_deref().unwrap_or(evidence);
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let conformant = ledger.conformant;
    write(ledger, &args.report, evidence, out)?;
    Ok(u8::from(!conformant))
}

/// Writes the page that compares the subjects of several ledgers. It judges nothing, so the exit status is 0.
fn together(args: &ReportArgs, runs: &Path) -> Result<u8> {
    if args.from.len() < 2 {
        bail!("`--side-by-side` takes two ledgers or more");
    }
    let load = |path: &PathBuf| {
        Ok(Run::new(Ledger::load(&named(path))?, |_| {
            Evidence::default()
        }))
    };
    let columns = args.from.iter().map(load).collect::<Result<Vec<_>>>()?;
    let out = args.out.as_deref().unwrap_or(runs);
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let path = out.join(SIDE_BY_SIDE);
    fs::write(&path, reports::side_by_side(&columns)?)
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    say(format_args!("side by side  {}\n", path.display()));
    Ok(0)
}

/// Shows what changed from one ledger to another.
pub fn compare(args: &CompareArgs) -> Result<u8> {
    let load = |path: &Path| baseline::load(&named(path));
    let comparison = compare::compare(&load(&args.old)?, &load(&args.new)?);
    if args.json {
        say(format_args!(
            "{}\n",
            serde_json::to_string_pretty(&comparison)?
        ));
    } else {
        say(format_args!("{}", comparison.text(colour())));
    }
    Ok(u8::from(comparison.regression))
}

/// Returns the ledger that a path names: the file itself, or the ledger in that folder.
fn named(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(LEDGER)
    } else {
        path.to_owned()
    }
}

fn newest(folder: &Path) -> Result<PathBuf> {
    let ledgers = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join(LEDGER));
    let dated = ledgers.filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)));
    match dated.max() {
        Some((_, path)) => Ok(path),
        None => bail!(
            "{}: no ledger there; run `cargo xtask conformance` first or name one",
            folder.display()
        ),
    }
}

/// Makes these reports: those for a terminal are printed, the others are written into `out` and listed.
pub fn write(ledger: Ledger, sinks: &[Sink], evidence: &Path, out: &Path) -> Result<()> {
    let run = Run::new(ledger, |row| match &row.evidence {
        Some(folder) => evidence::read(&evidence.join(folder)),
        None => Evidence::default(),
    });
    let look = Look {
        colour: colour(),
        width: terminal_width(),
    };
    let mut written = vec![("ledger", evidence.join(LEDGER))];
    for sink in sinks {
        for Artifact { file, text } in (sink.render)(&run, look)? {
            let Some(file) = file else {
                say(format_args!("{text}"));
                continue;
            };
            let path = out.join(file);
            fs::write(&path, text)
                .with_context(|| format!("{}: cannot be written", path.display()))?;
            written.push((sink.name, path));
        }
    }
    say(format_args!("\n"));
    for (name, path) in written {
        say(format_args!("{name:<9} {}\n", path.display()));
    }
    Ok(())
}

/// Removes the reports of an earlier run from a folder: they must not stand beside the ledger of another one.
pub fn remove_old(out: &Path) -> Result<()> {
    for path in SINKS
        .iter()
        .filter_map(|sink| sink.file)
        .map(|file| out.join(file))
    {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("{}: cannot be removed", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Parses the name of a report.
pub fn sink(name: &str) -> Result<Sink> {
    match Sink::find(name) {
        Some(sink) => Ok(sink),
        None => bail!(
            "no report `{name}`{}; there are {}",
            nearest(name, every_name())
                .map_or_else(String::new, |near| format!(", did you mean `{near}`?")),
            every_name().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Describes the option that chooses reports.
pub fn help(more: &str) -> String {
    let kinds = SINKS
        .iter()
        .map(|sink| format!("{} ({})", sink.name, sink.about));
    let kinds: Vec<String> = kinds.collect();
    format!(
        "Reports to make, all by default{more}: {}",
        kinds.join(", ")
    )
}

/// Names every report.
pub fn every_name() -> impl Iterator<Item = &'static str> {
    SINKS.iter().map(|sink| sink.name)
}

/// Tells whether standard output takes colours.
fn colour() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout()) && std::env::var_os("NO_COLOR").is_none()
}

fn terminal_width() -> usize {
    console::Term::stdout()
        .size_checked()
        .map_or(100, |(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of an earlier run go, and nothing else of it; a folder without any is fine.
    #[test]
    fn old_reports_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let keep = [LEDGER, "other.html"];
        for name in keep.into_iter().chain(["report.html"]) {
            fs::write(folder.path().join(name), "old").unwrap();
        }
        remove_old(folder.path()).unwrap();
        remove_old(folder.path()).unwrap();
        assert!(!folder.path().join("report.html").exists());
        assert!(keep.iter().all(|name| folder.path().join(name).exists()));
        fs::create_dir(folder.path().join("junit.xml")).unwrap();
        let error = format!("{:#}", remove_old(folder.path()).unwrap_err());
        assert!(error.contains("junit.xml: cannot be removed"), "{error}");
    }

    /// A report is chosen by its name; a wrong one is answered with the nearest, and all that there are.
    #[test]
    fn reports_are_chosen_by_name() {
        assert_eq!(sink("junit").unwrap().name, "junit");
        let error = sink("htm").unwrap_err().to_string();
        assert!(error.contains("did you mean `html`?"), "{error}");
        assert!(help("").contains("terminal"));
        assert!(every_name().all(|name| sink(name).unwrap().name == name));
    }
}
