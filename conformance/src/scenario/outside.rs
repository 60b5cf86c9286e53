//! Actions outside the guests, as typed actions with what must be observed.

use wire::Width;

use crate::arch;
use crate::case::expect::Expect;
use crate::language::Scope;
use crate::language::operand::{Operands, access};
use crate::pci::{Role, Topology};
use crate::scenario::domain_table::FLAG;
use crate::scenario::script::{Access, Argument, steps};
use crate::scenario::{Action, ActionKind};

/// Slot control (PCIe 7.5.3.10): power controller off and both indicators off, so that the port waits for nothing else.
const SLOT_OFF: u64 = 0x7c0;

/// The words with which an action begins, apart from the procedures of devices.
pub const VERBS: &[&str] = &[
    "read8",
    "read16",
    "read32",
    "read64",
    "write8",
    "write16",
    "write32",
    "write64",
    "wait8",
    "wait16",
    "wait32",
    "wait64",
    "raise-line",
    "lower-line",
    "pulse-line",
    "line",
    "post",
    "qmp",
    "query-pci",
    "stop",
    "cont",
    "unplug",
];

/// Tells whether an action can begin with a word.
#[cfg(test)]
pub fn is_outside(verb: &str) -> bool {
    VERBS.contains(&verb)
}

/// Reads the actions that a text stands for.
pub fn actions(text: &str, scope: &Scope<'_>) -> Result<Vec<Action>, String> {
    let (body, expect) = match text.split_once("=>") {
        None => (text.trim(), None),
        Some((body, expect)) => (body.trim(), Some(expect.trim())),
    };
    let mut words = Operands::of(body, *scope);
    let verb = words.word("an action")?;
    let made = match one(verb, &mut words)? {
        Some((what, width)) => {
            let expect = match (expect, &what) {
                (None, ActionKind::Wait(_, _, mask, value)) => Expect::Value {
                    value: *value,
                    mask: *mask,
                },
                (Some(_), ActionKind::Wait(..)) => {
                    return Err(format!("`{body}` states its expectation itself"));
                }
                (None, _) => Expect::Works,
                (Some(text), _) => Expect::parse(text, scope, width)?,
            };
            vec![(what, expect)]
        }
        None => {
            let made = several(verb, &mut words)?;
            let made = made.ok_or_else(|| unknown(verb, &mut words))?;
            if expect.is_some() {
                return Err(format!("`{body}` states its expectation itself"));
            }
            made
        }
    };
    words.end()?;
    if let Some((what, expect)) = made.iter().find(|(what, expect)| !suits(what, expect)) {
        return Err(format!("`{body}` never answers with: {expect} ({what:?})"));
    }
    let action = |(what, expect)| Action {
        text: body.to_owned(),
        what,
        expect,
    };
    Ok(made.into_iter().map(action).collect())
}

/// Tells whether an action can be answered in the way that is expected.
const fn suits(what: &ActionKind, expect: &Expect) -> bool {
    match expect {
        Expect::Works | Expect::Any => true,
        Expect::Value { .. } | Expect::Not(_) | Expect::Range { .. } | Expect::Unchanged => {
            matches!(what, ActionKind::Read(..) | ActionKind::Wait(..))
        }
        _ => false,
    }
}

fn bytes(width: Width) -> u8 {
    u8::try_from(width.bytes()).unwrap_or(8)
}

/// Reads a text that stands for one action, with the size of what it reads.
fn one(verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<(ActionKind, Width)>, String> {
    if let Some((_, width)) = access(verb, "read") {
        let at = words.address()?;
        return Ok(Some((ActionKind::Read(at, bytes(width)), width)));
    }
    if let Some((_, width)) = access(verb, "write") {
        let (at, value) = (words.address()?, words.value("a value", width)?);
        return Ok(Some((ActionKind::Write(at, bytes(width), value), width)));
    }
    if let Some((_, width)) = access(verb, "wait") {
        let at = words.address()?;
        let (mask, value) = (
            words.value("a mask", width)?,
            words.value("a value", width)?,
        );
        return Ok(Some((
            ActionKind::Wait(at, bytes(width), mask, value),
            width,
        )));
    }
    let what = match verb {
        "raise-line" => ActionKind::Line(line(words)?, true),
        "lower-line" => ActionKind::Line(line(words)?, false),
        "post" => {
            let name = words.word("a domain")?;
            let (ram, _) = words.scope.names.banks.get(name).ok_or_else(|| {
                format!("`{name}` has no static memory into which could be written from outside")
            })?;
            let value = words.value("a value", Width::W32)?;
            ActionKind::Write(ram.saturating_add(FLAG), 4, value)
        }
        "qmp" => {
            let name = words.word("a command")?.to_owned();
            let rest = words.rest();
            let pair = |text: &str| {
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| format!("`{text}`: an argument reads `NAME=VALUE`"))?;
                Ok((name.to_owned(), value.to_owned()))
            };
            let arguments = rest.split_whitespace().map(pair);
            ActionKind::Qmp(name, arguments.collect::<Result<_, String>>()?)
        }
        "query-pci" => ActionKind::QueryPci,
        "stop" => ActionKind::Stop,
        "cont" => ActionKind::Continue,
        _ => return Ok(None),
    };
    Ok(Some((what, Width::W64)))
}

