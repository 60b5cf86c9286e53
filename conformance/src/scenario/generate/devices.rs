//! The devices of a domain: what a case leaves out follows from the machine and the library.

use super::{Expansion, Reader};
use crate::case::domain::DeviceNode;
use crate::case::load::SourceError;
use crate::case::{self, Text};
use crate::language::Mapped;
use crate::library::MachineDevice;
use crate::scenario::{Device, Range, parse};

impl Expansion<'_> {
    /// Reads the devices of a domain; `child` tells whether it is created at run time.
    pub(super) fn devices(
        &self,
        domain: &case::Domain,
        at: Reader<'_>,
        child: bool,
    ) -> Vec<(Device, Option<Mapped>)> {
        let devices = domain.devices.iter();
        let found = at.gather(devices.map(|device| match device {
            case::Device::Plain(name) => {
                let name = at.fill(&Text(name.clone()))?;
                if name.trim().is_empty() {
                    return Ok(None);
                }
                let node = DeviceNode {
                    device: Some(Text(name)),
                    ..DeviceNode::default()
                };
                self.device(&node, at, child).map(Some)
            }
            case::Device::Node(node) => self.device(node, at, child).map(Some),
        }));
        found.into_iter().flatten().collect()
    }

    fn device(
        &self,
        written: &DeviceNode,
        at: Reader<'_>,
        child: bool,
    ) -> Result<(Device, Option<Mapped>), SourceError> {
        let named = at.optional(written.device.as_ref(), |name| {
            let found = self.names.machine.device(name);
            let found = found.ok_or_else(|| {
                let known = self.names.machine.devices.keys().map(String::as_str);
                let near = text::nearest(name, known);
                let hint = near.map(|near| format!("; did you mean `{near}`?"));
                format!(
                    "`{name}` is no device of the machine{}",
                    hint.unwrap_or_default()
                )
            })?;
            at.scope.device(name)?;
            Ok((name.to_owned(), found))
        })?;
        let ranges = match &written.reg {
            Some(rows) => {
                let read = |text| at.each(text, |text| parse::ranges(text, &at.scope));
                at.gather(rows.iter().map(read)).concat()
            }
            None => match &named {
                Some((_, found)) => vec![self.range(written, found, at)?],
                None => Vec::new(),
            },
        };
        let elsewhere = written.reg.is_some() || named.is_none() && written.node.is_some();
        if written.at.is_some() && elsewhere {
            let why = "`at` says where a device of the machine is mapped; with `reg` that is said already";
            return Err(SourceError::new("at:", why));
        }
        let base = ranges.first().map(|range| range.guest);
        let node = match (&written.node, &named) {
            (Some(text), _) => at.fill(text)?,
            (None, Some((name, found))) => {
                let model = found.model(self.names.library);
                let model = model.map_err(|why| SourceError::new(name, why))?;
                let short = model.node.as_deref().unwrap_or(name);
                format!("{short}@{:x}", base.unwrap_or(found.base))
            }
            (None, None) => {
                let why = "a device needs `device`, or `node` for a node of its own";
                return Err(SourceError::new("devices:", why));
            }
        };
        let own = named.as_ref().and_then(|(_, found)| found.path.clone());
        let given =
            |text: &Option<Text>| at.optional(text.as_ref(), |text| at.scope.path_or_text(text));
        let path = match &written.path {
            Some(_) => given(&written.path)?,
            None => own.clone().filter(|_| !child),
        };
        let describe_as = match &written.describe_as {
            Some(_) => given(&written.describe_as)?,
            None if child => own,
            None => None,
        };
        let force = at.optional(written.force.as_ref(), parse::truth)?;
        let usual = named
            .as_ref()
            .is_some_and(|(name, _)| !self.is_protected(name))
            && !child;
        let interrupts = match (&written.interrupts, &named) {
            (Some(texts), _) => {
                let read = |text| at.optional(Some(text), |text| at.scope.number32(text));
                let read = at.gather(texts.iter().map(read));
                read.into_iter().flatten().collect()
            }
            (None, Some((_, found))) if child => found.interrupts.clone(),
            (None, _) => Vec::new(),
        };
        let mapped = named.map(|(name, _)| Mapped {
            name,
            node: node.clone(),
        });
        let device = Device {
            node,
            ranges,
            describe_as: describe_as.or_else(|| path.clone()),
            path,
            force: force.unwrap_or(usual),
            interrupts,
            props: at.properties(&written.props),
        };
        Ok((device, mapped))
    }

    /// Returns what is assigned of a device if the case does not say.
    fn range(
        &self,
        written: &DeviceNode,
        found: &MachineDevice,
        at: Reader<'_>,
    ) -> Result<Range, SourceError> {
        let model = found.model(self.names.library);
        let model = model.map_err(|why| SourceError::new(&found.device, why))?;
        let part = found.assigned(model);
        let (host, size) = (found.base.wrapping_add(part.offset), part.size);
        let window = found.window.as_ref();
        let window = window.and_then(|name| self.names.machine.windows.get(name));
        let chosen = at.optional(written.at.as_ref(), |text| at.scope.number(text))?;
        let guest = chosen.unwrap_or_else(|| window.copied().unwrap_or(host));
        Ok(Range { host, size, guest })
    }
}

