//! Which strings are countries and languages. A wrong code in a record would match no rule and no policy, and nobody would
//! notice; so it is refused at the door.

use std::fmt;

/// A kind of code that the attribute `greenlight` of a field asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// ISO 3166-1 alpha-2, in capitals.
    Country,
    /// A BCP 47 language tag in its canonical case: `en`, `pt-BR`, `zh-Hans`, `es-419`.
    Language,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => "country",
            Self::Language => "language",
        })
    }
}

impl Code {
    /// Whether `text` is such a code.
    #[must_use]
    pub fn contains(self, text: &str) -> bool {
        self.contains_bytes(text.as_bytes())
    }

    /// Whether these bytes are such a code; then they are ASCII.
    #[inline]
    pub(crate) fn contains_bytes(self, text: &[u8]) -> bool {
        match (self, text) {
            (_, &[a, b]) => self.contains_pair(u16::from_le_bytes([a, b])),
            (Self::Country, _) => false,
            (Self::Language, [a, b, c]) => {
                [a, b, c].iter().all(|letter| letter.is_ascii_lowercase())
            }
            (Self::Language, _) => std::str::from_utf8(text).is_ok_and(is_tag),
        }
    }

    /// Whether these two bytes, the first one lowest, are such a code.
    #[inline]
    pub(crate) fn contains_pair(self, pair: u16) -> bool {
        let pairs = match self {
            Self::Country => &COUNTRY_PAIRS,
            Self::Language => &LANGUAGE_PAIRS,
        };
        pairs.contains(pair)
    }
}

/// ISO 3166-1 alpha-2, the officially assigned codes.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// ISO 639-1, the languages that have a code of two letters.
const LANGUAGES: &str = "\
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en \
    eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv \
    ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne \
    ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss \
    st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// One bit per pair of letters of one case, by their lowest five bits, so that a look-up is one load.
struct Pairs {
    bits: [u32; 32],
    /// The other bits of both letters.
    case: u16,
}

const CASE: u16 = 0xe0e0;

impl Pairs {
    const fn of(list: &str) -> Self {
        let (bytes, mut bits, mut at) = (list.as_bytes(), [0; 32], 0);
        while at + 1 < bytes.len() {
            if bytes[at] == b' ' {
                at += 1;
                continue;
            }
            bits[(bytes[at] & 31) as usize] |= 1 << (bytes[at + 1] & 31);
            at += 2;
        }
        let case = u16::from_le_bytes([bytes[0], bytes[1]]) & CASE;
        Self { bits, case }
    }

    #[inline]
    fn contains(&self, pair: u16) -> bool {
        let (a, b) = (pair & 31, pair >> 8 & 31);
        pair & CASE == self.case && self.bits[usize::from(a)] >> b & 1 == 1
    }
}

static COUNTRY_PAIRS: Pairs = Pairs::of(COUNTRIES);
static LANGUAGE_PAIRS: Pairs = Pairs::of(LANGUAGES);

/// A language tag of more than two letters.
fn is_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let Some(primary) = subtags.next() else {
        return false;
    };
    let lower = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase());
    // The thousands of three-letter codes (ISO 639-2 and -3, zxx and und among them) are taken by their form.
    let is_known = match *primary.as_bytes() {
        [a, b] => LANGUAGE_PAIRS.contains(u16::from_le_bytes([a, b])),
        _ => primary.len() == 3 && lower(primary),
    };
    if !is_known {
        return false;
    }
    let mut subtags = subtags.peekable();
    let is_script = |s: &str| {
        s.len() == 4
            && s.as_bytes()[0].is_ascii_uppercase()
            && s[1..].bytes().all(|b| b.is_ascii_lowercase())
    };
    let is_region = |s: &str| {
        Code::Country.contains(s) || s.len() == 3 && s.bytes().all(|b| b.is_ascii_digit())
    };
    let is_variant = |s: &str| {
        let word = s
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        word && ((5..=8).contains(&s.len()) || s.len() == 4 && s.as_bytes()[0].is_ascii_digit())
    };
    subtags.next_if(|s| s.is_ascii() && is_script(s));
    subtags.next_if(|s| is_region(s));
    subtags.all(is_variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries() {
        assert_eq!(COUNTRIES.split_whitespace().count(), 249);
        let pairs = (0..=u16::MAX).map(u16::to_le_bytes);
        for (code, list) in [(Code::Country, COUNTRIES), (Code::Language, LANGUAGES)] {
            let found = pairs.clone().filter(|pair| code.contains_bytes(pair));
            let found: std::collections::BTreeSet<_> = found.collect();
            let listed = list
                .split_whitespace()
                .map(|pair| pair.as_bytes().try_into().unwrap());
            assert_eq!(found, listed.collect());
        }
        assert!(
            COUNTRIES
                .split_whitespace()
                .all(|code| Code::Country.contains(code))
        );
        for no in ["", "U", "us", "USA", "ZZ", "UK", "A1", "üU", "EU"] {
            assert!(!Code::Country.contains(no), "{no}");
        }
    }

    #[test]
    fn languages() {
        for yes in [
            "en",
            "pt-BR",
            "zh-Hans",
            "zh-Hant-TW",
            "es-419",
            "zxx",
            "fil",
            "de-1996",
            "sl-rozaj",
        ] {
            assert!(Code::Language.contains(yes), "{yes}");
        }
        for no in [
            "",
            "e",
            "EN",
            "xx",
            "en-",
            "en-us",
            "en-UK",
            "english",
            "zh-hans",
            "pt_BR",
            "en-US-en",
            "é",
            "en-ééé",
        ] {
            assert!(!Code::Language.contains(no), "{no}");
        }
    }
}
