//! `arqon lsp` as an editor meets it: the real process, over its pipes.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

#[path = "../support/editor.rs"]
mod editor;
mod features;
mod names;
#[path = "../support/mod.rs"]
mod support;

use editor::{Editor, edited, place, slice};
use serde_json::{Value, json};
use support::{SHOP, Scene};

/// The labels of a completion at the `‸` of a needle.
fn completed(editor: &mut Editor, uri: &str, text: &str, needle: &str) -> Vec<String> {
    let found = editor.result("textDocument/completion", &place(uri, text, needle));
    let items = found["items"].as_array().unwrap();
    items.iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

fn hovered(editor: &mut Editor, uri: &str, text: &str, needle: &str) -> String {
    let found = editor.result("textDocument/hover", &place(uri, text, needle));
    found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
}

#[test]
fn a_session_from_hello_to_goodbye() {
    let scene = Scene::new();
    let uri = format!("file://{}", scene.path("shop.yaml").display());
    let mut editor = Editor::ready(&scene.path(""));
    assert_eq!(editor.open(&uri, SHOP), [] as [Value; 0]);

    // A fault and its mending, keystroke by keystroke.
    let faulty = SHOP.replace("amount > 0", "amuont > 0 && true");
    let found = editor.change(&uri, 2, &faulty);
    let codes: Vec<&str> = found.iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E0104"]);
    assert_eq!(slice(&faulty, &found[0]["range"]), "&&");
    let actions = editor.result(
        "textDocument/codeAction",
        &json!({
            "textDocument": { "uri": uri }, "range": found[0]["range"],
            "context": { "diagnostics": found },
        }),
    );
    assert_eq!(actions[0]["title"], "write `and`");
    let mended = edited(&faulty, &uri, &actions[0]["edit"]);
    assert!(mended.contains("amuont > 0 and true"), "{mended}");
    let found = editor.change(&uri, 3, &mended);
    assert_eq!(found[0]["code"], "E0205");
    assert!(found[0]["message"].as_str().unwrap().contains("help: did you mean `amount`?"));
    assert_eq!(editor.change(&uri, 4, SHOP), [] as [Value; 0]);

    // What is under the cursor.
    for (needle, parts) in [
        ("where: sta‸tus", &["status: enum<open|paid|void>"][..]),
        ("amou‸nt > 0", &["amount: decimal<2>"]),
        ("to: shop.reve‸nue", &["**topic** `shop.revenue`", "carries `delta`", "key `region`"]),
        ("- gro‸up", &["**group**", "`delta`", "revenue: decimal<2>", "holds 1 group each"]),
        ("- wh‸ere", &["keeps the rows", "`delta`", "one row for each `id`"]),
        ("rev‸enue:\n    from", &["**node** `revenue`", "orders: int64"]),
        ("schema: Cust‸omer", &["**schema**", "name: option<string>"]),
        ("s‸um(amount)", &["sum(x)"]),
        ("ord‸ers: count()", &["orders: int64"]),
        ("a‸s: c", &["what the row of the other side is called"]),
        ("as: c‸", &["c: { id: int64, region: string, name: option<string> }"]),
        ("sch‸emas:", &["record types"]),
        ("ed‸ge: out", &["which way clients may use it"]),
        ("carries: de‸lta", &["rows that come and go"]),
        ("[c.re‸gion]", &["region: string"]),
    ] {
        let text = hovered(&mut editor, &uri, SHOP, needle);
        for part in parts {
            assert!(text.contains(part), "{needle}: {part} is not in:\n{text}");
        }
    }

    // Where it is declared.
    for (needle, declared) in [
        ("join: shop.cust‸omers", "shop.customers"),
        ("schema: Or‸der", "Order"),
        ("am‸ount > 0", "amount"),
        ("c.regi‸on", "region"),
        ("publish: [shop.cust‸omers", "shop.customers"),
    ] {
        let found = editor.result("textDocument/definition", &place(&uri, SHOP, needle));
        assert!(slice(SHOP, &found["range"]).starts_with(declared), "{needle}: {found}");
        assert_eq!(found["uri"], uri, "{needle}");
    }

    // The rows behind every step.
    let whole =
        json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let hints = editor.result(
        "textDocument/inlayHint",
        &json!({ "textDocument": { "uri": uri }, "range": whole }),
    );
    let labels: Vec<&str> =
        hints.as_array().unwrap().iter().map(|hint| hint["label"].as_str().unwrap()).collect();
    assert_eq!(labels.len(), 3, "{labels:?}");
    assert_eq!(labels[2], "delta { region: string, revenue: decimal<2>, orders: int64 }");

    // Outline and layout.
    let symbols =
        editor.result("textDocument/documentSymbol", &json!({ "textDocument": { "uri": uri } }));
    let names: Vec<&str> =
        symbols.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["schemas", "topics", "flow", "access", "tests"]);
    assert_eq!(symbols[2]["children"][0]["children"][1]["name"], "join");
    let untidy = SHOP.replace("from: shop.orders", "from:   shop.orders");
    editor.change(&uri, 5, &untidy);
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let edits = editor.result(
        "textDocument/formatting",
        &json!({ "textDocument": { "uri": uri }, "options": options }),
    );
    assert_eq!(edited(&untidy, &uri, &json!({ "changes": { uri.clone(): edits } })), SHOP);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn completion_knows_the_place() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(uri, SHOP);
    let mut version = 1;
    let mut at = |marked: &str, with: &[&str], without: &[&str]| {
        let text = marked.replace('‸', "");
        version += 1;
        editor.change(uri, version, &text);
        let start = marked.find('‸').unwrap().saturating_sub(20);
        let start = (0..=start).rev().find(|at| marked.is_char_boundary(*at)).unwrap();
        let end = (marked.find('‸').unwrap() + '‸'.len_utf8()).min(marked.len());
        let found = completed(&mut editor, uri, &text, &marked[start..end]);
        for word in with {
            assert!(found.iter().any(|it| it == word), "`{word}` is missing: {found:?}\n{marked}");
        }
        for word in without {
            assert!(!found.iter().any(|it| it == word), "`{word}` is there: {found:?}\n{marked}");
        }
    };
    let put = |old: &str, new: &str| SHOP.replace(old, new);
    at(&format!("{SHOP}fun‸"), &["functions", "routes"], &["flow", "schemas", "where"]);
    let tick = "schemas:\n  Tick: { at: { type: timestamp, ‸ } }\n";
    at(&put("schemas:\n", tick), &["unit"], &["type", "topics", "key"]);
    let tick = "schemas:\n  Tick: { at: { type: timestamp, unit: ‸ } }\n";
    at(&put("schemas:\n", tick), &["s", "ms", "us", "ns"], &["string"]);
    at(&put("- where: status", "- ‸where: status"), &["where", "join", "top"], &["flow", "match"]);
    at(&put("        as: c", "        k‸"), &["kind", "as", "where"], &["match", "join", "agg"]);
    at(
        &put("amount > 0", "am‸"),
        &["amount", "status", "like", "if"],
        &["region", "shop.orders", "sum_of_nothing"],
    );
    at(&put("[c.region]", "[c.‸]"), &["id", "region", "name"], &["amount", "like"]);
    at(&put("revenue: sum(amount)", "revenue: su‸"), &["sum", "count", "amount"], &["where"]);
    at(&put("join: shop.customers", "join: sh‸"), &["shop.customers", "revenue"], &["Order"]);
    at(&put("match: { customer: id }", "match: { cu‸ }"), &["customer", "amount"], &["region"]);
    at(&put("match: { customer: id }", "match: { customer: ‸ }"), &["id", "region"], &["amount"]);
    at(&put("schema: Revenue", "schema: ‸"), &["Order", "Revenue", "int64"], &["shop.orders"]);
    at(&put("carries: delta", "carries: ‸"), &["delta", "events"], &["full_outer"]);
    at(&put("key: region", "key: ‸"), &["region", "orders"], &["amount"]);
    at(&put("    to: shop.revenue", "    t‸"), &["to", "out"], &["from", "do"]);
    at(&put("to: shop.revenue", "to: ‸"), &["shop.revenue"], &["revenue"]);
    at(&put("subscribe: [shop.revenue]", "subscribe: [‸"), &["shop.revenue"], &["Order"]);
    at(&put("name: option<string> }", "name: ‸ }"), &["string", "timestamp", "Order"], &["where"]);
    at(&put("{ id: 10, customer", "{ i‸, customer"), &["id", "amount"], &["region"]);
    at(&put("status == \"paid\"", "status == \"pa‸"), &[], &["amount", "like"]);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_name_is_changed_everywhere() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let text = "arqon: 1\ncircuit: a\nparams: { N: 3 }\nschemas:\n  Row: { id: int64, x: int64 }\n\
        functions:\n  twice(x): x * 2\ntopics:\n  in.rows: { schema: Row, carries: full, key: id, edge: in }\n  \
        out.rows: { schema: { id: int64, y: int64 }, carries: delta, edge: out }\nflow:\n  split:\n    \
        from: in.rows\n    do:\n      - where: twice(x) > N\n      - route: { big: x > N, rest: else }\n  \
        big_ones:\n    from: split.big\n    do:\n      - select: { id: id, y: twice(x) }\n    to: out.rows\n\
        access:\n  writer: { publish: [in.rows] }\ntests:\n  one:\n    - send: { in.rows: [{ id: 1, x: 9 }] }\n      \
        expect: { out.rows: [[+1, { id: 1, y: 18 }]] }\n";
    let mut editor = Editor::ready(&scene.path(""));
    assert_eq!(editor.open(uri, text), [] as [Value; 0]);
    let mut version = 1;
    for (needle, old, new) in [
        ("from: in.r‸ows", "in.rows", "other.rows"),
        ("schema: R‸ow,", "Row", "Line"),
        ("twi‸ce(x):", "twice", "doubled"),
        ("> ‸N\n", "N", "LIMIT"),
        ("spl‸it.big", "split", "sized"),
        ("split.b‸ig", "big", "large"),
    ] {
        let mut params = place(uri, text, needle);
        let prepared = editor.result("textDocument/prepareRename", &params.clone());
        assert_eq!(prepared["placeholder"], old, "{needle}");
        params["newName"] = json!(new);
        let edit = editor.result("textDocument/rename", &params);
        let renamed = edited(text, uri, &edit);
        assert!(!renamed.contains(&format!(" {old}:")), "{needle}:\n{renamed}");
        version += 1;
        let found = editor.change(uri, version, &renamed);
        assert_eq!(found, [] as [Value; 0], "{needle} to {new}:\n{renamed}");
        version += 1;
        editor.change(uri, version, text);
    }
    for (needle, new) in [
        ("from: in.r‸ows", "Bad Name"),
        ("from: in.r‸ows", "out.rows"),
        ("from: in.r‸ows", "split"),
        ("from: in.r‸ows", "system.rows"),
        ("wh‸ere", "filter"),
    ] {
        let mut params = place(uri, text, needle);
        params["newName"] = json!(new);
        let answer = editor.ask("textDocument/rename", &params);
        assert_eq!(answer["error"]["code"], -32803, "{needle} to {new}: {answer}");
    }
    let mut params = place(uri, text, "from: in.r‸ows");
    params["context"] = json!({ "includeDeclaration": true });
    let found = editor.result("textDocument/references", &params);
    assert_eq!(found.as_array().unwrap().len(), 4, "{found}");
    assert_eq!(editor.leave(), Some(0));
}