/// Reads an interrupt, and returns its number among the input lines of the interrupt controller.
fn line(words: &mut Operands<'_, '_>) -> Result<u32, String> {
    let irq = words.irq()?;
    irq.0
        .checked_sub(arch::FIRST_SHARED)
        .ok_or_else(|| format!("{irq} is no input line of the interrupt controller"))
}

/// Reads a text that stands for several actions.
fn several(
    verb: &str,
    words: &mut Operands<'_, '_>,
) -> Result<Option<Vec<(ActionKind, Expect)>>, String> {
    match verb {
        "pulse-line" => {
            let line = line(words)?;
            let acts = [true, false].map(|high| (ActionKind::Line(line, high), Expect::Works));
            return Ok(Some(acts.into()));
        }
        "line" => return line_states(words).map(Some),
        "unplug" => {
            let functions = words.scope.names.pci.as_ref();
            let functions = functions.ok_or("the machine of this case has no `pci`")?;
            return unplug(functions, words.word("a function")?).map(Some);
        }
        _ => {}
    }
    let Some(steps) = steps(verb, words)? else {
        return Ok(None);
    };
    let act = |step| {
        Ok(match step {
            Access::Write(width, at, Argument::Number(value)) => {
                (ActionKind::Write(at, bytes(width), value), Expect::Works)
            }
            Access::Write(_, _, Argument::Scratch(place)) => {
                return Err(format!("`@{place}`: only a probe has scratch memory"));
            }
            Access::Wait(width, at, mask, value) => (
                ActionKind::Wait(at, bytes(width), mask, value),
                Expect::Value { value, mask },
            ),
            Access::Read(width, at, mask, value) => (
                ActionKind::Read(at, bytes(width)),
                Expect::Value { value, mask },
            ),
        })
    };
    steps
        .into_iter()
        .map(act)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Reads `line INTERRUPT STATE...`: what the interrupt controller must show of an input line.
fn line_states(words: &mut Operands<'_, '_>) -> Result<Vec<(ActionKind, Expect)>, String> {
    let irq = words.irq()?;
    let mut acts = Vec::new();
    while acts.is_empty() || !words.is_empty() {
        let word = words.word("a state")?;
        let state = arch::line_state(irq.0, word).ok_or_else(|| {
            let known = arch::LINE_STATES.join("`, `");
            format!("`{word}` is no state of a line; there are `{known}`")
        })?;
        let (at, form) = words.scope.register(state.device, &state.register)?;
        let width = form.width().unwrap_or(Width::W32);
        let value = if state.set { state.bit } else { 0 };
        let expect = Expect::Value {
            value,
            mask: state.bit,
        };
        acts.push((ActionKind::Read(at, bytes(width)), expect));
    }
    Ok(acts)
}

/// Unplugs a function. After the request the port's slot is powered off, as a guest would do on such a request, so that
/// the function disappears at once whatever the guests do.
fn unplug(functions: &Topology, name: &str) -> Result<Vec<(ActionKind, Expect)>, String> {
    let one = functions.find(name)?;
    let port = one.above.and_then(|above| functions.functions.get(above));
    let Some((port, Role::Port(control))) = port.map(|port| (port, port.model.pci.role())) else {
        return Err(format!(
            "`{name}` is in no port from which it could be unplugged"
        ));
    };
    let at = functions.config(&port.name, u64::from(control))?;
    let id = vec![("id".to_owned(), one.id())];
    Ok(vec![
        (ActionKind::Qmp("device_del".to_owned(), id), Expect::Works),
        (ActionKind::Write(at, 2, SLOT_OFF), Expect::Works),
    ])
}

fn unknown(verb: &str, words: &mut Operands<'_, '_>) -> String {
    let device = words.peek().and_then(|name| words.scope.known_model(name));
    let own = device.iter().flat_map(|device| device.procedures.keys());
    let known = VERBS.iter().copied().chain(own.map(String::as_str));
    match text::nearest(verb, known) {
        Some(near) => format!("`{verb}` is no action outside; did you mean `{near}`?"),
        None => format!(
            "`{verb}` is no action outside; there are `{}`, and the procedures of devices",
            VERBS.join("`, `")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{outside, scenario};

    fn act(text: &str) -> Result<Action, String> {
        actions(text, &outside()).map(|mut made| made.remove(0))
    }

    fn whats(text: &str) -> Vec<ActionKind> {
        let made = actions(text, &outside()).unwrap();
        made.into_iter().map(|action| action.what).collect()
    }

    const fn value(value: u64, mask: u64) -> Expect {
        Expect::Value { value, mask }
    }

    /// Accesses are read with their expectations, for which `ones` is as wide as the access.
    #[test]
    fn accesses_are_read() {
        let write = act("write16 gpio.IE 3").unwrap();
        assert_eq!(write.what, ActionKind::Write(0x903_0410, 2, 3));
        assert_eq!(write.text, "write16 gpio.IE 3");
        let read = act("read32 0x10 => unchanged").unwrap();
        assert_eq!(
            (read.what, read.expect),
            (ActionKind::Read(16, 4), Expect::Unchanged)
        );
        let ones = act("read16 bank1 => ones").unwrap();
        assert_eq!(ones.expect, value(0xffff, u64::MAX));
        let wait = act("wait32 0x10 1 0").unwrap();
        assert_eq!(
            (wait.what, wait.expect),
            (ActionKind::Wait(16, 4, 1, 0), value(0, 1))
        );
        for (text, told) in [
            ("wait32 0x10 1 0 => 0", "states its expectation itself"),
            (
                "read33 0x10",
                "`read33` is no action outside; did you mean `read32`?",
            ),
            ("read32", "an address is missing"),
            ("read32 0x10 0x20", "`0x20` is one word too many"),
            ("write8 0x10 0x100", "0x100 does not fit 8 bits"),
            ("read32 gpoi.IE", "did you mean `gpio`?"),
        ] {
            let error = act(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    /// An interrupt stands for its input line of the interrupt controller.
    #[test]
    fn lines_are_driven() {
        assert_eq!(whats("raise-line gpio.irq"), [ActionKind::Line(7, true)]);
        assert_eq!(whats("lower-line 33"), [ActionKind::Line(1, false)]);
        let pulse = [true, false].map(|high| ActionKind::Line(7, high));
        assert_eq!(whats("pulse-line gpio.irq"), pulse);
        let told = act("raise-line 31").unwrap_err();
        assert!(told.contains("is no input line"), "{told}");
        let told = act("raise-lines 33").unwrap_err();
        assert!(told.contains("did you mean `raise-line`?"), "{told}");
    }

    /// A procedure of a device stands for its accesses, which state their expectations.
    #[test]
    fn devices_are_operated() {
        use ActionKind::{Wait, Write};
        let edu = 0x1000_0000;
        assert_eq!(
            whats("dma-write edu ram+2M 8"),
            [
                Write(edu + 0x80, 8, 0x4_0000),
                Write(edu + 0x88, 8, 0x4020_0000),
                Write(edu + 0x90, 8, 8),
                Write(edu + 0x98, 8, 3),
                Wait(edu + 0x98, 4, 0xff, 2),
            ]
        );
        let last = actions("dma-write edu ram 8", &outside()).unwrap().pop();
        assert_eq!(last.map(|action| action.expect), Some(value(2, 0xff)));
        assert_eq!(whats("raise edu@window"), [Write(0x0a00_0060, 4, 1)]);
        for (text, told) in [
            ("dma-write edu @1 8", "only a probe has scratch memory"),
            ("dma-write edu ram", "bytes is missing"),
            ("dma-write gpio ram 8", "`dma-write` is no action outside"),
            ("lower gpio => 0", "states its expectation itself"),
        ] {
            let error = act(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    /// Words for domains with static memory, for functions in ports, and for QEMU itself.
    #[test]
    fn other_words_are_read() {
        let made = scenario(
            "    machine: {pci: [{name: port, device: pcie-root-port, below: [{name: two, device: edu}]}]}
    domains: [{name: dA, static: [bank1 8M]}, {name: dB}]
    outside: [{at: start, do: [post dA 7, unplug two, qmp device_del id=pci-two force=on, cont]}]
",
        );
        let acts: Vec<ActionKind> = made.outside[0]
            .acts
            .iter()
            .map(|act| act.what.clone())
            .collect();
        let text = |text: &str| text.to_owned();
        let unplugged = vec![(text("id"), text("pci-two"))];
        let forced = vec![(text("id"), text("pci-two")), (text("force"), text("on"))];
        let control = 0x40_1000_8000 + 0x6c;
        assert_eq!(
            acts,
            [
                ActionKind::Write(0x5810_0000, 4, 7),
                ActionKind::Qmp(text("device_del"), unplugged),
                ActionKind::Write(control, 2, SLOT_OFF),
                ActionKind::Qmp(text("device_del"), forced),
                ActionKind::Continue,
            ]
        );
        let told = act("post dB 1").unwrap_err();
        assert!(told.contains("`dB` has no static memory"), "{told}");
        let told = act("unplug two").unwrap_err();
        assert!(told.contains("has no `pci`"), "{told}");
        let told = act("qmp device_del two").unwrap_err();
        assert!(told.contains("reads `NAME=VALUE`"), "{told}");
    }
}
