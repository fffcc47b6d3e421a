//! Collections of codes in every spelling that Avro has: with one block or several, with sizes or without, of texts that are as
//! long as each other or not. What a transcoder has met before must make no difference.

use super::*;

const SCHEMA: &str = r#"{"type": "record", "name": "Blocks", "key": ["id"], "fields": [
    {"name": "id", "type": "long"},
    {"name": "name", "type": "string"},
    {"name": "countries", "type": {"type": "array", "items": "string", "hollow": "set"}, "greenlight": "country"},
    {"name": "languages", "type": ["null", {"type": "array", "items": "string"}], "greenlight": "language"},
    {"name": "more", "type": {"type": "array", "items": "string", "hollow": "set"}, "greenlight": "language"},
    {"name": "names", "type": {"type": "array", "items": "string"}}]}"#;

const COUNTRIES: [&str; 6] = ["US", "DE", "IN", "AU", "ZW", "CA"];
const LANGUAGES: [&str; 9] = [
    "en",
    "de",
    "fr",
    "pt-BR",
    "zxx",
    "fil",
    "zh-Hans",
    "zh-Hant-TW",
    "sl-rozaj-biske-1994-abcdefgh-abcdefgh-abcdefgh-abcdefgh-abcdefgh-abcdefgh",
];
const NAMES: [&str; 5] = ["", "a", "bb", "Ōkami", "sixteen letters.…"];

fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = hollow::codec::varint::zigzag_long(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_long(text.len() as i64, out);
    out.extend_from_slice(text.as_bytes());
}

impl Dice {
    /// An array of some of these, mostly of those that are as long as the first.
    fn array(&mut self, pool: &[&str], out: &mut Vec<u8>) {
        let alike: Vec<_> = pool
            .iter()
            .filter(|text| text.len() == pool[0].len())
            .copied()
            .collect();
        let mut count = *self.pick(&[0, 1, 2, 5, 20, 63, 64, 200]);
        let mut texts: Vec<_> = (0..count).map(|_| *self.pick(&alike)).collect();
        for _ in 0..self.roll(3).min(count) {
            let at = self.roll(count) as usize;
            texts[at] = *self.pick(pool);
        }
        let mut rest = &texts[..];
        while count > 0 {
            let taken = if self.roll(2) == 0 {
                count
            } else {
                1 + self.roll(count)
            };
            let (block, after) = rest.split_at(taken as usize);
            let mut bytes = Vec::new();
            block.iter().for_each(|text| write_text(text, &mut bytes));
            if self.roll(4) == 0 {
                write_long(-(taken as i64), out);
                write_long(bytes.len() as i64, out);
            } else {
                write_long(taken as i64, out);
            }
            out.extend_from_slice(&bytes);
            (rest, count) = (after, count - taken);
        }
        out.push(0);
    }

    fn body(&mut self) -> Vec<u8> {
        let mut out = vec![14];
        let name: &&str = self.pick(&NAMES);
        write_text(name, &mut out);
        self.array(&COUNTRIES, &mut out);
        if self.roll(4) == 0 {
            out.push(0);
        } else {
            out.push(2);
            self.array(&LANGUAGES, &mut out);
        }
        let some = 1 + self.roll(LANGUAGES.len() as u64) as usize;
        self.array(&LANGUAGES[..some], &mut out);
        self.array(&NAMES, &mut out);
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_met_before_makes_no_difference(seed: u64) {
        let schema = AvroSchema::parse(SCHEMA, "blocks").unwrap();
        let model = RecordModel::new(&schema, "blocks").unwrap();
        let plan = Plan::compile(&schema, &model, &[]).unwrap();
        let key = model.key().parse(b"[7]").unwrap();
        let root = &model.schemas()[model.root_type];
        let sink = || Records { schemas: model.schemas(), records: vec![Vec::new(); model.schemas().len()] };
        let (mut dice, mut warm, mut kept) = (Dice(seed), Transcoder::new(), sink());
        let read = |transcoder: &mut Transcoder, kept: &mut Records<'_>, body: &[u8]| {
            match transcoder.transcode(&plan, &key, body, kept) {
                Ok(record) => Ok(record.to_vec()),
                Err(Fault::Poison(poison)) => Err(poison.to_string()),
                Err(Fault::Sink(never)) => match never {},
            }
            .map(|record| kept.render(root, &record))
        };
        for _ in 0..12 {
            let mut body = dice.body();
            let expected = oracle(&schema, &schema, &body);
            prop_assert_eq!(read(&mut warm, &mut kept, &body).unwrap(), expected.clone());
            prop_assert_eq!(read(&mut warm, &mut kept, &body).unwrap(), expected);
            for _ in 0..4 {
                let at = dice.roll(body.len() as u64) as usize;
                let byte = *dice.pick(&[0, 1, 2, 4, 5, 6, 0x40, 0x7f, 0x80, 0xff]);
                let before = std::mem::replace(&mut body[at], byte);
                let fresh = read(&mut Transcoder::new(), &mut sink(), &body);
                prop_assert_eq!(read(&mut warm, &mut kept, &body), fresh, "{} at {}", byte, at);
                body[at] = before;
                let cut = read(&mut warm, &mut kept, &body[..at]);
                prop_assert_eq!(cut, read(&mut Transcoder::new(), &mut sink(), &body[..at]));
            }
        }
    }
}
