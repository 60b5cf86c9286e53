//! What devices can be made to do, by the procedures of the library.

use wire::{Op, Place, Width};

use super::Made;
use crate::case::expect::Expect;
use crate::language::Scope;
use crate::language::operand::{Operands, PATIENCE};
use crate::language::values;
use crate::library::device::Operand;
use crate::library::{Procedure, Step};

pub const VERBS: &[&str] = &["copy", "identify"];

/// What is written: a number, or the address of a place in scratch memory that only the probe knows.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    Number(u64),
    Scratch(Place),
}

/// One access of a procedure.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    Write(Width, u64, Argument),
    Wait(Width, u64, u64, u64),
    Read(Width, u64, u64, u64),
}

/// Reads `VERB DEVICE ARGUMENT...` for a procedure of the device, and returns its accesses; none if there is no such
/// procedure.
pub fn steps(verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Vec<Access>>, String> {
    let scope = words.scope;
    let Some(device) = words.peek() else {
        return Ok(None);
    };
    let Some(model) = scope.known_model(device) else {
        return Ok(None);
    };
    let Some(procedure) = model.procedures.get(verb) else {
        return Ok(None);
    };
    scope.whole_device(device)?;
    scope.is_there(device)?;
    words.word("a device")?;
    let mut arguments = Vec::new();
    for name in &procedure.parameters {
        let word = words.word(name)?;
        arguments.push(match word.strip_prefix('@') {
            Some(place) => Argument::Scratch(words.place_of(place)?),
            None => Argument::Number(scope.number(word)?),
        });
    }
    let value = |operand: &Operand| resolve(operand, procedure, &arguments, &model.values);
    let steps = procedure.steps.iter().map(|step| {
        let (at, form) = scope.register(device, step.register())?;
        let width = form.width().unwrap_or(Width::W32);
        let number = |operand: &Operand| match value(operand)? {
            Argument::Number(number) => Ok(number),
            Argument::Scratch(_) => Err(format!(
                "`{verb} {device}`: a place in scratch memory is only written"
            )),
        };
        Ok(match step {
            Step::Write(step) => Access::Write(width, at, value(&step.value)?),
            Step::Wait(step) => {
                let bits = step.bits.unwrap_or(form.bits);
                let width = crate::library::device::RegisterForm { bits, ..form }.width();
                let width = width.unwrap_or(Width::W32);
                Access::Wait(width, at, step.mask, number(&step.value)?)
            }
            Step::Read(step) => {
                let mask = step.mask.unwrap_or(u64::MAX);
                Access::Read(width, at, mask, number(&step.value)?)
            }
        })
    });
    steps.collect::<Result<_, String>>().map(Some)
}

fn resolve(
    operand: &Operand,
    procedure: &Procedure,
    arguments: &[Argument],
    values: &std::collections::BTreeMap<String, u64>,
) -> Result<Argument, String> {
    match operand {
        Operand::Number(number) => Ok(Argument::Number(*number)),
        Operand::Name(name) => {
            let place = procedure.parameters.iter().position(|known| known == name);
            let argument = place.and_then(|place| arguments.get(place)).copied();
            let value = values.get(name).map(|value| Argument::Number(*value));
            argument
                .or(value)
                .ok_or_else(|| format!("`{name}` is no value of the device"))
        }
    }
}

/// Reads a procedure, `identify DEVICE`, or `copy DEVICE FROM TO [VALUE]`.
pub fn several(verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Made>, String> {
    match verb {
        "copy" => return copy(words).map(Some),
        "identify" => return identify(words).map(Some),
        _ => {}
    }
    Ok(steps(verb, words)?.map(operations))
}

fn operations(steps: Vec<Access>) -> Made {
    let made = steps.into_iter().map(|step| match step {
        Access::Write(width, at, Argument::Number(value)) => (Op::Write { width, at, value }, None),
        Access::Write(_, at, Argument::Scratch(place)) => {
            (Op::WriteScratchAddress { at, place }, None)
        }
        Access::Wait(width, at, mask, value) => {
            let op = Op::Wait {
                width,
                at,
                mask,
                value,
                ms: PATIENCE,
            };
            (op, Some(exactly(value)))
        }
        Access::Read(width, at, mask, value) => {
            (Op::Read { width, at }, Some(Expect::Value { value, mask }))
        }
    });
    made.collect()
}

const fn exactly(value: u64) -> Expect {
    Expect::Value {
        value,
        mask: u64::MAX,
    }
}

/// Reads the register by which one knows the device.
fn identify(words: &mut Operands<'_, '_>) -> Result<Made, String> {
    let device = words.word("a device")?;
    words.scope.whole_device(device)?;
    let known = words.scope.model(device)?.identity.as_ref();
    let known = known.ok_or_else(|| format!("`{device}` has no register that identifies it"))?;
    let (at, form) = words.scope.register(device, &known.register)?;
    let width = form.width().unwrap_or(Width::W32);
    Ok(vec![(Op::Read { width, at }, Some(exactly(known.value)))])
}

/// Has a device copy eight bytes of the domain's memory: writes a value, lets the device read it and write it to
/// another place, and reads it there.
fn copy(words: &mut Operands<'_, '_>) -> Result<Made, String> {
    let scope = words.scope;
    let device = words.word("a device")?;
    let (from, to) = (words.address()?, words.address()?);
    let value = match words.is_empty() {
        true => values::value("pattern").unwrap_or_default(),
        false => words.number("a value")?,
    };
    let width = Width::W64;
    let write = Op::Write {
        width,
        at: from,
        value,
    };
    let read = Op::Read { width, at: to };
    Ok([
        vec![(write, None)],
        transfer("dma-read", device, from, scope)?,
        transfer("dma-write", device, to, scope)?,
        vec![(read, Some(exactly(value)))],
    ]
    .concat())
}

fn transfer(verb: &str, device: &str, at: u64, scope: Scope<'_>) -> Result<Made, String> {
    let text = format!("{device} {at:#x} 8");
    let made = several(verb, &mut Operands::of(&text, scope))?;
    made.ok_or_else(|| format!("`{device}` has no procedure `{verb}`"))
}
