//! Turns scenario and blobs into a request for the runner, and steers the run. This module starts no processes; the
//! runner does.

use std::collections::BTreeSet;

use model::Level;
use runners::{
    Action, Command, File, Icount, Iommu, Load, Profile, Refusal, Request, RunController, RunRecord,
};
use wire::{Answer, Frame, Note};

use crate::arch;
use crate::dtb::Blobs;
use crate::observe::{End, Observation, OutsideAnswer, Recorder};
use crate::panic_log::PanicDetector;
use crate::pci::firmware::{Access, accesses};
use crate::pci::{Firmware, Topology};
use crate::scenario::{ActionKind, Expectation, Scenario, Step, TriggerPoint};

pub mod control_run;
mod machine;
#[cfg(test)]
mod tests;
mod u_boot;

pub use machine::machine;

/// Prefix of the labels of the firmware's accesses.
const FIRMWARE: &str = "firmware ";

/// How often a run may poll registers in vain: enough for several seconds.
const LOOKS: u32 = 100_000;
/// Clock of machines with a device whose transfers take long by the machine's clock. This clock skips the time in which all processors wait, so it is set only where no action from outside could then come too late.
const CLOCK: Icount = Icount {
    shift: CLOCK_SHIFT,
    sleep: false,
};
/// Duration of an instruction on such a machine: two to this power, in nanoseconds.
pub const CLOCK_SHIFT: u8 = 8;
/// Returns the firmware's accesses to PCI functions, each labelled by its index.
fn firmware(scenario: &Scenario) -> impl Iterator<Item = runners::LabelledAction> {
    let accesses = scenario.pci.iter().flat_map(accesses);
    accesses
        .enumerate()
        .map(|(place, access)| runners::LabelledAction {
            label: format!("{FIRMWARE}{place}"),
            action: match access {
                Access::Write { at, bytes, value } => Action::Write {
                    addr: at,
                    bytes: value.to_le_bytes()[..usize::from(bytes)].to_vec(),
                },
                Access::Read { at, bytes, .. } => Action::Read {
                    addr: at,
                    len: usize::from(bytes),
                },
            },
        })
}

/// Finds a machine's IOMMUs in its own tree.
pub fn iommus(tree: &dtb_gen::Tree) -> Vec<Iommu> {
    let cells = |name| tree.root.get(name).and_then(dtb_gen::Prop::u32);
    // Devicetree Specification 2.3.5: two cells if the property is absent.
    let wide = cells("#address-cells").unwrap_or(2) == 2;
    let place = |node: &dtb_gen::Node| match node.get("reg")?.cells()?.as_slice() {
        [high, low, ..] if wide => Some(u64::from(*high) << 32 | u64::from(*low)),
        [low, ..] if !wide => Some(u64::from(*low)),
        _ => None,
    };
    let nodes = tree.root.children.iter();
    let iommus = nodes.filter_map(|node| {
        let compatible = node.get("compatible").and_then(dtb_gen::Prop::texts)?;
        Iommu::described(&compatible, place(node)?)
    });
    iommus.collect()
}

