//! Countries as bits.
//!
//! A rule answers for all countries at once, so a set of countries is a few machine words and
//! "the countries this rule blocks" costs word operations instead of a loop. A country's bit is
//! its position in the sorted list of ISO 3166-1 alpha-2 codes; positions never leave a process,
//! so the list may grow.

use std::fmt;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Sub};

/// The ISO 3166-1 alpha-2 codes, sorted; a country's index is its position here.
pub const CODES: [&str; 249] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
    "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS",
    "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN",
    "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE",
    "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF",
    "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM",
    "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM",
    "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC",
    "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
    "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA",
    "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG",
    "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW",
    "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS",
    "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO",
    "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
    "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

const _: () = assert!(CODES.len() <= CountrySet::CAPACITY);

/// A country of ISO 3166-1, as its position in [`CODES`]; ordered by code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(u8);

impl Country {
    /// The country of an alpha-2 code in upper case; `None` where ISO 3166-1 has no such code.
    pub fn from_code(code: &str) -> Option<Self> {
        let index = CODES.binary_search(&code).ok()?;
        u8::try_from(index).ok().map(Country)
    }

    /// The alpha-2 code.
    pub fn code(self) -> &'static str {
        CODES[usize::from(self.0)]
    }

    /// The country's bit.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Every country, by code.
    pub fn all() -> impl Iterator<Item = Country> {
        (0u8..).take(CODES.len()).map(Country)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of countries: one bit each in four words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CountrySet([u64; 4]);

impl CountrySet {
    /// How many countries fit.
    pub const CAPACITY: usize = 256;
    /// No country.
    pub const EMPTY: Self = Self([0; 4]);

    /// Every country of [`CODES`].
    pub const fn all() -> Self {
        const ALL: CountrySet = {
            let mut words = [0; 4];
            let mut at = 0;
            while at < CODES.len() {
                words[at / 64] |= 1 << (at % 64);
                at += 1;
            }
            CountrySet(words)
        };
        ALL
    }

    /// Adds a country.
    pub fn insert(&mut self, country: Country) {
        self.0[country.index() / 64] |= 1 << (country.index() % 64);
    }

    /// Removes a country.
    pub fn remove(&mut self, country: Country) {
        self.0[country.index() / 64] &= !(1 << (country.index() % 64));
    }

    /// Whether the country is in the set.
    pub fn contains(&self, country: Country) -> bool {
        self.0[country.index() / 64] >> (country.index() % 64) & 1 == 1
    }

    /// Whether no country is in the set.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// How many countries are in the set.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The country whose code sorts first.
    pub fn first(&self) -> Option<Country> {
        let at = self.0.iter().position(|&word| word != 0)?;
        let index = at * 64 + self.0[at].trailing_zeros() as usize;
        u8::try_from(index).ok().map(Country)
    }

    /// The countries by code.
    pub fn iter(&self) -> impl Iterator<Item = Country> + use<> {
        let mut words = self.0;
        std::iter::from_fn(move || {
            let at = words.iter().position(|&word| word != 0)?;
            let bit = words[at].trailing_zeros();
            words[at] &= words[at] - 1;
            u8::try_from(at * 64 + bit as usize).ok().map(Country)
        })
    }
}

impl FromIterator<Country> for CountrySet {
    fn from_iter<I: IntoIterator<Item = Country>>(countries: I) -> Self {
        let mut set = Self::EMPTY;
        for country in countries {
            set.insert(country);
        }
        set
    }
}

impl BitOr for CountrySet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }
}

impl BitOrAssign for CountrySet {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAnd for CountrySet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }
}

impl BitAndAssign for CountrySet {
    fn bitand_assign(&mut self, other: Self) {
        *self = *self & other;
    }
}

impl Sub for CountrySet {
    type Output = Self;
    /// The countries of the left set that are not in the right one.
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & !other.0[at]))
    }
}

impl fmt::Debug for CountrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_found() {
        assert!(CODES.is_sorted());
        for (index, country) in Country::all().enumerate() {
            assert_eq!(country.index(), index);
            assert_eq!(Country::from_code(country.code()), Some(country));
        }
        assert_eq!(Country::from_code("UK"), None);
        assert_eq!(Country::from_code("de"), None);
    }

    #[test]
    fn sets_do_what_sets_do() {
        let code = |code| Country::from_code(code).unwrap();
        let left: CountrySet = ["AD", "FR", "ZW"].map(code).into_iter().collect();
        let right: CountrySet = ["FR", "US"].map(code).into_iter().collect();
        let codes = |set: CountrySet| set.iter().map(Country::code).collect::<Vec<_>>();
        assert_eq!(codes(left | right), ["AD", "FR", "US", "ZW"]);
        assert_eq!(codes(left & right), ["FR"]);
        assert_eq!(codes(left - right), ["AD", "ZW"]);
        assert_eq!(left.len(), 3);
        assert_eq!(CountrySet::all(), Country::all().collect());
        assert_eq!(codes(CountrySet::EMPTY), Vec::<&str>::new());
    }
}
