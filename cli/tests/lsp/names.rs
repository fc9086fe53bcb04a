//! Every name in a circuit leads to its declaration and its uses, and can be another one.

use serde_json::{Value, json};

use crate::editor::{Editor, edited, place, slice};
use crate::hovered;
use crate::support::Scene;

/// Everything that has a name of its own.
const NAMES: &str = r#"arqon: 1
circuit: lab.names
params: { LEAST: 10 }
schemas:
  Item: { sku: string, price: decimal<2> }
  Buyer: { id: int64, region: string }
  Order: { id: int64, buyer: int64, status: enum<open|paid|void>, items: list<Item>, at: timestamp }
  Sum: { region: string, total: decimal<2>, orders: int64 }
functions:
  taxed(amount, rate): amount * rate
  cost(item): item.price
topics:
  lab.buyers: { schema: Buyer, carries: full, key: id, edge: in }
  lab.orders: { schema: Order, carries: full, key: id, edge: in }
  lab.sums: { schema: Sum, carries: delta, key: region, edge: out }
flow:
  paid_items:
    from: lab.orders
    do:
      - where: status == "paid" and id > LEAST
      - unnest: { line: items }
      - select: [id, buyer, { price: cost(line) }]
  sums:
    from: paid_items
    do:
      - with: { taxed_price: "round(taxed(amount=price, rate=1.20), 2)" }
      - join: lab.buyers
        match: { buyer: id }
        as: who
        where: who.region != "none"
      - group: [who.region]
        agg: { total: sum(taxed_price), orders: "count(id, where=price > 0.00)" }
        where: orders > 0
    to: lab.sums
access:
  lab.shop: { publish: [lab.buyers, lab.orders] }
  lab.board: { subscribe: [lab.sums] }
profiles:
  night: { params: { LEAST: 0 } }
tests:
  a paid order counts:
    - send:
        lab.buyers: [{ id: 1, region: EU }]
        lab.orders:
          - { id: 11, buyer: 1, status: paid, items: [{ sku: a, price: 1.00 }], at: 2026-01-01T00:00:00Z }
      expect: { lab.sums: [[+1, { region: EU, total: 1.20, orders: 1 }]] }
"#;

const URI: &str = "file:///names.yaml";

fn errors(found: &[Value]) -> Vec<&Value> {
    found.iter().filter(|it| it["severity"] == 1).collect()
}

/// The text after another name for what stands at `‸`, without a fault more.
fn renamed(editor: &mut Editor, version: &mut i64, text: &str, needle: &str, new: &str) -> String {
    let mut params = place(URI, text, needle);
    let prepared = editor.result("textDocument/prepareRename", &params.clone());
    assert!(prepared["placeholder"].is_string(), "{needle}: {prepared}");
    params["newName"] = json!(new);
    let edit = editor.result("textDocument/rename", &params);
    let now = edited(text, URI, &edit);
    *version += 2;
    let found = editor.change(URI, *version - 1, &now);
    assert_eq!(errors(&found), Vec::<&Value>::new(), "{needle} to {new}:\n{now}");
    let back = editor.change(URI, *version, text);
    assert_eq!(errors(&back), Vec::<&Value>::new());
    now
}

