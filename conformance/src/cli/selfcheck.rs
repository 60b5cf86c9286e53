//! `selfcheck`: every seeded fault against the cases of the requirement it violates.

use std::path::Path;

use anyhow::{Context, Result, bail};
use text::nearest;

use crate::cli::run::{harness, jobs};
use crate::cli::select::{choose, profile};
use crate::cli::{SelfcheckArgs, say, suite};
use crate::pipeline::in_parallel;
use crate::selfcheck::{Catch, SeededFault, check, faults};

const IMAGE: &str = "refhv-faults.img";

/// Runs every fault; returns 1 if one escapes.
pub fn selfcheck(args: &SelfcheckArgs, images: &Path) -> Result<u8> {
    let profile = profile(&args.choice)?;
    let loaded = suite(&args.choice.requirements, &profile)?;
    let chosen = choose(&args.choice, None, &loaded, &profile)?;
    let all = offered(args, &profile, images)?;
    if args.list {
        for fault in &all {
            say(format_args!(
                "{}  {}  {}\n",
                fault.name, fault.requirement, fault.text
            ));
        }
        return Ok(0);
    }
    let control = harness(
        &args.choice,
        profile.clone(),
        &loaded.library,
        images,
        IMAGE,
    )?;
    let catches = in_parallel(&all, jobs(&args.choice), |fault| -> Result<Catch> {
        let seeded = harness(
            &args.choice,
            profile.clone(),
            &loaded.library,
            images,
            IMAGE,
        )?
        .with_argument(&format!("fault={}", fault.name));
        let catch = check(&seeded, &control, fault, &chosen.scenarios)?;
        say(format_args!("{}\n", summary(fault, &catch)));
        Ok(catch)
    });
    let catches = catches.into_iter().collect::<Result<Vec<_>>>()?;
    let missed = |catch: &&Catch| !matches!(catch, Catch::Caught(_));
    let escaped = catches.iter().filter(missed).count();
    let caught = all.len() - escaped;
    say(format_args!(
        "\n{caught} of {} seeded faults caught by their own requirement, {escaped} not\n",
        all.len()
    ));
    Ok(u8::from(escaped > 0))
}

fn offered(
    args: &SelfcheckArgs,
    profile: &runners::Profile,
    images: &Path,
) -> Result<Vec<SeededFault>> {
    let image = args
        .choice
        .image
        .clone()
        .unwrap_or_else(|| images.join(profile.arch.name()).join(IMAGE));
    let tree = runners::dump_tree(&profile.machine).context("the machine's own device tree")?;
    let base = dtb_gen::Tree::read(&tree)?;
    let hypervisor_args = format!("{} fault=list", profile.boot_args);
    let platform = dtb_gen::Platform {
        base,
        hypervisor_args,
        hardware: None,
        domains: Vec::new(),
        edits: Vec::new(),
    };
    let all = faults(profile, &image, dtb_gen::host(&platform)?.emit()?)?;
    if args.fault.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| match all.iter().find(|fault| fault.name == *name) {
        Some(fault) => Ok(fault.clone()),
        None => {
            let near = nearest(name, all.iter().map(|fault| fault.name.as_str()));
            bail!(
                "no fault is `{name}`{}",
                near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
            )
        }
    };
    args.fault.iter().map(find).collect()
}

fn summary(fault: &SeededFault, catch: &Catch) -> String {
    match catch {
        Catch::Caught(by) => format!("caught   {}  by {by}", fault.name),
        Catch::Elsewhere(by) => {
            format!(
                "STRAYED  {}  {} did not notice, only {by}",
                fault.name, fault.requirement
            )
        }
        Catch::Escaped => {
            format!(
                "ESCAPED  {}  {} ({})",
                fault.name, fault.requirement, fault.text
            )
        }
        Catch::Unclear(rows) => {
            format!(
                "BROKEN   {}  the harness could not tell: {}",
                fault.name,
                rows.join(", ")
            )
        }
    }
}
