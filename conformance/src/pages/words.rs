//! Says operations, actions and edits of trees in sentences.

use dtb_gen::Edit;

use crate::case::expect::Expect;
use crate::library::{Device, Library};
use crate::scenario::Scenario;

/// Says an operation or an action, from the words of its case.
pub fn sentence(said: &str, library: &Library, scenario: &Scenario) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    let Some((verb, rest)) = words.split_first() else {
        return String::new();
    };
    if let Some(bits) = size(verb, "read").filter(|_| rest.len() == 1) {
        return format!("Read {bits} bits at `{}`", rest.join(" "));
    }
    if let (Some(bits), [at, value]) = (size(verb, "write"), rest) {
        return format!("Write `{value}` to `{at}` ({bits} bits)");
    }
    if let (Some(bits), [at, mask, value, ..]) = (size(verb, "wait"), rest) {
        return format!("Read {bits} bits at `{at}` until they are `{value}` under `{mask}`");
    }
    if let Some(told) = plain(verb, rest) {
        return told;
    }
    if let (&"on", [irq, action @ ..]) = (verb, rest) {
        let irq = irq.trim_end_matches(':');
        let action = sentence(&action.join(" "), library, scenario);
        return format!("Whenever interrupt `{irq}` comes, its handler does this. {action}");
    }
    if let Some((device, arguments)) = rest.split_first()
        && let Some(told) = procedure(verb, device, arguments, library, scenario)
    {
        return told;
    }
    format!("`{said}`")
}

fn size<'t>(verb: &'t str, kind: &str) -> Option<&'t str> {
    let bits = verb.strip_prefix(kind)?;
    ["8", "16", "32", "64"].contains(&bits).then_some(bits)
}

/// Says what needs no device.
fn plain(verb: &str, rest: &[&str]) -> Option<String> {
    let all = rest.join(" ");
    Some(match (verb, rest) {
        ("sweep", [access, at, count, stride, value @ ..]) => {
            let what = match value {
                [] => "Read".to_owned(),
                value => format!("Write `{}`", value.join(" ")),
            };
            let bits = access.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            format!("{what} {count} times {bits} bits, from `{at}` on and `{stride}` bytes apart")
        }
        ("same", [_, at, count, stride, value, step]) => format!(
            "Read {count} values from `{at}` on, `{stride}` bytes apart; they are `{value}` and then each `{step}` more"
        ),
        ("ram", [at, length]) => {
            format!("Write and read back `{length}` bytes of memory at `{at}`")
        }
        ("exec", [at]) => format!("Branch to `{at}`"),
        ("storm", [at, count]) => format!("Read `{at}` {count} times without a pause"),
        ("tree", []) => "Report its device tree".to_owned(),
        ("timer", [ms]) => format!("Sleep for {ms} ms"),
        ("yield", [count]) => format!("Sleep {count} times for a millisecond, so that others run"),
        ("mark", [name]) => format!("Report `{name}`"),
        ("idle", []) => "Sleep for ever".to_owned(),
        ("off", []) => "Ask to be powered off".to_owned(),
        ("reset", []) => "Ask for a reset".to_owned(),
        ("crash", []) => "Report itself as crashed".to_owned(),
        ("spin", []) => "Run for ever without a pause".to_owned(),
        ("loop", [passes, count]) => format!("Do the next {count} operations {passes} times"),
        ("attr", [kind]) => format!("Access what is not its memory as {kind} memory from now on"),
        ("enable", [irq]) => format!("Enable interrupt `{irq}`, level-sensitive"),
        ("enable", [irq, trigger, ..]) => {
            format!("Enable interrupt `{irq}`, triggered by {trigger}")
        }
        ("disable", [irq]) => format!("Disable interrupt `{irq}`"),
        ("leave-active", [irq]) => format!("Never end interrupt `{irq}` once it has come"),
        ("expect", [irq, times @ ..]) => {
            format!("Wait for interrupt `{irq}`: {}", times.join(" "))
        }
        ("count", [irq, ..]) => format!("Tell how often interrupt `{irq}` has come"),
        ("identify", [device]) => format!("Read the register that identifies `{device}`"),
        ("copy", [device, from, to, ..]) => format!(
            "Write 8 bytes to `{from}`, have `{device}` copy them to `{to}` by DMA, and read them there"
        ),
        ("post", [value]) => format!("Set its flag to {value}"),
        ("post", [name, value]) => format!("Set the flag of {name} to {value}"),
        ("wait", [value]) => format!("Wait until its flag is {value}"),
        ("remote-post", [name, value]) => format!("Set the flag of {name} to {value}"),
        ("remote-wait", [name, value]) => format!("Wait until the flag of {name} is {value}"),
        ("stay-up", [count]) => {
            format!("Report `up`, set its flag to 1, and sleep {count} times for 2 ms")
        }
        ("make", [name]) => format!("Create {name} with its memory and images"),
        ("give", [name]) => format!("Assign {name} its devices"),
        ("start", [name]) => format!("Start {name}"),
        ("build", [name]) => format!("Create {name}, assign it its devices, and start it"),
        ("pci-enable", [function, bars @ ..]) => {
            let bars = bars
                .chunks(2)
                .map(|pair| format!("put {} at `{}`", pair[0], pair[1..].join("")));
            let bars: Vec<String> = bars.collect();
            let bars = if bars.is_empty() {
                String::new()
            } else {
                format!(", {}", bars.join(", "))
            };
            format!("Switch memory decoder and bus mastering of `{function}` on{bars}")
        }
        ("pci-functions", []) => {
            "Ask the hypervisor for all PCI functions that it knows".to_owned()
        }
        ("query-pci", []) => "List the PCI functions of the machine".to_owned(),
        ("raise-line", [irq]) => format!("Raise the line of interrupt `{irq}`"),
        ("lower-line", [irq]) => format!("Lower the line of interrupt `{irq}`"),
        ("pulse-line", [irq]) => format!("Raise and lower the line of interrupt `{irq}`"),
        ("line", [irq, states @ ..]) => {
            format!(
                "Look at interrupt `{irq}` in the interrupt controller: {}",
                states.join(", ")
            )
        }
        ("unplug", [function]) => format!("Unplug `{function}`"),
        ("stop", []) => "Stop all processors".to_owned(),
        ("cont", []) => "Continue all processors".to_owned(),
        ("qmp", _) => format!("Have QEMU do `{all}`"),
        (verb, _) if crate::scenario::is_request(verb) => {
            format!("Ask the hypervisor: `{}`", format!("{verb} {all}").trim())
        }
        _ => return None,
    })
}

