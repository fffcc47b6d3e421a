//! Runs of fields that say what they said in another record, keys of every length, and records of many fields. What a transcoder has
//! met before must make no difference, whatever became of a byte since, and whose plan it was.

use super::*;

/// A reader's schema with a run at the end of the root and one in the records of a list.
fn schema(symbols: [&str; 3]) -> AvroSchema {
    let state = json!({"type": "enum", "name": "State", "symbols": symbols});
    let run = |state: Value, by: Value| {
        json!([
            {"name": "state", "type": state},
            {"name": "since", "type": ["null", "long"]},
            {"name": "size", "type": "long"},
            {"name": "language", "type": "string", "greenlight": "language"},
            {"name": "by", "type": by},
        ])
    };
    let part = json!({"type": "record", "name": "Part", "fields": run(state, json!("State"))});
    let mut fields = vec![
        json!({"name": "id", "type": "long"}),
        json!({"name": "parts", "type": {"type": "array", "items": part}}),
        json!({"name": "name", "type": "string"}),
    ];
    fields.extend_from_slice(
        run(json!("State"), json!(["State", "null"]))
            .as_array()
            .unwrap(),
    );
    let text = json!({"type": "record", "name": "Runs", "key": ["id"], "fields": fields});
    AvroSchema::parse(&text.to_string(), "runs").unwrap()
}

impl Dice {
    /// A value of few different ones, so that runs repeat.
    fn run(&mut self, symbols: [&str; 3]) -> Value {
        let since = [
            json!(null),
            json!(1_577_779_200_000_i64),
            json!(1_577_779_200_001_i64),
        ];
        json!({
            "state": self.pick(&symbols),
            "since": self.pick(&since),
            "size": self.pick(&[0, 1_i64 << 40, -5]),
            "language": self.pick(&["en", "de", "fil"]),
            "by": self.pick(&symbols),
        })
    }

    fn runs(&mut self, symbols: [&str; 3]) -> Value {
        let mut value = self.run(symbols);
        let count = self.roll(4);
        value["id"] = json!(7);
        value["name"] = json!(self.text());
        value["parts"] = (0..count).map(|_| self.run(symbols)).collect();
        value
    }
}

type Read = std::result::Result<Vec<(usize, Vec<u8>)>, String>;

