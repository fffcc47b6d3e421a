//! Versions: how they read, and how the next one is minted.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a state: a monotonically growing number, by custom the UTC time `yyyyMMddHHmmssSSS` of its staging.
///
/// It is a name and an order, not a time: a version minted while the clock stood still or went back is the one before
/// plus one. Signed because Hollow's are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub i64);

/// The last millisecond of the year 9999: a later clock would not fit the 17 digits of a version.
const CLOCK_MS_MAX: i64 = 253_402_300_799_999;

const DAY_MS: i64 = 86_400_000;

impl Version {
    /// The version that the clock gives: `yyyyMMddHHmmssSSS` of `at_ms` (milliseconds since 1970, UTC). `None` before 1970
    /// and after 9999.
    pub fn of_clock(at_ms: i64) -> Option<Self> {
        if !(0..=CLOCK_MS_MAX).contains(&at_ms) {
            return None;
        }
        let (year, month, day) = civil_date(at_ms / DAY_MS);
        let of_day = at_ms % DAY_MS;
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, millisecond) = (of_day / 1000 % 60, of_day % 1000);
        let parts = [
            (year, 1),
            (month, 100),
            (day, 100),
            (hour, 100),
            (minute, 100),
            (second, 100),
            (millisecond, 1000),
        ];
        Some(Self(
            parts
                .iter()
                .fold(0, |digits, &(part, scale)| digits * scale + part),
        ))
    }

    /// The version to mint at `at_ms` after `last`: the clock's, raised above `last` whatever the clock says. `None` where
    /// the clock is outside the years 1970 to 9999.
    pub fn after(last: Self, at_ms: i64) -> Option<Self> {
        Self::of_clock(at_ms).map(|clock| clock.max(Self(last.0.saturating_add(1))))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Version {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// Year, month (1 to 12) and day (1 to 31) of a day count since 1970-01-01, in the proleptic Gregorian calendar, for days
/// from 0 on. After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years begin in March,
/// so that the leap day is the last of its year.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_versions() {
        for (at_ms, version) in [
            (0, "19700101000000000"),
            (951_827_696_789, "20000229123456789"),
            (1_615_161_600_000, "20210308000000000"),
            (1_609_459_199_999, "20201231235959999"),
            (CLOCK_MS_MAX, "99991231235959999"),
        ] {
            assert_eq!(Version::of_clock(at_ms), version.parse().ok(), "{at_ms}");
        }
        assert_eq!(Version::of_clock(-1), None);
        assert_eq!(Version::of_clock(CLOCK_MS_MAX + 1), None);
    }

    #[test]
    fn dates_follow_the_calendar() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200 * 366 {
            assert_eq!(civil_date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                4 | 6 | 9 | 11 => 30,
                2 => 28 + i64::from(leap),
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn minted_versions_grow_whatever_the_clock_says() {
        let first = Version::after(Version(0), 1_615_161_600_000).unwrap();
        assert_eq!(first, Version(20_210_308_000_000_000));
        assert_eq!(
            Version::after(first, 1_615_161_600_000),
            Some(Version(first.0 + 1))
        );
        assert_eq!(Version::after(first, 0), Some(Version(first.0 + 1)));
        assert_eq!(Version::after(first, -5), None);
    }
}