/// Builds the request for one run.
pub fn request(
    scenario: &Scenario,
    profile: &Profile,
    image: &std::path::Path,
    blobs: &Blobs,
) -> Request {
    let mut machine = machine(profile, scenario);
    machine
        .devices
        .extend(scenario.pci.iter().flat_map(Topology::arguments));
    let apart = |step: &Step| matches!(step.at, TriggerPoint::Start | TriggerPoint::End);
    let real = |pci: &Topology| pci.firmware == Firmware::UBoot;
    let real = scenario.pci.as_ref().is_some_and(real);
    let functions = scenario.pci.iter().flat_map(|pci| &pci.functions);
    let devices = functions.map(|one| one.model.device);
    let mut devices = devices.chain(scenario.added.iter().map(|added| added.device));
    let slow = devices.any(|device| device.slow);
    let mut request = Request::new(profile.arch, machine, image, profile.deadline());
    let ahead = slow && !real && scenario.outside.iter().all(apart);
    request.icount = ahead.then_some(CLOCK);
    request.host_dtb = Some(blobs.host.clone());
    request.loads = blobs
        .modules
        .iter()
        .map(|(_, at, bytes)| Load::new(*at, bytes.clone()))
        .collect();
    let mut flashes = machine::flashes(scenario);
    if let Some(firmware) = profile.firmware.as_ref().filter(|_| real) {
        let bytes = u_boot::environment(firmware).into();
        flashes.push((bytes, u_boot::FLASH, u_boot::UNIT));
        request.firmware = Some(firmware.clone());
    }
    for (bytes, size, unit) in flashes {
        request
            .files
            .push(File::new("flash.img", bytes).padded(size));
        let drive = format!("if=pflash,unit={unit},format=raw,readonly=on,file=flash.img");
        request.extra.extend(["-drive".to_owned(), drive]);
    }
    request.before.extend(machine::platform_functions(scenario));
    request.before.extend(firmware(scenario));
    request.before.extend(steps(scenario, &TriggerPoint::Start));
    request
}

/// Returns the actions of one moment, labelled by their place in the scenario.
fn steps<'s>(
    scenario: &'s Scenario,
    trigger: &'s TriggerPoint,
) -> impl Iterator<Item = runners::LabelledAction> + use<'s> {
    scenario
        .outside
        .iter()
        .enumerate()
        .filter(move |(_, step)| step.at == *trigger)
        .flat_map(|(place, step)| {
            step.acts
                .iter()
                .enumerate()
                .map(move |(turn, act)| runners::LabelledAction {
                    label: label(place, turn),
                    action: action(&act.what),
                })
        })
}

/// Returns the label of action `turn` of step `place`.
pub fn label(place: usize, turn: usize) -> String {
    format!("{place}.{turn}")
}

fn action(what: &ActionKind) -> Action {
    match what {
        ActionKind::Read(addr, bytes) => Action::Read {
            addr: *addr,
            len: usize::from(*bytes),
        },
        ActionKind::Wait(addr, bytes, ..) => Action::Read {
            addr: *addr,
            len: usize::from(*bytes),
        },
        ActionKind::Write(addr, bytes, value) => Action::Write {
            addr: *addr,
            bytes: value.to_le_bytes()[..usize::from(*bytes)].to_vec(),
        },
        ActionKind::Line(line, level) => Action::SetLine {
            line: format!("{}{line}", arch::LINE),
            high: *level,
        },
        ActionKind::Qmp(name, arguments) => Action::Qmp {
            execute: name.clone(),
            arguments: arguments.iter().cloned().collect(),
        },
        ActionKind::QueryPci => Action::Qmp {
            execute: "query-pci".to_owned(),
            arguments: serde_json::Value::Null,
        },
        ActionKind::Stop => Action::Stop,
        ActionKind::Continue => Action::Continue,
    }
}

/// Follows a run: records it, acts at its marks and ends it when the last awaited line has arrived.
pub struct RunObserver<'s> {
    scenario: &'s Scenario,
    recorder: Recorder,
    detector: PanicDetector,
    /// Whether the subject claims to refuse all that it should: a domain that runs nevertheless decides the verdict at
    /// once.
    strict: bool,
    /// Domains whose lines are still awaited.
    waiting: BTreeSet<u8>,
    /// Reads by which the firmware checks the machine, and why the machine is not the one that was asked for.
    firmware: Vec<Access>,
    wrong_machine: Option<String>,
    /// Actions without an answer so far.
    pending: BTreeSet<String>,
    /// How often a register was polled in vain.
    looks: u32,
    ending: bool,
}