/// Says a procedure in the words of the device's file.
fn procedure(
    verb: &str,
    device: &str,
    arguments: &[&str],
    library: &Library,
    scenario: &Scenario,
) -> Option<String> {
    let model = model(device, library, scenario)?;
    let procedure = model.procedures.get(verb)?;
    let mut told = procedure.says.replace("{device}", &format!("`{device}`"));
    for (name, value) in procedure.parameters.iter().zip(arguments) {
        told = told.replace(&format!("{{{name}}}"), &format!("`{value}`"));
    }
    Some(told)
}

fn model(device: &str, library: &Library, scenario: &Scenario) -> Option<&'static Device> {
    let name = device.split(['@', '.']).next().unwrap_or(device);
    let functions = scenario.pci.iter().flat_map(|pci| &pci.functions);
    if let Some(function) = functions.into_iter().find(|one| one.name == name) {
        return Some(function.model.device);
    }
    scenario.board.device(name)?.model(library).ok()
}

/// Says what must be observed, as the end of a sentence; nothing if the words of the step say it.
pub fn wanted_of(said: &str, expect: &Expect) -> String {
    let verb = said.split_whitespace().next().unwrap_or_default();
    let told = ["wait", "remote-wait", "remote-post", "stay-up"].contains(&verb);
    let success = *expect == Expect::Works || is_zero(expect) && acts(verb);
    match expect {
        _ if told || success => ".".to_owned(),
        Expect::Irqs(_) if verb == "expect" => ".".to_owned(),
        // The end of a procedure, which waits until it is done.
        Expect::Value { .. } if verb.contains("dma-") => ".".to_owned(),
        expect => format!(": {expect}."),
    }
}

/// Tells whether a word asks the hypervisor to do something, and not for a number.
fn acts(verb: &str) -> bool {
    let asks = [
        "-list", "-group", "-known", "-info", "-pages", "-domains", "-version",
    ];
    let query = asks.iter().any(|end| verb.ends_with(end)) && !verb.contains("map-");
    let pages = ["permit-pages", "forbid-pages"].contains(&verb);
    crate::scenario::is_request(verb) && (pages || !query)
}

const fn is_zero(expect: &Expect) -> bool {
    matches!(
        expect,
        Expect::Value {
            value: 0,
            mask: u64::MAX
        }
    )
}

/// Says an edit of a tree.
pub fn edit(edit: &Edit) -> String {
    let value = |value: &dtb_gen::Value| {
        use dtb_gen::Value;
        match value {
            Value::Empty => "present".to_owned(),
            Value::Text(text) => format!("`{text}`"),
            Value::Texts(texts) => format!("`{}`", texts.join("`, `")),
            Value::Cells(cells) => {
                let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:#x}")).collect();
                format!("`<{}>`", cells.join(" "))
            }
            Value::Cells64(cells) => {
                let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:#x}")).collect();
                format!("`/bits/ 64 <{}>`", cells.join(" "))
            }
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        }
    };
    match edit {
        Edit::Set {
            path,
            prop,
            value: to,
        } => format!("`{prop}` of `{path}` is {}", value(to)),
        Edit::Delete { path, prop } => format!("`{path}` has no `{prop}`"),
        Edit::Resize { path, prop, by } => format!("`{prop}` of `{path}` is {by} bytes longer"),
        Edit::AddNode { parent, node } => {
            format!(
                "`{}` gets the node `{}`",
                if parent.is_empty() { "/" } else { parent },
                node.name
            )
        }
        Edit::RemoveNode { path } => format!("`{path}` is not there"),
        Edit::CopyNode { path, name } => format!("`{path}` is there twice, also as `{name}`"),
        Edit::RenameNode { path, name } => format!("`{path}` is called `{name}`"),
        Edit::Point {
            path,
            prop,
            target,
            after,
            ..
        } => {
            let after: Vec<String> = after.iter().map(|cell| format!("{cell:#x}")).collect();
            format!(
                "`{prop}` of `{path}` refers to `{target}` {}",
                after.join(" ")
            )
            .trim_end()
            .to_owned()
        }
    }
}