/// The root's bytes and those of all that it refers to.
fn read(transcoder: &mut Transcoder, plan: &Plan, key: &Key, body: &[u8]) -> Read {
    struct All(Vec<(usize, Vec<u8>)>);
    impl RecordSink for All {
        type Error = std::convert::Infallible;
        fn add(
            &mut self,
            type_index: usize,
            record: &[u8],
        ) -> std::result::Result<Ordinal, Self::Error> {
            self.0.push((type_index, record.to_vec()));
            Ok(self.0.len() as Ordinal)
        }
    }
    let mut all = All(Vec::new());
    match transcoder.transcode(plan, key, body, &mut all) {
        Ok(root) => {
            all.0.push((usize::MAX, root.to_vec()));
            Ok(all.0)
        }
        Err(Fault::Poison(poison)) => Err(poison.to_string()),
        Err(Fault::Sink(never)) => match never {},
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn runs_that_were_met_before_make_no_difference(seed: u64) {
        let symbols = ["pending", "ready", "withdrawn"];
        let schema = schema(symbols);
        let model = RecordModel::new(&schema, "runs").unwrap();
        let plan = Plan::compile(&schema, &model, &[]).unwrap();
        let key = model.key().parse(b"[7]").unwrap();
        let (mut dice, mut warm) = (Dice(seed), Transcoder::new());
        for _ in 0..6 {
            let value = dice.runs(symbols);
            let mut body = Vec::new();
            schema.encode_json(&value, &mut body).unwrap();
            prop_assert_eq!(walk(&plan, &model, &key, &body).unwrap(), oracle(&schema, &schema, &body));
            for at in 0..body.len() {
                for change in [1, 2, 0x80, 1 + dice.roll(255) as u8] {
                    body[at] ^= change;
                    let fresh = read(&mut Transcoder::new(), &plan, &key, &body);
                    prop_assert_eq!(read(&mut warm, &plan, &key, &body), fresh, "{} at {}", body[at], at);
                    body[at] ^= change;
                    let fresh = read(&mut Transcoder::new(), &plan, &key, &body);
                    prop_assert_eq!(read(&mut warm, &plan, &key, &body), fresh, "after a change at {}", at);
                }
                let fresh = read(&mut Transcoder::new(), &plan, &key, &body[..at]);
                prop_assert_eq!(read(&mut warm, &plan, &key, &body[..at]), fresh, "cut at {}", at);
            }
            body.push(0);
            prop_assert!(read(&mut warm, &plan, &key, &body).is_err());
        }
    }

    /// Of so many plans some have their runs in the same places.
    #[test]
    fn runs_of_other_plans_are_others(seed: u64) {
        let readers = [["pending", "ready", "withdrawn"], ["ready", "withdrawn", "pending"]];
        let mut dice = Dice(seed);
        let schemas: Vec<_> = (0..40).map(|_| schema(*dice.pick(&readers))).collect();
        let model = RecordModel::new(&schemas[0], "runs").unwrap();
        let plans: Vec<_> = schemas.iter().map(|schema| Plan::compile(schema, &model, &[]).unwrap()).collect();
        let key = model.key().parse(b"[7]").unwrap();
        let (mut warm, mut body) = (Transcoder::new(), Vec::new());
        schemas[0].encode_json(&dice.runs(readers[0]), &mut body).unwrap();
        for _ in 0..200 {
            let at = dice.roll(40) as usize;
            let fresh = read(&mut Transcoder::new(), &plans[at], &key, &body);
            prop_assert_eq!(read(&mut warm, &plans[at], &key, &body), fresh);
        }
    }

    #[test]
    fn records_of_many_fields_are_read_as_the_library_reads_them(seed: u64, count in 1_usize..70, at: usize) {
        let mut dice = Dice(seed);
        let kinds = [
            json!("long"),
            json!("string"),
            json!(["null", "string"]),
            json!(["long", "null"]),
            json!("boolean"),
        ];
        let mut fields = vec![json!({"name": "id", "type": "long"})];
        fields.extend((1..count).map(|i| {
            // Mostly what is read without a step for each byte.
            let kind = &kinds[dice.roll(21) as usize / 5];
            json!({"name": format!("f{i}"), "type": kind})
        }));
        let text = json!({"type": "record", "name": "Many", "key": ["id"], "fields": fields});
        let schema = AvroSchema::parse(&text.to_string(), "many").unwrap();
        let model = RecordModel::new(&schema, "many").unwrap();
        let value = dice.record(&schema.root);
        let mut body = Vec::new();
        schema.encode_json(&value, &mut body).unwrap();
        let key = key_of(&model, &value);
        prop_assert_eq!(transcode(&schema, &model, &key, &body).unwrap(), oracle(&schema, &schema, &body));
        prop_assert!(transcode(&schema, &model, &key, &body[..at % body.len()]).is_err());
    }
}

#[test]
fn a_key_agrees_in_each_of_its_bytes() {
    let schema = |code: &str| {
        let text = json!({"type": "record", "name": "Keys", "key": ["name", "n"], "fields": [
            {"name": "name", "type": "string", "greenlight": code}, {"name": "n", "type": "long"}]});
        let text = text
            .to_string()
            .replace(r#""greenlight":"""#, r#""doc":"""#);
        AvroSchema::parse(&text, "keys").unwrap()
    };
    let check = |schema: &AvroSchema, name: &str, n: i64| {
        let model = RecordModel::new(schema, "keys").unwrap();
        let plan = Plan::compile(schema, &model, &[]).unwrap();
        let value = json!({"name": name, "n": n});
        let (key, mut body) = (key_of(&model, &value), Vec::new());
        schema.encode_json(&value, &mut body).unwrap();
        let mut transcoder = Transcoder::new();
        assert!(
            read(&mut transcoder, &plan, &key, &body).is_ok(),
            "{name} {n}"
        );
        for at in 0..body.len() {
            assert!(read(&mut transcoder, &plan, &key, &body[..at]).is_err());
            for change in [1, 2, 4, 0x20, 0x80] {
                body[at] ^= change;
                let changed = read(&mut transcoder, &plan, &key, &body);
                assert!(changed.is_err(), "{name} {n}: {body:?} at {at}");
                body[at] ^= change;
            }
        }
        for (other, n) in [(format!("{name}x"), n), (name.to_owned(), n + 1)] {
            let key = key_of(&model, &json!({"name": other, "n": n}));
            assert!(read(&mut transcoder, &plan, &key, &body).is_err());
        }
    };
    let plain = schema("");
    for len in 0..40 {
        let n = (1_i64 << (len * 3 / 2)) - 1;
        check(
            &plain,
            &"abcdefghijklmnopqrstuvwxyzabcdefghijklmn"[..len],
            n,
        );
        check(&plain, &"é".repeat(len), -n);
    }
    let coded = schema("language");
    for name in [
        "en",
        "fil",
        "pt-BR",
        "zh-Hans",
        "zh-Hans-TW",
        "sl-rozaj-biske-1994",
    ] {
        check(&coded, name, 80_057_281);
    }
}

#[test]
fn a_symbol_that_is_not_the_key_s_is_refused() {
    let text = r#"{"type": "record", "name": "R", "key": ["kind"], "fields": [
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["dub", "captions"]}},
        {"name": "name", "type": "string"}]}"#;
    let schema = AvroSchema::parse(text, "symbols").unwrap();
    let model = RecordModel::new(&schema, "symbols").unwrap();
    let plan = Plan::compile(&schema, &model, &[]).unwrap();
    let key = model.key().parse(br#"["dub"]"#).unwrap();
    for (kind, is_right) in [("dub", true), ("captions", false)] {
        let mut body = Vec::new();
        let value = json!({"kind": kind, "name": "a name"});
        schema.encode_json(&value, &mut body).unwrap();
        assert_eq!(
            read(&mut Transcoder::new(), &plan, &key, &body).is_ok(),
            is_right
        );
    }
}

#[test]
fn texts_that_are_cut_are_refused() {
    let text = r#"{"type": "record", "name": "R", "key": ["id"], "fields": [
        {"name": "id", "type": "long"}, {"name": "name", "type": "string"}]}"#;
    let schema = AvroSchema::parse(text, "texts").unwrap();
    let model = RecordModel::new(&schema, "texts").unwrap();
    let plan = Plan::compile(&schema, &model, &[]).unwrap();
    for (id, len) in (0..20).flat_map(|len| [(1_i64, len), (1 << 50, len)]) {
        let value = json!({"id": id, "name": "abcdefghijklmnopqrst"[..len]});
        let (key, mut body) = (key_of(&model, &value), Vec::new());
        schema.encode_json(&value, &mut body).unwrap();
        let mut transcoder = Transcoder::new();
        assert!(read(&mut transcoder, &plan, &key, &body).is_ok());
        for at in 0..body.len() {
            assert!(
                read(&mut transcoder, &plan, &key, &body[..at]).is_err(),
                "{len} at {at}"
            );
        }
    }
}
