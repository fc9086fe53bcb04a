//! `arqon compile --emit proto`: what it writes, and that an import of it gives the same schemas.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::Scene;

const SCHEMAS: &str = "\
schemas:
  Line: { item: string, price: decimal<2> }
  Order:
    id: int64
    at: { type: timestamp, unit: ms }
    seen: { type: list<option<timestamp>>, unit: s }
    times: { at: { type: timestamp, unit: us } }
    day: date
    took: duration
    key: uuid
    state: enum<open|paid>
    lines: list<Line>
    table: list<list<date>>
    by_name: map<date>
    tags: option<list<string>>
    frame: tensor<3x4xf32>
    scores: list<float32>
    note: option<decimal<4>>
";

fn circuit(head: &str) -> String {
    format!(
        "arqon: 1\ncircuit: shop.orders\nnamespace: shop\n{head}topics:\n  \
         shop.orders: {{ schema: Order, carries: full, key: id, edge: in }}\n  \
         shop.sums: {{ schema: {{ item: string, price: decimal<2> }}, edge: in }}\n\
         access:\n  w: {{ publish: [shop.orders, shop.sums] }}\n"
    )
}

#[test]
fn emitted_messages_are_imported_as_they_were() {
    let scene = Scene::new();
    scene.write("shop.yaml", &circuit(SCHEMAS));
    let emitted = scene.arqon(&["compile", "-q", "--emit", "proto", "shop.yaml"]);
    assert_eq!(emitted.code, 0, "{}", emitted.stderr);
    let text = emitted.stdout;
    for part in [
        "package shop;",
        "// shop.orders\nmessage Order {",
        "  int64 at = 2;  // arqon: { type: timestamp, unit: ms }",
        "  int32 day = 5;  // arqon: date",
        "  map<string, int32> by_name = 11;  // arqon: map<date>",
        "  repeated float scores = 14;\n",
        "// shop.sums\nmessage ShopSums {",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    scene.write("shop.proto", &text);
    scene.write("again.yaml", &circuit("import: shop.proto\n"));
    let again = scene.arqon(&["compile", "--emit", "proto", "again.yaml"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(again.stdout, text);
}

#[test]
fn a_type_that_a_field_cannot_carry_is_refused_at_its_place() {
    let scene = Scene::new();
    let proto = "syntax = \"proto3\";\nmessage Order {\n  int64 id = 1;\n  \
        int32 at = 2;  // arqon: timestamp\n  string note = 3;  // arqon: tezt\n}\n";
    scene.write("shop.proto", proto);
    let text = "arqon: 1\ncircuit: a\nimport: shop.proto\ntopics:\n  \
        t: { schema: Order, carries: full, key: id, edge: in }\naccess: { w: { publish: [t] } }\n";
    scene.write("a.yaml", text);
    let checked = scene.arqon(&["check", "a.yaml"]);
    let text = checked.stderr;
    assert_eq!(checked.code, 1, "{text}");
    for part in [
        "error[E0036]: this field cannot carry `timestamp`",
        "shop.proto:4:28",
        "error[E0036]: this field cannot carry `tezt`",
        "shop.proto:5:31",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
