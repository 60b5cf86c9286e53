//! Waivers: failures that somebody has looked into and accepts for a time.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Excuses the failures of one requirement, case or scenario until a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where that was decided, or the defect is dealt with.
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

    /// Says what is wrong with it by itself.
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
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// Returns this day, by the clock of the machine in UTC.
    pub fn today() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::after_epoch(since.map_or(0, |since| since.as_secs() / 86_400))
    }

    /// Returns the day so many days behind the first of 1970.
    fn after_epoch(mut days: u64) -> Self {
        let mut year = 1970;
        loop {
            let length = if leaps(year) { 366 } else { 365 };
            if days < length || year == u16::MAX {
                break;
            }
            days -= length;
            year += 1;
        }
        let mut month = 1;
        while month < 12 && days >= u64::from(length(year, month)) {
            days -= u64::from(length(year, month));
            month += 1;
        }
        let day = u8::try_from(days + 1).unwrap_or(31);
        Self { year, month, day }
    }
}

fn leaps(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn length(year: u16, month: u8) -> u8 {
    match month {
        2 if leaps(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no day; one reads 2027-06-30");
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts.as_slice() else {
            return Err(wrong());
        };
        let digits =
            |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return Err(wrong());
        }
        let year = year.parse().map_err(|_| wrong())?;
        let month = month.parse().map_err(|_| wrong())?;
        let day = day.parse().map_err(|_| wrong())?;
        if (1..=12).contains(&month) && (1..=length(year, month)).contains(&day) {
            Ok(Self { year, month, day })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
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

    /// Days are counted as the calendar has them, and later ones are greater.
    #[test]
    fn days_follow_the_calendar() {
        let table = [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_787, "2026-11-30"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ];
        for (days, text) in table {
            let day = Day::after_epoch(days);
            assert_eq!(day.to_string(), text);
            assert_eq!(text.parse(), Ok(day));
        }
        assert!("2026-11-30".parse::<Day>() < "2026-12-01".parse::<Day>());
    }

    /// What is no day is refused with how one reads.
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
        ] {
            let error = text.parse::<Day>().unwrap_err();
            assert!(error.contains("one reads"), "{text}: {error}");
        }
    }

    /// A waiver names one thing, and says why and where.
    #[test]
    fn a_waiver_is_complete() {
        let waiver =
            |requirement: Option<&str>, case: Option<&str>, reason: &str, reference: &str| Waiver {
                requirement: requirement.map(str::to_owned),
                case: case.map(str::to_owned),
                reason: reason.to_owned(),
                reference: reference.to_owned(),
                expires: Day::after_epoch(0),
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
