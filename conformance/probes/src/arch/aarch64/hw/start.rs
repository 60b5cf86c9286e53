//! Runs the probe, from the first instruction in Rust to the script's last op.

use aarch64_cpu::registers::{CNTFRQ_EL0, CurrentEL, MPIDR_EL1, Readable};
use wire::pack::Pack;
use wire::{Header, Note, Ops, ScriptError, Width, parse_script};

use super::access;
use super::accident::{DONE, give_up};
use super::console::Console;
use super::hardware::{self, HARDWARE, Hardware, IRQS, idle};
use crate::arch::aarch64::board::Board;
use crate::machine::Machine;
use crate::run::{Control, Runner};
use crate::tree::{self, Tree};

/// The version of the probe, which its hello carries.
const VERSION: u8 = 2;

/// The largest tree that the boot protocol allows.
const TREE_LIMIT: u64 = 2 << 20;
/// The largest ramdisk that the probe reads.
const RAMDISK_LIMIT: u64 = 1 << 20;

/// The script, with its header.
struct Script {
    header: Header,
    ops: Ops<'static>,
    pack: Option<Pack<'static>>,
}

/// Runs the script that the tree at `blob` leads to. Called by boot.S, with the MMU off.
#[expect(unsafe_code, reason = "boot.S finds it by its name")]
// SAFETY: No other symbol of the image has this name.
#[unsafe(no_mangle)]
extern "C" fn probe_start(blob: u64) -> ! {
    let tree = tree_at(blob).unwrap_or_default();
    let parsed = Tree::new(tree);
    let board = parsed.as_ref().map(Board::read).unwrap_or_default();
    // SAFETY: boot.S calls this function once, and has not switched the MMU on.
    let Ok(tables) = (unsafe { hardware::translate(&board) }) else {
        // The tables suffice for any image. Without translation the console's lock does not work.
        Console::new(board.uart, 0, 0).say(Note::Bad {
            at: 0,
            why: ScriptError::Panic,
        });
        idle()
    };
    let script = match parsed {
        Ok(_) => script(&board),
        Err(at) => Err((
            Header {
                nonce: 0,
                dom: 0,
                in_ramdisk: false,
            },
            Note::Bad {
                at,
                why: ScriptError::Tree,
            },
        )),
    };
    let header = match &script {
        Ok(script) => script.header,
        Err((header, _)) => *header,
    };
    let console = Console::new(board.uart, header.nonce, header.dom);
    let hardware = HARDWARE.call_once(|| Hardware::new(console, tables, &board, tree));
    greet(hardware);
    match script {
        Ok(script) => Runner {
            machine: hardware,
            irqs: &IRQS,
            done: &DONE,
            interrupts_at: board.gic,
            interrupts: None,
            tree,
            banks: &board.banks,
            pack: script.pack,
            control: Control::default(),
        }
        .run(script.ops),
        Err((_, bad)) => give_up(hardware, bad),
    }
    idle()
}

/// Sends a hello from another CPU, and idles. Called by boot.S, with the MMU on.
#[expect(unsafe_code, reason = "boot.S finds it by its name")]
// SAFETY: No other symbol of the image has this name.
#[unsafe(no_mangle)]
extern "C" fn probe_secondary() -> ! {
    if let Some(hardware) = HARDWARE.get() {
        greet(hardware);
    }
    idle()
}

fn greet(hardware: &Hardware) {
    hardware.say(Note::Hello {
        version: VERSION,
        privilege: u8::try_from(CurrentEL.read(CurrentEL::EL)).unwrap_or_default(),
        frequency: u32::try_from(CNTFRQ_EL0.get()).unwrap_or(u32::MAX),
        cpu: MPIDR_EL1.get(),
    });
}

/// Finds the script, and parses every op of it. An error comes with as much of the header as was readable.
fn script(board: &Board<'static>) -> Result<Script, (Header, Note)> {
    let unknown = Header {
        nonce: 0,
        dom: 0,
        in_ramdisk: false,
    };
    let bad = |header| {
        move |error: wire::OpError| {
            (
                header,
                Note::Bad {
                    at: place(error.at),
                    why: error.kind.why(),
                },
            )
        }
    };
    let (header, mut ops) = parse_script(board.arguments).map_err(bad(unknown))?;
    let mut pack = None;
    if header.in_ramdisk {
        let missing = (
            header,
            Note::Bad {
                at: 0,
                why: ScriptError::Script,
            },
        );
        let (first, end) = board.ramdisk.ok_or(missing)?;
        let size = end
            .checked_sub(first)
            .filter(|size| *size <= RAMDISK_LIMIT)
            .ok_or(missing)?;
        let ramdisk = memory_at(first, size).ok_or(missing)?;
        ops = parse_script(ramdisk).map_err(bad(header))?.1;
        pack = Pack::behind(ramdisk);
    }
    // The probe parses every op before it carries out the first one.
    match ops.clone().find_map(Result::err) {
        Some(error) => Err(bad(header)(error)),
        None => Ok(Script { header, ops, pack }),
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Returns the tree at an address, if there is one of a size that the boot protocol allows.
fn tree_at(at: u64) -> Option<&'static [u8]> {
    let read = |at| {
        access::read(Width::W32, at)
            .ok()
            .and_then(|word| u32::try_from(word).ok())
    };
    if !at.is_multiple_of(8) {
        return None;
    }
    let mut head = [0; 8];
    for (half, at) in head.chunks_exact_mut(4).zip([at, at.checked_add(4)?]) {
        half.copy_from_slice(&read(at)?.to_le_bytes());
    }
    let size = u64::from(tree::total_size(head)?);
    if size > TREE_LIMIT {
        None
    } else {
        memory_at(at, size)
    }
}

/// Returns memory that the boot loader filled, after a test read of each page.
fn memory_at(at: u64, size: u64) -> Option<&'static [u8]> {
    let last = at.checked_add(size.checked_sub(1)?)?;
    let image = hardware::image();
    if last >= image.0 && at <= image.1 {
        return None;
    }
    for page in (at..=last).step_by(4096).chain([last]) {
        access::read(Width::W8, page).ok()?;
    }
    let first = usize::try_from(at).ok()?;
    // SAFETY: Every page of it was readable just now, none of it is the image, and by the boot protocol
    // it belongs to this program; scripts cannot write to it (`Hardware::write`). A hypervisor that
    // changes it meanwhile is defective, and the probe may then report nonsense.
    Some(unsafe {
        core::slice::from_raw_parts(
            core::ptr::with_exposed_provenance(first),
            usize::try_from(size).ok()?,
        )
    })
}
