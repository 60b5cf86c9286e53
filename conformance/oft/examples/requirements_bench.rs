//! Measures how long a large tree of requirement files takes to read and to trace, and how much
//! memory that needs.
//!
//!     cargo run --release -p oft --example requirements_bench [ITEMS [FILES [RUNS]]]
//!
//! Without arguments: 20,000 items in 100 files, each item linked to the one before it, nine runs.

use std::{
    env,
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use oft::Catalog;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args()
        .skip(1)
        .map(|argument| argument.parse::<usize>());
    let mut next = |default| arguments.next().unwrap_or(Ok(default));
    let (items, files, runs) = (next(20_000)?, next(100)?.max(1), next(9)?.max(1));
    let top = tempfile::tempdir()?;
    let mut bytes = 0;
    for file in 0..files {
        let mut text = ".. SPDX-License-Identifier: CC-BY-4.0\n\nChapter\n=======\n".to_owned();
        for item in (file..items).step_by(files) {
            write_item(&mut text, item)?;
        }
        bytes += text.len();
        fs::write(top.path().join(format!("{file:04}.rst")), text)?;
    }

    let mut times = Vec::new();
    let mut defects = 0;
    for _ in 0..runs {
        let start = Instant::now();
        let catalog = Catalog::load(top.path()).map_err(|notes| {
            notes
                .iter()
                .map(|note| format!("{note}\n"))
                .collect::<String>()
        })?;
        let read = start.elapsed();
        defects = catalog.trace().defects();
        times.push((read, start.elapsed()));
        assert_eq!(catalog.items().len(), items, "every item is found");
    }
    times.sort();
    let (read, traced) = times[runs / 2];
    let best = times
        .iter()
        .map(|&(_, traced)| traced)
        .min()
        .unwrap_or_default();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{items} items in {files} files, {bytes} bytes, {defects} defects; median of {runs} runs:"
    );
    println!(
        "  read    {:8.2} ms  ({:.0} MB/s)",
        ms(read),
        bytes as f64 / 1e6 / read.as_secs_f64()
    );
    println!("  traced  {:8.2} ms", ms(traced - read));
    println!(
        "  in all  {:8.2} ms, at best {:.2} ms",
        ms(traced),
        ms(best)
    );
    if let Some(peak) = peak_memory() {
        println!("  peak memory of the process: {peak}");
    }
    Ok(())
}

fn write_item(text: &mut String, item: usize) -> std::fmt::Result {
    let rule = "-".repeat(12);
    writeln!(text, "\nTitle {item:06}\n{rule}\n\n`req~item_{item}~1`\n")?;
    writeln!(
        text,
        "Description:\nThe system shall do what item {item} says, under all conditions."
    )?;
    writeln!(
        text,
        "It shall do so at once.\n\nRationale:\n\n - A reason of some length, as they are\n - Another one\n"
    )?;
    if let Some(before) = item.checked_sub(1) {
        writeln!(text, "Covers:\n - `req~item_{before}~1`\n")?;
    }
    writeln!(text, "Needs:\n - req")
}

/// Returns the peak resident set, in the kernel's format.
fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