/// A loop with a variable and a node of its own.
const LOOP: &str = "\
arqon: 1
circuit: a
schemas:
  Node: { id: int64 }
  Way: { src: int64, dst: int64 }
topics:
  roots: { schema: Node, carries: full, key: id, edge: in }
  ways: { schema: Way, carries: delta, edge: in }
  found: { schema: Node, carries: delta, key: id, edge: out }
flow:
  reach:
    loop:
      let: { spot: roots }
      flow:
        step:
          from: spot
          do:
            - join: ways
              match: { id: src }
              as: e
            - select: { id: e.dst }
      next: { spot: { from: [roots, step], merge: distinct } }
    out: spot
    do:
      - window: { tumble: 1m }
    to: found
access:
  writer: { publish: [roots, ways] }
  reader: { subscribe: [found] }
";

#[test]
fn names_within_loops_are_names() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let text = LOOP.replace("    do:\n      - window: { tumble: 1m }\n", "");
    let mut editor = Editor::ready(&scene.path(""));
    assert_eq!(editor.open(uri, &text), [] as [Value; 0]);
    for (needle, part) in [
        ("out: sp‸ot", "id: int64"),
        ("st‸ep:\n", "id: int64"),
        ("jo‸in: ways", "e: { src: int64, dst: int64 }"),
        ("{ id‸: e.dst }", "id: int64"),
        ("lo‸op:", "repeated"),
        ("ne‸xt:", "next round"),
    ] {
        let found = hovered(&mut editor, uri, &text, needle);
        assert!(found.contains(part), "{needle}: {part} is not in:\n{found}");
    }
    let renamed = |editor: &mut Editor, needle: &str, new: &str| {
        let mut params = place(uri, &text, needle);
        params["newName"] = json!(new);
        editor.ask("textDocument/rename", &params)
    };
    let answer = renamed(&mut editor, "from: sp‸ot", "place");
    let now = edited(&text, uri, &answer["result"]);
    assert_eq!(now.matches("spot").count(), 0, "{now}");
    assert_eq!(editor.change(uri, 2, &now), [] as [Value; 0], "{now}");
    editor.change(uri, 3, &text);
    let answer = renamed(&mut editor, "[roots, st‸ep]", "found");
    assert_eq!(answer["error"]["code"], -32803, "a topic has the name: {answer}");
    let found = editor.result("textDocument/definition", &place(uri, &text, "[roots, st‸ep]"));
    assert_eq!(found["range"]["start"], json!({ "line": 14, "character": 8 }));
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn completion_knows_loops_and_windows() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(uri, LOOP);
    let mut version = 1;
    for (old, new, word) in [
        ("select: { id: e.dst }", "select: { id: e.‸ }", "dst"),
        ("match: { id: src }", "match: { id: s‸ }", "src"),
        ("from: spot", "from: s‸", "spot"),
        ("from: [roots, step]", "from: [roots, s‸]", "step"),
        ("out: spot", "out: ‸", "spot"),
        ("{ tumble: 1m }", "{ tu‸ }", "tumble"),
        ("{ tumble: 1m }", "{ tumble: 1m, f‸ }", "final"),
        ("      next: {", "      r‸: 7\n      next: {", "rounds"),
        ("            - select", "            - w‸\n            - select", "where"),
    ] {
        let marked = LOOP.replacen(old, new, 1);
        let text = marked.replace('‸', "");
        version += 1;
        editor.change(uri, version, &text);
        let at = marked.find('‸').unwrap();
        let position = editor::position(&text, at);
        let params = json!({ "textDocument": { "uri": uri }, "position": position });
        let found = editor.result("textDocument/completion", &params);
        let items = found["items"].as_array().unwrap();
        assert!(items.iter().any(|item| item["label"] == word), "{new}: {word} is not in {found}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn the_diagnostics_of_profiles_are_told() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let limited =
        SHOP.replace("    to: shop", "      - top: N\n        by: [orders]\n    to: shop");
    let text =
        format!("{limited}params: {{ N: 3 }}\nprofiles:\n  night: {{ params: {{ N: -3 }} }}\n");
    let mut editor = Editor::ready(&scene.path(""));
    let found = editor.open(uri, &text);
    let note = "note: with the profile `night`";
    assert!(found.iter().any(|it| it["message"].as_str().unwrap().contains(note)), "{found:?}");
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_broken_text_is_served_as_far_as_it_can_be_read() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let broken = SHOP.replace("        as: c\n", "        as\n      - where: c.\n");
    let mut editor = Editor::ready(&scene.path(""));
    let found = editor.open(uri, &broken);
    assert_eq!(found[0]["code"], "E0001", "{found:?}");
    let text = hovered(&mut editor, uri, &broken, "to: shop.reve‸nue");
    assert!(text.contains("**topic**"), "{text}");
    let found = editor.result("textDocument/definition", &place(uri, &broken, "schema: Or‸der"));
    assert_eq!(slice(&broken, &found["range"]), "Order");
    let labels = completed(&mut editor, uri, &broken, "schema: ‸Order");
    assert!(labels.contains(&"Revenue".to_owned()), "{labels:?}");
    // Nothing at all, and bytes that are no circuit.
    for (version, text) in [(2, ""), (3, "[[[["), (4, "\u{1}"), (5, "- a\n- b\n")] {
        editor.change(uri, version, text);
        let params =
            json!({ "textDocument": { "uri": uri }, "position": { "line": 5, "character": 9 } });
        for method in ["hover", "completion", "definition"] {
            let answer = editor.ask(&format!("textDocument/{method}"), &params);
            assert!(answer.get("error").is_none(), "{method} of {text:?}: {answer}");
        }
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn imports_come_from_the_editor_before_the_disk() {
    let scene = Scene::new();
    scene.write("lib.yaml", "arqon: 1\nschemas:\n  Row: { id: int64 }\n");
    let main = "arqon: 1\ncircuit: a\nimport: [lib.yaml]\ntopics:\n  t: { schema: Row, carries: \
        full, key: id, edge: in }\naccess:\n  w: { publish: [t] }\n";
    scene.write("main.yaml", main);
    let path = std::fs::canonicalize(scene.path("")).unwrap();
    let uri = |name: &str| format!("file://{}/{name}", path.display());
    let mut editor = Editor::ready(&scene.path(""));
    let errors = |found: &[Value]| found.iter().filter(|it| it["severity"] == 1).count();
    let found = editor.open(&uri("main.yaml"), main);
    assert_eq!(errors(&found), 0, "{found:?}");
    let found =
        editor.result("textDocument/definition", &place(&uri("main.yaml"), main, "schema: R‸ow"));
    assert_eq!(found["uri"], uri("lib.yaml"));
    assert_eq!(found["range"]["start"], json!({ "line": 2, "character": 2 }));
    let found =
        editor.result("textDocument/definition", &place(&uri("main.yaml"), main, "[lib‸.yaml]"));
    assert_eq!(found["uri"], uri("lib.yaml"), "the file of an import");
    // The library is edited, and not saved: its importer sees it.
    let renamed = "arqon: 1\nschemas:\n  Line: { id: int64 }\n";
    editor.open(&uri("lib.yaml"), renamed);
    let found = editor.found(&uri("main.yaml"), 1);
    assert_eq!(found[0]["code"], "E0201", "{found:?}");
    let mut params = place(&uri("main.yaml"), main, "schema: R‸ow");
    params["newName"] = json!("Other");
    assert!(editor.ask("textDocument/rename", &params).get("error").is_some());
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn odd_messages_do_not_end_it() {
    let scene = Scene::new();
    let mut editor = Editor::start(&scene.path(""), &[]);
    let early = editor.ask("textDocument/hover", &json!({}));
    assert_eq!(early["error"]["code"], -32002);
    editor.ask("initialize", &json!({ "capabilities": {} }));
    editor.write(b"Content-Length: 5\r\n\r\n{{{{{");
    assert_eq!(editor.next()["error"]["code"], -32700);
    editor.write(b"Content-Length: 2\r\n\r\n[]");
    assert_eq!(editor.next()["error"]["code"], -32600);
    editor.write(b"Content-Length: nine\r\n\r\n");
    assert_eq!(editor.next()["error"]["code"], -32700);
    editor.write(b"Nonsense\r\nContent-Length: 3\r\nX: y\r\n\r\n\xff\xfe\xfd");
    assert_eq!(editor.next()["error"]["code"], -32700);
    let cases = [
        ("no/such/method", json!({}), -32601),
        ("textDocument/hover", json!({ "textDocument": 7 }), -32602),
        ("textDocument/hover", Value::Null, -32602),
        (
            "textDocument/hover",
            json!({ "textDocument": { "uri": "file:///none.yaml" },
                "position": { "line": 0, "character": 0 } }),
            -32602,
        ),
        ("initialize", json!({}), -32600),
    ];
    for (method, params, code) in cases {
        let answer = editor.ask(method, &params);
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
    }
    // Notifications that nobody understands, changes of what is not open, places that are nowhere.
    editor.tell("no/such/thing", &json!(1));
    editor.tell(
        "textDocument/didChange",
        &json!({ "textDocument": { "uri": "file:///x", "version": 1 },
        "contentChanges": [{ "text": "x" }] }),
    );
    editor.tell("textDocument/didOpen", &json!({ "odd": true }));
    let uri = "untitled:one";
    assert_eq!(editor.open(uri, SHOP), [] as [Value; 0]);
    editor.tell(
        "textDocument/didChange",
        &json!({ "textDocument": { "uri": uri, "version": 2 },
        "contentChanges": [{ "range": { "start": { "line": 900, "character": 9 },
            "end": { "line": 1, "character": 99 } }, "text": "# end\n" }] }),
    );
    assert_eq!(editor.found(uri, 2), [] as [Value; 0]);
    let far =
        json!({ "textDocument": { "uri": uri }, "position": { "line": 9999, "character": 9 } });
    assert_eq!(editor.result("textDocument/hover", &far), Value::Null);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_question_right_behind_a_change_swallows_no_diagnostics() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(uri, SHOP);
    let faulty = SHOP.replace("amount > 0", "amuont > 0");
    for (version, text, n_found) in [(2, faulty.as_str(), 1), (3, SHOP, 0)] {
        editor.tell(
            "textDocument/didChange",
            &json!({ "textDocument": { "uri": uri, "version": version },
                "contentChanges": [{ "text": text }] }),
        );
        editor.result("textDocument/hover", &place(uri, text, "sta‸tus =="));
        assert_eq!(editor.found(uri, version).len(), n_found);
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn it_ends_when_its_editor_does() {
    let scene = Scene::new();
    assert_eq!(Editor::ready(&scene.path("")).vanish(), Some(1));
    let mut editor = Editor::ready(&scene.path(""));
    editor.tell("exit", &Value::Null);
    assert_eq!(editor.vanish(), Some(1));
    let mut editor = Editor::ready(&scene.path(""));
    editor.result("shutdown", &Value::Null);
    let late = editor.ask("textDocument/hover", &json!({}));
    assert_eq!(late["error"]["code"], -32600);
    assert_eq!(editor.vanish(), Some(0));
}

#[test]
fn a_cancelled_request_is_answered_and_the_next_one_too() {
    let scene = Scene::new();
    let uri = "file:///a.yaml";
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(uri, SHOP);
    let params = place(uri, SHOP, "sta‸tus ==");
    let ids: Vec<i64> =
        (0..50).map(|_| editor.post("textDocument/hover", &params.clone())).collect();
    editor.tell("$/cancelRequest", &json!({ "id": ids[49] }));
    let last = editor.answer_to(&json!(ids[49]));
    assert!(last["error"]["code"] == -32800 || last.get("result").is_some(), "{last}");
    assert!(hovered(&mut editor, uri, SHOP, "sta‸tus ==").contains("status"));
    assert_eq!(editor.leave(), Some(0));
}
