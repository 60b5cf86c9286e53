//! Waivers: failures that are known and accepted until a date.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Excuses the failures of one requirement, case or scenario until a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Full id of a requirement.
    #[serde(default)]
    pub requirement: Option<String>,
    /// Full id of a case, or the name of a scenario.
    #[serde(default)]
    pub case: Option<String>,
    /// Why the failure is accepted.
    pub reason: String,
    /// Where that was decided, or where the defect is tracked.
    pub reference: String,
    /// The last day on which it holds.
    pub expires: Day,
}

impl Waiver {
    /// Names what is excused.
    pub fn target(&self) -> &str {
        let named = self.requirement.as_deref().or(self.case.as_deref());
        named.unwrap_or_default()
    }

    /// Says what is wrong with the waiver, if anything.
    pub fn defect(&self) -> Option<String> {
        let blank = |text: &str| text.trim().is_empty();
        match (&self.requirement, &self.case) {
            (None, None) => Some("names neither `requirement` nor `case`".to_owned()),
            (Some(_), Some(_)) => Some("names both `requirement` and `case`".to_owned()),
            _ if blank(&self.reason) => Some("`reason` is empty".to_owned()),
            _ if blank(&self.reference) => Some("`reference` is empty".to_owned()),
            _ => None,
        }
    }
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// Returns this day, by the clock of the machine in UTC.
    pub fn today() -> Self {
        Self(TimeZone::UTC.to_datetime(Timestamp::now()).date())
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Dates have other spellings as well; files use only this one.
        let date = text.parse().ok();
        date.filter(|date: &Date| date.year() >= 0 && date.to_string() == text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no day; one reads 2027-06-30"))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Day {
    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A day, such as 2027-06-30.",
            "type": "string",
            "format": "date",
        })
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days follow the calendar, print as they are read, and order by time.
    #[test]
    fn days_follow_the_calendar() {
        let days = [
            "1970-01-01",
            "1972-02-29",
            "2000-02-29",
            "2026-11-30",
            "2026-12-01",
        ];
        let read = days.map(|text| text.parse::<Day>().expect(text));
        assert!(read.is_sorted());
        assert_eq!(read.map(|day| day.to_string()), days);
        assert!(Day::today() > read[3]);
    }

    /// An invalid day is refused, and the error shows the format.
    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "26-01-01",
            "2026-01-00",
            "+026-01-01",
            "2100-02-29",
            "20260101",
            "-000001-01-01",
            "2026-01-01T00:00",
        ] {
            let error = text.parse::<Day>().unwrap_err();
            assert!(error.contains("one reads"), "{text}: {error}");
        }
    }

    /// A waiver names one target, a reason and a reference.
    #[test]
    fn a_waiver_is_complete() {
        let waiver =
            |requirement: Option<&str>, case: Option<&str>, reason: &str, reference: &str| Waiver {
                requirement: requirement.map(str::to_owned),
                case: case.map(str::to_owned),
                reason: reason.to_owned(),
                reference: reference.to_owned(),
                expires: Day(Date::constant(1970, 1, 1)),
            };
        assert_eq!(waiver(Some("r"), None, "x", "y").defect(), None);
        assert_eq!(waiver(None, Some("c"), "x", "y").target(), "c");
        for wrong in [
            waiver(None, None, "x", "y"),
            waiver(Some("r"), Some("c"), "x", "y"),
            waiver(Some("r"), None, " ", "y"),
            waiver(Some("r"), None, "x", ""),
        ] {
            assert!(wrong.defect().is_some(), "{wrong:?}");
        }
    }
}