impl<'s> RunObserver<'s> {
    /// Starts to follow a run of `scenario` whose frames carry `nonce`.
    pub fn new(scenario: &'s Scenario, nonce: u32) -> Self {
        let speaks = |domain: &&crate::scenario::Domain| {
            domain.expectation == Expectation::Runs && domain.vpl011
        };
        Self {
            scenario,
            recorder: Recorder::new(nonce),
            detector: PanicDetector::new(None),
            strict: true,
            waiting: scenario
                .domains
                .iter()
                .filter(speaks)
                .map(|domain| domain.number)
                .collect(),
            firmware: scenario.pci.iter().flat_map(accesses).collect(),
            wrong_machine: None,
            pending: BTreeSet::new(),
            looks: 0,
            ending: false,
        }
    }

    /// Adds what the subject claims: how the host stops, and what becomes of a domain that it should refuse. If it
    /// refuses by stopping, the observer waits for each such domain until it sends a frame or the host stops, so that
    /// no refusal is missed.
    #[must_use]
    pub fn knowing(mut self, profile: &Profile) -> Self {
        self.detector = PanicDetector::new(profile.panic_format.clone());
        self.strict = profile.level == Level::Strict;
        if profile.refusal == Refusal::HostStops {
            let refused = self.scenario.domains.iter().filter(|domain| {
                matches!(domain.expectation, Expectation::Refused(_))
                    && domain.child.is_none()
                    && domain.vpl011
            });
            self.waiting.extend(refused.map(|domain| domain.number));
        }
        self
    }

    /// Completes the record with how the run ended.
    pub fn close(self, record: RunRecord) -> Observation {
        let mut seen = self.recorder.seen;
        if let Some(why) = self.wrong_machine {
            seen.console = record.console;
            seen.end = End::Failed(why);
            return seen;
        }
        seen.end = match record.end {
            runners::End::Finished => End::Complete,
            runners::End::PoweredOff { reason } => End::PoweredOff(reason),
            runners::End::Deadline => End::Deadline,
            runners::End::Flooded { bytes } => End::Flooded(bytes),
            runners::End::Died { status, stderr } => End::Failed(format!(
                "QEMU ended by itself ({status}): {}",
                stderr.trim()
            )),
        };
        seen.console = record.console;
        seen.iommus = record.iommus;
        seen
    }

    fn begin(&mut self, trigger: &TriggerPoint) -> Vec<Command> {
        let acts: Vec<runners::LabelledAction> = steps(self.scenario, trigger).collect();
        self.pending
            .extend(acts.iter().map(|act| act.label.clone()));
        acts.into_iter().map(Command::Perform).collect()
    }

    /// Moves on to the end when nothing is left to wait for.
    fn proceed(&mut self) -> Vec<Command> {
        if !self.waiting.is_empty() || !self.pending.is_empty() {
            return Vec::new();
        }
        if !self.ending {
            self.ending = true;
            let last = self.begin(&TriggerPoint::End);
            if !last.is_empty() {
                return last;
            }
        }
        vec![Command::Finish]
    }