#[cfg(test)]
mod tests {
    use dtb_gen::Edit;

    use super::*;
    use crate::sample::{loaded, profile, scenario};
    use crate::scenario::{Partial, Scenario, generate};

    fn given(machine: &str, devices: &str) -> Scenario {
        scenario(&format!(
            "    machine: {{{machine}}}\n    domains: [{{name: dA, devices: [{devices}]}}]\n"
        ))
    }

    fn device(machine: &str, written: &str) -> Device {
        let partial = given(machine, written).domains.remove(0).partial;
        partial.unwrap().devices.remove(0)
    }

    const fn range(host: u64, size: u64, guest: u64) -> Range {
        Range { host, size, guest }
    }

    /// A device that is only named is given as the machine has it.
    #[test]
    fn a_name_is_enough() {
        let gpio = device("", "gpio");
        assert_eq!(gpio.node, "gpio@9030000");
        assert_eq!(gpio.ranges, [range(0x903_0000, 0x1000, 0x903_0000)]);
        assert_eq!(gpio.path.as_deref(), Some("/pl061@9030000"));
        assert_eq!(gpio.describe_as, gpio.path);
        assert!(gpio.force && gpio.interrupts.is_empty() && gpio.props.is_empty());
        // The machine names a window for it.
        let flash = device("", "flash");
        assert_eq!(flash.ranges[0].guest, 0x0a00_0000);
        assert_eq!(flash.path.as_deref(), Some("/flash@0"));
        // Only a part of its registers is assigned.
        let edu = device("devices: [edu]", "edu");
        assert_eq!(edu.ranges, [range(0x1000_0000, 0x1000, 0x1000_0000)]);
    }

    /// What a case says replaces what follows from the machine, and nothing else.
    #[test]
    fn differences_are_heeded() {
        let moved = device("", "{device: gpio, at: high_window}");
        assert_eq!(moved.node, "gpio@3a000000");
        assert_eq!(moved.ranges, [range(0x903_0000, 0x1000, 0x3a00_0000)]);
        assert_eq!(moved.path.as_deref(), Some("/pl061@9030000"));
        let unnamed = device("", "{device: gpio, path: ''}");
        assert_eq!((unnamed.path, unnamed.describe_as), (None, None));
        let part = device("", "{device: flash, reg: [flash+2M 8K window2]}");
        assert_eq!(part.node, "flash@b000000");
        assert_eq!(part.ranges, [range(0x20_0000, 0x2000, 0x0b00_0000)]);
        let other = device(
            "",
            "{device: gpio, node: x, path: rtc, describe_as: uart, force: false}",
        );
        assert_eq!(other.node, "x");
        assert_eq!(other.path.as_deref(), Some("/pl031@9010000"));
        assert_eq!(other.describe_as.as_deref(), Some("/pl011@9000000"));
        assert!(!other.force);
        let bus = device("", "{node: bus}");
        assert!(bus.ranges.is_empty() && bus.path.is_none() && !bus.force);
    }

