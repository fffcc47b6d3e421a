//! Days of the sources to instants. The service opens its day at midnight in California, which
//! its own metadata shows as 08:00 UTC in winter; all days here start then.

use super::{Error, Result};

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Milliseconds in an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The instant of an RFC 3339 timestamp, in milliseconds since 1970 (UTC).
pub(crate) fn instant(text: &str) -> Result<i64> {
    text.parse::<jiff::Timestamp>()
        .map(|at| at.as_millisecond())
        .map_err(|_| Error::Date(text.to_owned()))
}

/// The start of an ISO day such as `2021-03-04`; `None` for an empty cell.
pub(crate) fn iso_day(text: &str) -> Result<Option<i64>> {
    if text.is_empty() {
        return Ok(None);
    }
    instant(&format!("{text}T08:00:00Z")).map(Some)
}

/// The start of a day such as ` September 9, 2019` (640 of the 2020-01 dates have the leading
/// space); `None` for an empty cell.
pub(crate) fn english_day(text: &str) -> Result<Option<i64>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::Date(text.to_owned());
    let (month_day, year) = text.split_once(", ").ok_or_else(wrong)?;
    let (month, day) = month_day.split_once(' ').ok_or_else(wrong)?;
    let month = MONTHS
        .iter()
        .position(|name| *name == month)
        .ok_or_else(wrong)?
        + 1;
    let day: u8 = day.parse().map_err(|_| wrong())?;
    iso_day(&format!("{year}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_day_give_one_instant() {
        let day = iso_day("2019-09-09").unwrap();
        assert_eq!(english_day(" September 9, 2019").unwrap(), day);
        assert_eq!(day, Some(1_568_016_000_000));
        assert_eq!(english_day("").unwrap(), None);
        assert!(english_day("9 September 2019").is_err());
    }
}
