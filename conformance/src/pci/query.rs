//! Reads QEMU's own list of functions, the answer to QMP `query-pci`.

use serde_json::Value;

/// Returns all functions in the answer, on all buses, in order; none if it is no such answer.
pub fn listed(answer: &Value) -> Option<Vec<u16>> {
    let mut found = Vec::new();
    for bus in answer.as_array()? {
        devices(bus.get("devices")?, &mut found)?;
    }
    found.sort_unstable();
    Some(found)
}

fn devices(list: &Value, found: &mut Vec<u16>) -> Option<()> {
    for device in list.as_array()? {
        let part = |name: &str, most: u64| {
            let value = device.get(name)?.as_u64().filter(|value| *value <= most)?;
            u16::try_from(value).ok()
        };
        let (bus, slot, function) = (part("bus", 0xff)?, part("slot", 31)?, part("function", 7)?);
        found.push(bus << 8 | slot << 3 | function);
        if let Some(behind) = device
            .get("pci_bridge")
            .and_then(|bridge| bridge.get("devices"))
        {
            devices(behind, found)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Functions behind bridges are listed with their own bus, and an answer that is no list gives none.
    #[test]
    fn functions_behind_bridges_are_listed() {
        let endpoint = |bus: u8, slot: u8, function: u8| json!({"bus": bus, "slot": slot, "function": function, "qdev_id": ""});
        let mut bridge = endpoint(0, 4, 0);
        bridge["pci_bridge"] = json!({
            "bus": {"number": 0, "secondary": 2, "subordinate": 2},
            "devices": [endpoint(2, 31, 7)],
        });
        let empty = json!({"bus": 0, "slot": 5, "function": 0, "pci_bridge": {"bus": {}}});
        let answer = json!([{"bus": 0, "devices": [bridge, endpoint(0, 0, 0), empty]}]);
        assert_eq!(listed(&answer), Some(vec![0, 0x20, 0x28, 0x2ff]));
        assert_eq!(listed(&json!({})), None);
        assert_eq!(
            listed(&json!([{"bus": 0, "devices": [{"bus": 256}]}])),
            None
        );
    }
}