    /// An added device that does DMA is behind the machine's IOMMU, and then not forced, unless the case says otherwise.
    #[test]
    fn added_devices_are_behind_the_iommu() {
        let behind = Edit::Point {
            path: "/edu@10000000".to_owned(),
            prop: "iommus".to_owned(),
            target: crate::arch::sample::IOMMU_NODE.to_owned(),
            before: Vec::new(),
            after: vec![0x18],
        };
        for (machine, protected) in [
            ("devices: [edu]", false),
            ("devices: [edu], iommu: true", true),
            ("devices: [edu], iommu: true, unprotected: [edu]", false),
        ] {
            let made = given(machine, "edu");
            let wanted: Vec<Edit> = protected.then(|| behind.clone()).into_iter().collect();
            assert_eq!(made.host, wanted, "{machine}");
            assert_eq!(device(machine, "edu").force, !protected, "{machine}");
        }
        assert!(device("iommu: true", "gpio").force, "it does no DMA");
    }

    /// A child is given a device by hypercalls: its tree names no host node, and its interrupts are bound.
    #[test]
    fn children_are_given_interrupts() {
        let made = scenario(
            "    domains:
      - name: ctl
        role: control
        children:
          - {name: dB, devices: [gpio, {device: rtc, interrupts: []}]}
        script: [build dB]
",
        );
        let child = made.domain("dB").unwrap().partial.as_ref().unwrap();
        let [gpio, rtc] = child.devices.as_slice() else {
            panic!("{child:?}");
        };
        assert_eq!((&gpio.path, gpio.force), (&None, false));
        assert_eq!(gpio.describe_as.as_deref(), Some("/pl061@9030000"));
        assert_eq!(
            (&gpio.interrupts[..], &rtc.interrupts[..]),
            (&[39][..], &[][..])
        );
    }

    /// A row may leave a device out; a device that does not exist is reported with the nearest.
    #[test]
    fn devices_come_and_go() {
        let expanded = |rest: &str| {
            let loaded = loaded(&format!(
                "  - id: XenValTestCase~demo.one~1\n    title: One\n    class: positive\n{rest}"
            ));
            generate::scenarios(&loaded, &profile())
        };
        let rows = "    parameters: [{name: with, what: gpio}, {name: without, what: ''}]
    domains: [{name: dA, devices: ['${what}', rtc]}]
";
        let made = expanded(rows).unwrap();
        let count = |place: usize| {
            let partial: Option<&Partial> = made[place].domains[0].partial.as_ref();
            partial.unwrap().devices.len()
        };
        assert_eq!((count(0), count(1)), (2, 1));
        for (rest, told) in [
            (
                "    domains: [{name: dA, devices: [gpoi]}]\n",
                "`gpoi` is no device of the machine; did you mean `gpio`?",
            ),
            (
                "    domains: [{name: dA, devices: [{at: window}]}]\n",
                "a device needs `device`, or `node`",
            ),
            (
                "    domains: [{name: dA, devices: [{device: gpio, at: windw}]}]\n",
                "did you mean `window`?",
            ),
            (
                "    machine: {devices: [gpio]}\n    domains: [{name: dA}]\n",
                "`gpio` is no device to ask for",
            ),
            (
                "    machine: {devices: [edv]}\n    domains: [{name: dA}]\n",
                "`edv` is no device to ask for; did you mean `edu`?",
            ),
        ] {
            let error = expanded(rest).unwrap_err()[0].to_string();
            assert!(error.contains(told), "{rest}: {error}");
        }
    }
}