#[test]
fn fields_are_renamed_wherever_they_stand() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    assert_eq!(editor.open(URI, NAMES), [] as [Value; 0]);
    let mut version = 1;
    // Each name: where it is pointed at, what it becomes, and what stands in the text then.
    let cases: [(&str, &str, &[&str]); 14] = [
        (
            "sta‸tus == ",
            "state",
            &["buyer: int64, state: enum", "where: state == \"paid\"", "state: paid, items"],
        ),
        (
            "pri‸ce: decimal",
            "net",
            &["{ sku: string, net: decimal", "cost(item): item.net", "sku: a, net: 1.00"],
        ),
        (
            "{ pri‸ce: cost",
            "net",
            &["{ net: cost(line) }", "amount=net,", "where=net > 0.00", "price: decimal<2> }"],
        ),
        ("{ li‸ne: items", "entry", &["{ entry: items }", "cost(entry)"]),
        (
            "[id, buy‸er,",
            "client",
            &["id: int64, client: int64", "[id, { buyer: client },", "match: { buyer: id }"],
        ),
        (
            "{ buy‸er: id }",
            "client",
            &["[id, { client: buyer },", "match: { client: id }", "id: int64, buyer: int64"],
        ),
        (
            "who.reg‸ion != ",
            "area",
            &[
                "Buyer: { id: int64, area: string }",
                "who.area != \"none\"",
                "group: [{ region: who.area }]",
                "[{ id: 1, area: EU }]",
                "key: region",
            ],
        ),
        (
            "key: reg‸ion",
            "area",
            &["Sum: { area: string", "group: [{ area: who.region }]", "[[+1, { area: EU,"],
        ),
        (
            "tot‸al: sum",
            "gross",
            &["region: string, gross: decimal", "{ gross: sum(", "EU, gross: 1.20"],
        ),
        ("ord‸ers > 0", "n", &["total: decimal<2>, n: int64", "where: n > 0", "1.20, n: 1"]),
        ("as: w‸ho", "client", &["as: client", "client.region != ", "group: [client.region]"]),
        ("(amo‸unt=", "price", &["taxed(price, rate): price * rate", "taxed(price=price,"]),
        ("item.pri‸ce", "net", &["{ sku: string, net: decimal", "cost(item): item.net"]),
        (
            "== \"pa‸id\"",
            "settled",
            &["enum<open|settled|void>", "status == \"settled\"", "status: settled,"],
        ),
    ];
    for (needle, new, parts) in cases {
        let now = renamed(&mut editor, &mut version, NAMES, needle, new);
        for part in parts {
            assert!(now.contains(part), "{needle}: {part} is not in:\n{now}");
        }
    }
    for (needle, new, part) in [
        ("(it‸em): item", "it", "cost(it): it.price"),
        ("LEA‸ST\n", "LOW", "params: { LOW: 0 }"),
        ("nig‸ht:", "dark", "dark: { params"),
        ("lab.sh‸op:", "lab.store", "lab.store: { publish"),
        ("co‸st(line)", "worth", "worth(item): item"),
    ] {
        let now = renamed(&mut editor, &mut version, NAMES, needle, new);
        assert!(now.contains(part), "{needle}: {part} is not in:\n{now}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn what_cannot_be_renamed_says_why() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(URI, NAMES);
    for (needle, reason) in [
        ("unn‸est:", "`unnest` is a word of the language"),
        ("s‸um(taxed", "`sum` is a function of the language"),
        ("rou‸nd(", "`round` is a function of the language"),
        ("a paid or‸der", "free text"),
    ] {
        let answer = editor.ask("textDocument/prepareRename", &place(URI, NAMES, needle));
        let message = answer["error"]["message"].as_str().unwrap_or("no error");
        assert!(message.contains(reason), "{needle}: {message}");
    }
    for (needle, new, reason) in [
        ("sta‸tus == ", "id", "E0"),
        ("sta‸tus == ", "and", "cannot name a field"),
        ("sta‸tus == ", "Two words", "cannot name a field"),
        ("as: w‸ho", "price", "E0"),
        ("LEA‸ST: 10", "id", "means something else"),
        ("== \"pa‸id\"", "open", "a variant `open` already"),
        ("co‸st(line)", "sum", ""),
    ] {
        let mut params = place(URI, NAMES, needle);
        params["newName"] = json!(new);
        let answer = editor.ask("textDocument/rename", &params);
        let message = answer["error"]["message"].as_str().unwrap_or("no error");
        assert_ne!(message, "no error", "{needle} to {new}: {answer}");
        assert!(message.contains(reason), "{needle} to {new}: {message}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn every_name_leads_to_its_declaration() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(URI, NAMES);
    for (needle, line, declared) in [
        ("sta‸tus == ", 6, "status"),
        ("key: i‸d, edge: in }\n  lab.orders", 5, "id"),
        ("key: reg‸ion", 7, "region"),
        ("{ buy‸er: id }", 6, "buyer"),
        ("who.reg‸ion]", 5, "region"),
        ("w‸ho.region]", 28, "who"),
        ("item.pri‸ce", 4, "price"),
        ("ord‸ers > 0", 31, "orders"),
        ("sum(taxed_p‸rice)", 25, "taxed_price"),
        ("sku: a, pri‸ce", 4, "price"),
        ("{ reg‸ion: EU, total", 7, "region"),
        ("amo‸unt * rate", 9, "amount"),
        ("amou‸nt=price", 9, "amount"),
        ("== \"pa‸id\"", 6, "paid"),
        ("status: pa‸id", 6, "paid"),
        ("> LEA‸ST", 2, "LEAST"),
    ] {
        let found = editor.result("textDocument/definition", &place(URI, NAMES, needle));
        assert_eq!(slice(NAMES, &found["range"]), declared, "{needle}: {found}");
        assert_eq!(found["range"]["start"]["line"], line, "{needle}: {found}");
    }
    let mut params = place(URI, NAMES, "pri‸ce: decimal");
    for (whole, n) in [(true, 3), (false, 2)] {
        params["context"] = json!({ "includeDeclaration": whole });
        let found = editor.result("textDocument/references", &params);
        assert_eq!(found.as_array().unwrap().len(), n, "{found}");
    }
    for (needle, part) in [
        ("pri‸ce: decimal", "field of schema `Item`"),
        ("sku: a, pri‸ce", "price: decimal<2>"),
        ("key: reg‸ion", "region: string"),
        ("pai‸d|void", "**variant** `paid`"),
        ("status: pa‸id", "enum<open|paid|void>"),
        ("amo‸unt * rate", "**parameter** `amount` of function `taxed`"),
        ("nig‸ht:", "--profile night"),
        ("lab.bo‸ard:", "may subscribe `lab.sums`"),
        ("a paid or‸der", "**test** of 1 step"),
        ("li‸ne: items", "line: { sku: string"),
    ] {
        let text = hovered(&mut editor, URI, NAMES, needle);
        assert!(text.contains(part), "{needle}: {part} is not in:\n{text}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_name_is_changed_in_all_files_that_know_it() {
    let scene = Scene::new();
    let library =
        "arqon: 1\nschemas:\n  Row: { id: int64, size: int64 }\nfunctions:\n  double(x): x * 2\n";
    let circuit = |name: &str, topic: &str| {
        format!(
            "arqon: 1\ncircuit: {name}\nimport: [parts/lib.yaml]\ntopics:\n  {topic}.in: {{ schema: Row, carries: full, key: id, edge: in }}\n  \
             {topic}.out: {{ schema: {{ id: int64, twice: int64 }}, carries: delta, key: id, edge: out }}\n\
             flow:\n  twice:\n    from: {topic}.in\n    do:\n      - select: [id, {{ twice: double(size) }}]\n    to: {topic}.out\n\
             access:\n  w: {{ publish: [{topic}.in] }}\n  r: {{ subscribe: [{topic}.out] }}\n"
        )
    };
    let (one, two) = (circuit("one", "a"), circuit("two", "b"));
    scene.write("parts/lib.yaml", library);
    scene.write("one.yaml", &one);
    scene.write("two.yaml", &two);
    let folder = std::fs::canonicalize(scene.path("")).unwrap();
    let uri = |name: &str| format!("file://{}/{name}", folder.display());
    let mut editor = Editor::start(&folder, &[]);
    let hello = json!({ "capabilities": {}, "rootUri": format!("file://{}", folder.display()) });
    editor.ask("initialize", &hello);
    editor.tell("initialized", &json!({}));
    let texts = [("parts/lib.yaml", library), ("one.yaml", &one), ("two.yaml", &two)];
    assert_eq!(errors(&editor.open(&uri("one.yaml"), &one)), Vec::<&Value>::new());
    editor.open(&uri("parts/lib.yaml"), library);
    for (from, text, needle, old, new) in [
        ("one.yaml", one.as_str(), "double(si‸ze)", "size", "length"),
        ("parts/lib.yaml", library, "si‸ze: int64", "size", "length"),
        ("one.yaml", &one, "schema: Ro‸w", "Row", "Line"),
        ("parts/lib.yaml", library, "dou‸ble(x)", "double", "two_times"),
    ] {
        let mut params = place(&uri(from), text, needle);
        params["context"] = json!({ "includeDeclaration": true });
        let found = editor.result("textDocument/references", &params);
        assert_eq!(found.as_array().unwrap().len(), 3, "{needle}: {found}");
        params["newName"] = json!(new);
        let edit = editor.result("textDocument/rename", &params);
        for (name, text) in texts {
            let now = edited(text, &uri(name), &edit);
            assert!(!now.contains(old) && now.contains(new), "{needle} in {name}:\n{now}");
        }
    }
    // A field of the one circuit alone changes no other.
    let mut params = place(&uri("one.yaml"), &one, "twi‸ce: double");
    params["newName"] = json!("both");
    let edit = editor.result("textDocument/rename", &params);
    assert_eq!(edit["changes"].as_object().unwrap().len(), 1, "{edit}");
    // A name that would break the other circuit is refused with its place.
    let mut params = place(&uri("parts/lib.yaml"), library, "si‸ze: int64");
    params["newName"] = json!("id");
    let answer = editor.ask("textDocument/rename", &params);
    assert!(answer["error"]["message"].as_str().unwrap().contains("E0"), "{answer}");
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn names_behind_astral_characters_and_in_windows_files() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    let text = NAMES
        .replace("who.region != \"none\"", "who.region != \"😀𝒳\" and who.region != \"🦀\"")
        .replace('\n', "\r\n");
    assert_eq!(errors(&editor.open(URI, &text)), Vec::<&Value>::new());
    let found = editor.result("textDocument/definition", &place(URI, &text, "and who.reg‸ion"));
    assert_eq!(slice(&text, &found["range"]), "region");
    let mut version = 1;
    let now = renamed(&mut editor, &mut version, &text, "and who.reg‸ion", "area");
    assert!(now.contains("who.area != \"😀𝒳\" and who.area != \"🦀\""), "{now}");
    assert_eq!(now.matches("\r\n").count(), text.matches("\r\n").count());
    assert_eq!(editor.leave(), Some(0));
}
