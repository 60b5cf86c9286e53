//! The folder of a scenario: everything that is needed to inspect a run or to repeat it by hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use model::IommuRecord;
use reports::view;
use runners::Request;

use crate::dtb::Blobs;
use crate::iommu;
use crate::observe::Observation;
use crate::scenario::Scenario;

#[cfg(test)]
mod tests;

/// Names of the files that reports read back.
pub const CONSOLE: &str = "console.txt";
/// What the IOMMUs did, merged; present if the machine has any.
pub const EVENTS: &str = "events.json";

/// Writes everything about one run into `folder`, which is emptied first. Without a request, nothing was run.
pub fn write(
    folder: &Path,
    scenario: &Scenario,
    blobs: &Blobs,
    request: Option<&Request>,
    seen: &Observation,
) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("{}: cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
    };
    put(
        "scenario.json",
        (serde_json::to_string_pretty(scenario)? + "\n").as_bytes(),
    )?;
    // An adapter may have made another tree of the same scenario.
    let host = request.and_then(|request| request.host_dtb.as_ref());
    put(
        "host.dts",
        dtb_gen::dts(host.unwrap_or(&blobs.host)).as_bytes(),
    )?;
    for (name, _, bytes) in &blobs.modules {
        if let Some(domain) = name.strip_suffix("-tree") {
            put(
                &format!("partial-{domain}.dts"),
                dtb_gen::dts(bytes).as_bytes(),
            )?;
        }
    }
    for domain in scenario
        .domains
        .iter()
        .filter(|domain| domain.child.is_some())
    {
        let given = blobs
            .partials
            .iter()
            .find(|(number, _)| *number == domain.number);
        if let Some((_, tree)) = given {
            put(
                &format!("child-{}.dts", domain.name),
                tree.to_string().as_bytes(),
            )?;
        }
    }
    for domain in &scenario.domains {
        let tree = seen
            .domains
            .get(&domain.number)
            .map(|seen| seen.tree.as_slice())
            .unwrap_or_default();
        if !tree.is_empty() {
            put(&format!("guest-{}.dtb", domain.name), tree)?;
            put(
                &format!("guest-{}.dts", domain.name),
                dtb_gen::dts(tree).as_bytes(),
            )?;
        }
    }
    put(CONSOLE, &seen.console)?;
    put("seen.txt", summary(scenario, seen).as_bytes())?;
    if let Some(iommus) = &seen.iommus {
        let told = serde_json::to_string_pretty(&iommu::merge_sources(iommus))? + "\n";
        put(EVENTS, told.as_bytes())?;
    }
    let Some(request) = request else {
        return Ok(());
    };
    for file in runners::evidence_files(request) {
        file.write(folder)
            .with_context(|| format!("{}: cannot be written", folder.join(&file.name).display()))?;
    }
    // The script names the image by an absolute path and does not copy it, so that folders stay small.
    let image = request.image.as_deref().unwrap_or(Path::new(""));
    let image = fs::canonicalize(image).unwrap_or_else(|_| image.to_path_buf());
    put(
        "run.sh",
        runners::script(request, &image.display().to_string()).as_bytes(),
    )
}

/// Writes the dialogue of suite and adapter, if there was an adapter.
pub fn write_said(folder: &Path, said: Option<&str>) -> Result<()> {
    let path = folder.join("adapter.txt");
    said.map_or(Ok(()), |said| fs::write(&path, said))
        .with_context(|| format!("{}: cannot be written", path.display()))
}

/// Renders the observation for people: one line for each answer.
fn summary(scenario: &Scenario, seen: &Observation) -> String {
    let mut lines = vec![format!("end: {:?}", seen.end)];
    let cut = seen.cut.iter().map(|(_, told)| told);
    lines.extend(seen.gaps.iter().chain(cut).map(|gap| format!("gap: {gap}")));
    for domain in &scenario.domains {
        let Some(spoke) = seen.domains.get(&domain.number) else {
            lines.push(format!("{}: nothing", domain.name));
            continue;
        };
        lines.extend(
            spoke
                .errors
                .iter()
                .map(|trouble| format!("{}: {trouble}", domain.name)),
        );
        for (place, answer) in &spoke.answers {
            let op = domain
                .lines
                .get(usize::from(*place))
                .map_or_else(|| "?".to_owned(), |line| line.op.to_string());
            lines.push(format!("{} [{place}] {op}: {answer}", domain.name));
        }
        lines.push(format!(
            "{}: {}",
            domain.name,
            if spoke.ended { "end" } else { "no end" }
        ));
    }
    lines.extend(
        seen.outside
            .iter()
            .map(|(label, answer)| format!("outside {label}: {answer:?}")),
    );
    if let Some(iommus) = &seen.iommus {
        let IommuRecord { rows, notes } = iommu::merge_sources(iommus);
        lines.extend(rows.iter().map(|row| format!("IOMMU: {row}")));
        lines.extend(notes.iter().map(|note| format!("IOMMU: {note}")));
    }
    lines.join("\n") + "\n"
}

/// Reads back what reports show of a folder; unreadable files are left out.
pub fn read(folder: &Path) -> view::Evidence {
    let console = fs::read(folder.join(CONSOLE)).unwrap_or_default();
    view::Evidence {
        trees: trees(folder),
        console: String::from_utf8_lossy(&console).into_owned(),
        iommu: iommu_events(folder),
    }
}

fn iommu_events(folder: &Path) -> Option<IommuRecord> {
    serde_json::from_slice(&fs::read(folder.join(EVENTS)).ok()?).ok()
}

/// Reads back the trees, as source, in the order of their names.
fn trees(folder: &Path) -> Vec<view::Tree> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<view::Tree> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "dts"))
        .filter_map(|path| {
            Some(view::Tree {
                name: path.file_name()?.to_string_lossy().into_owned(),
                dts: String::from_utf8_lossy(&fs::read(&path).ok()?).into_owned(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