    /// Finds the action whose answer has this label.
    fn act(&self, label: &str) -> Option<&'s crate::scenario::Action> {
        let (place, turn) = label.split_once('.')?;
        let step = self.scenario.outside.get(place.parse::<usize>().ok()?)?;
        step.acts.get(turn.parse::<usize>().ok()?)
    }

    fn lists(&self, label: &str) -> bool {
        self.act(label)
            .is_some_and(|act| act.what == ActionKind::QueryPci)
    }

    /// Repeats a read of a register that does not have the awaited value yet; the deadline of the run limits it.
    fn look_again(&mut self, label: &str, answer: &runners::Answer) -> Option<Command> {
        let act = self.act(label)?;
        let ActionKind::Wait(_, _, mask, value) = act.what else {
            return None;
        };
        let shown = answer.value()? & mask == value & mask;
        self.looks += 1;
        (!shown && self.looks < LOOKS).then(|| Command::act(label, action(&act.what)))
    }

    /// Compares what the firmware reads with what it wrote. A machine other than the one asked for shows nothing about
    /// the hypervisor.
    fn read_back(&mut self, place: &str, answer: &runners::Answer) -> Vec<Command> {
        let access = place.parse::<usize>().ok();
        let wrong = match access.and_then(|place| self.firmware.get(place)) {
            Some(Access::Read {
                at, mask, value, ..
            }) => {
                let read = answer.value();
                let (mask, value) = (u64::from(*mask), u64::from(*value));
                (read.map(|read| read & mask) != Some(value & mask)).then(|| {
                    let shown =
                        read.map_or_else(|| format!("{answer:?}"), |read| format!("{read:#x}"));
                    format!("the firmware read {shown} at {at:#x} instead of {value:#x}")
                })
            }
            _ => match answer {
                runners::Answer::Refused(why) => {
                    Some(format!("the firmware could not write: {why}"))
                }
                _ => None,
            },
        };
        match wrong {
            None => Vec::new(),
            Some(why) => {
                self.wrong_machine = Some(why);
                vec![Command::Finish]
            }
        }
    }

    fn said(&mut self, frame: &Frame) {
        let Some(domain) = self
            .scenario
            .domains
            .iter()
            .find(|domain| domain.number == frame.dom)
        else {
            return;
        };
        let done = match frame.note {
            Note::End { .. } | Note::Bad { .. } => true,
            Note::Op { index, .. } => {
                domain.falls_silent() && usize::from(index) + 1 == domain.awaited()
            }
            Note::Hello { .. } | Note::Chunk { .. } | Note::Fault { .. } | Note::Stray(_) => false,
        };
        // A domain that runs but should not decides the verdict at once, unless the case judges it by what it observes.
        let refused = matches!(domain.expectation, Expectation::Refused(_));
        let decides = !self.strict && domain.if_permitted;
        if done || refused && !decides {
            self.waiting.remove(&frame.dom);
        } else if refused {
            self.waiting.insert(frame.dom);
        }
    }
}

impl RunController for RunObserver<'_> {
    fn line(&mut self, line: &str) -> Vec<Command> {
        let late = !self.recorder.seen.domains.is_empty();
        if let Some(stop) = self.detector.line(line, late) {
            self.recorder.seen.stop = Some(stop);
            return vec![Command::Finish];
        }
        let Some(frame) = self.recorder.line(line) else {
            return Vec::new();
        };
        self.said(&frame);
        let mut commands = Vec::new();
        if let Note::Op {
            answer: Answer::Mark(name),
            ..
        } = frame.note
        {
            commands = self.begin(&TriggerPoint::Mark(frame.dom, name.as_str().to_owned()));
        }
        commands.extend(self.proceed());
        commands
    }

    fn done(&mut self, label: &str, answer: &runners::Answer) -> Vec<Command> {
        if let Some(place) = label.strip_prefix(FIRMWARE) {
            return self.read_back(place, answer);
        }
        if let Some(again) = self.look_again(label, answer) {
            return vec![again];
        }
        self.pending.remove(label);
        let answer = match (answer, answer.value()) {
            (runners::Answer::Bytes(_), Some(value)) => OutsideAnswer::Value(value),
            (runners::Answer::Json(json), _) if self.lists(label) => {
                let listed = crate::pci::listed(json);
                let unread = || OutsideAnswer::Refused(format!("no list of functions: {json}"));
                listed.map_or_else(unread, OutsideAnswer::Functions)
            }
            (runners::Answer::Refused(why), _) => OutsideAnswer::Refused(why.clone()),
            _ => OutsideAnswer::Done,
        };
        // An action that was taken twice (its domain was started again) keeps its first answer.
        self.recorder
            .seen
            .outside
            .entry(label.to_owned())
            .or_insert(answer);
        // Actions before the first instruction come while every domain is still awaited.
        self.proceed()
    }
}
