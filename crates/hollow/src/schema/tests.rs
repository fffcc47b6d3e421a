use super::*;
use crate::codec::Cursor;
use crate::error::Error;

const TEXT: &str = "
    // the format document's examples
    Movie @PrimaryKey(id, name.value) { int id; Name name; }
    Name { string value; }
    Actor @PrimaryKey(id) { long id; Name name; /* a cycle */ Actor partner; bytes b; }
    ListOfActor List<Actor>;
    SetOfActor Set<Actor> @HashKey(name);
    MapOfNameToActor Map<Name, Actor> @HashKey(value, other!);
    Cast { ListOfActor actors; SetOfActor set; MapOfNameToActor byName; }
";

fn schemas() -> Vec<Schema> {
    parse_schemas(TEXT).unwrap()
}

#[test]
fn text_form_is_hollows() {
    let schemas = schemas();
    assert_eq!(
        schemas[0].to_string(),
        "Movie @PrimaryKey(id, name.value) {\n\tint id;\n\tName name;\n}"
    );
    assert_eq!(schemas[3].to_string(), "ListOfActor List<Actor>;");
    assert_eq!(
        schemas[4].to_string(),
        "SetOfActor Set<Actor> @HashKey(name);"
    );
    assert_eq!(
        schemas[5].to_string(),
        "MapOfNameToActor Map<Name,Actor> @HashKey(value, other!);"
    );
    for schema in &schemas {
        assert_eq!(&schema.to_string().parse::<Schema>().unwrap(), schema);
    }
}

#[test]
fn binary_form_round_trips_and_refuses_every_cut() {
    for schema in schemas() {
        let mut bytes = Vec::new();
        schema.write(&mut bytes).unwrap();
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(Schema::read(&mut cursor).unwrap(), schema);
        assert!(cursor.is_empty());
        for cut in 0..bytes.len() {
            assert!(
                Schema::read(&mut Cursor::new(&bytes[..cut])).is_err(),
                "cut at {cut} of {schema}"
            );
        }
        bytes[0] = 9;
        assert!(matches!(
            Schema::read(&mut Cursor::new(&bytes)),
            Err(Error::Malformed { at: 0, .. })
        ));
    }
}

#[test]
fn the_worked_example() {
    let schema: Schema = "A @PrimaryKey(id) { int id; string s; }".parse().unwrap();
    let mut bytes = Vec::new();
    schema.write(&mut bytes).unwrap();
    assert_eq!(
        bytes,
        b"\x06\0\x01A\x01\0\x02id\0\x02\0\x02id\0\x03INT\0\x01s\0\x06STRING"
    );
}

#[test]
fn text_errors_say_where() {
    for (text, at) in [
        ("", 0),
        ("A {", 3),
        ("A { int }", 8),
        ("A List<B>", 9),
        ("A Queue<B>;", 2),
        ("A { int a; long a; }", 15),
        ("A List<B>; junk", 11),
        ("A @PrimaryKey(a,) {}", 16),
    ] {
        match text.parse::<Schema>() {
            Err(Error::SchemaText { at: found, .. }) => assert_eq!(found, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(parse_schemas("A { int a; } A List<B>;").is_err());
}

#[test]
fn order_of_types() {
    let order = |text: &str| -> Vec<String> {
        let schemas = parse_schemas(text).unwrap();
        dependency_order(&schemas)
            .into_iter()
            .map(|i| schemas[i].name().to_owned())
            .collect()
    };
    assert_eq!(
        order("C { A a; } B { int i; } A { int i; }"),
        ["A", "B", "C"]
    );
    assert_eq!(
        order("A { Z z; } Z { int i; } B { int i; } Y { Missing m; }"),
        ["B", "Y", "Z", "A"]
    );
    assert_eq!(
        order("A { B b; } B { A a; } Z { int i; } C { B b; }"),
        ["Z", "A", "B", "C"]
    );
}

#[test]
fn key_paths_expand() {
    let schemas = schemas();
    let path = resolve_key_path(&schemas, "Movie", "name").unwrap();
    assert_eq!(
        (path.text.as_str(), path.fields, path.field_type),
        ("name.value", vec![1, 0], FieldType::String)
    );
    assert_eq!(path.types, ["Movie", "Name"]);
    let path = resolve_key_path(&schemas, "Movie", "name!").unwrap();
    assert_eq!(
        (path.text.as_str(), path.fields, path.field_type),
        ("name", vec![1], FieldType::Reference)
    );
    let path = resolve_key_path(&schemas, "Actor", "partner").unwrap();
    assert_eq!(
        (path.text.as_str(), path.field_type),
        ("partner.id", FieldType::Long)
    );
    for (type_name, path) in [
        ("Movie", "nope"),
        ("Movie", "id.x"),
        ("Cast", "actors"),
        ("Nope", "id"),
        ("Movie", ""),
        ("Movie", "!"),
    ] {
        assert!(
            resolve_key_path(&schemas, type_name, path).is_err(),
            "{type_name} {path}"
        );
    }
    let endless = parse_schemas("A { A a; }").unwrap();
    assert!(resolve_key_path(&endless, "A", "a").is_err());
}

#[test]
fn traversal_paths_lead_through_collections() {
    let schemas = schemas();
    let path = resolve_traversal_path(&schemas, "Cast", "byName.value.name.value").unwrap();
    assert_eq!(
        path.steps,
        [Step::Field(2), Step::Value, Step::Field(1), Step::Field(0)]
    );
    assert_eq!((path.field_type, path.end_type), (FieldType::String, None));
    let path = resolve_traversal_path(&schemas, "Cast", "actors.element").unwrap();
    assert_eq!(
        (path.field_type, path.end_type.as_deref()),
        (FieldType::Reference, Some("Actor"))
    );
    assert_eq!(
        resolve_traversal_path(&schemas, "Cast", "").unwrap().steps,
        []
    );
    for path in [
        "actors.key",
        "actors.element.id.x",
        "set.value",
        "byName.element",
    ] {
        assert!(
            resolve_traversal_path(&schemas, "Cast", path).is_err(),
            "{path}"
        );
    }
}

#[test]
fn common_schemas_and_differences() {
    let old =
        parse_schemas("A @PrimaryKey(a) { int a; long b; string c; } L List<A>; Gone { int i; }")
            .unwrap();
    let new = parse_schemas("A @PrimaryKey(a) { long b; int a; bytes d; } L List<B>; B { int i; }")
        .unwrap();
    let common = common_schema(&old[0], &new[0]).unwrap();
    assert_eq!(
        common.to_string(),
        "A @PrimaryKey(a) {\n\tint a;\n\tlong b;\n}"
    );
    assert!(common_schema(&old[1], &new[1]).is_err());
    assert!(common_schema(&old[0], &"A { long a; }".parse().unwrap()).is_err());
    let found: Vec<String> = differences(&old, &new)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "the fields of A are in another order",
            "field A.c is gone",
            "field A.d is new",
            "type Gone is gone",
            "collection L is of other types",
            "type B is new"
        ]
    );
    assert_eq!(
        differences(&old, &new)
            .iter()
            .filter(|d| d.is_breaking())
            .count(),
        3
    );
    assert!(differences(&old, &old).is_empty());
}
