//! What editors ask besides names: folds, colours, signatures, selections, links, and the words that
//! may be written where a type is known.

use serde_json::{Value, json};

use crate::completed;
use crate::editor::{Editor, place, slice};
use crate::support::{SHOP, Scene};

const URI: &str = "file:///a.yaml";

fn asked(editor: &mut Editor, what: &str) -> Value {
    editor.result(&format!("textDocument/{what}"), &json!({ "textDocument": { "uri": URI } }))
}

#[test]
fn what_the_server_offers_it_has() {
    let scene = Scene::new();
    let mut editor = Editor::start(&scene.path(""), &[]);
    let hello = editor.ask("initialize", &json!({ "capabilities": {} }));
    let offered = hello["result"]["capabilities"].as_object().unwrap();
    editor.tell("initialized", &json!({}));
    editor.open(URI, SHOP);
    let document = json!({ "uri": URI });
    let at = json!({ "line": 10, "character": 8 });
    let range = json!({ "start": at, "end": at });
    for (capability, method, more) in [
        ("hoverProvider", "hover", json!({ "position": at })),
        ("completionProvider", "completion", json!({ "position": at })),
        ("definitionProvider", "definition", json!({ "position": at })),
        (
            "referencesProvider",
            "references",
            json!({ "position": at, "context": { "includeDeclaration": true } }),
        ),
        ("documentHighlightProvider", "documentHighlight", json!({ "position": at })),
        ("documentSymbolProvider", "documentSymbol", json!({})),
        (
            "documentFormattingProvider",
            "formatting",
            json!({ "options": { "tabSize": 2, "insertSpaces": true } }),
        ),
        (
            "codeActionProvider",
            "codeAction",
            json!({ "range": range, "context": { "diagnostics": [] } }),
        ),
        ("inlayHintProvider", "inlayHint", json!({ "range": range })),
        ("foldingRangeProvider", "foldingRange", json!({})),
        ("selectionRangeProvider", "selectionRange", json!({ "positions": [at] })),
        ("documentLinkProvider", "documentLink", json!({})),
        ("signatureHelpProvider", "signatureHelp", json!({ "position": at })),
        ("semanticTokensProvider", "semanticTokens/full", json!({})),
        ("semanticTokensProvider", "semanticTokens/range", json!({ "range": range })),
    ] {
        assert!(offered.contains_key(capability), "{capability}");
        let mut params = more;
        params["textDocument"] = document.clone();
        let answer = editor.ask(&format!("textDocument/{method}"), &params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
    }
    assert!(offered.contains_key("workspaceSymbolProvider"));
    assert_eq!(editor.leave(), Some(0));
}

/// A folder with a circuit, a library, a protobuf file and what is no circuit.
fn workspace(scene: &Scene) -> (Editor, String) {
    scene.write(
        "parts/rows.yaml",
        "arqon: 1\ncircuit: parts.rows\nschemas:\n  Spot: { id: int64, wind_speed: float64 }\n",
    );
    scene.write("parts/frames.proto", "syntax = \"proto3\";\nmessage Frame { int64 id = 1; }\n");
    scene.write("compose.yaml", "services: { web: { image: nginx } }\n");
    scene.write(".hidden/other.yaml", "arqon: 1\ncircuit: hidden.other\n");
    let folder = std::fs::canonicalize(scene.path("")).unwrap();
    let mut editor = Editor::start(&folder, &[]);
    let root = format!("file://{}", folder.display());
    editor.ask("initialize", &json!({ "capabilities": {}, "rootUri": root }));
    editor.tell("initialized", &json!({}));
    (editor, root)
}

#[test]
fn declarations_of_the_workspace_are_found_by_letters() {
    let scene = Scene::new();
    let (mut editor, root) = workspace(&scene);
    editor.open(
        &format!("{root}/two.yaml"),
        "arqon: 1\ncircuit: two\nschemas: { Spotted: { a: bool } }\n",
    );
    for (query, wanted) in [
        ("spot", &["Spot", "Spotted"][..]),
        ("SPOT", &["Spot", "Spotted"]),
        ("wsp", &["wind_speed"]),
        ("shop.orders", &["shop.orders"]),
        ("nothing at all", &[]),
        ("hidden", &[]),
    ] {
        let found = editor.result("workspace/symbol", &json!({ "query": query }));
        let names: Vec<&str> =
            found.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, wanted, "{query}");
    }
    let found = editor.result("workspace/symbol", &json!({ "query": "wind_speed" }));
    assert_eq!(found[0]["containerName"], "Spot");
    assert_eq!(found[0]["location"]["uri"], format!("{root}/parts/rows.yaml"));
    assert_eq!(found[0]["location"]["range"]["start"], json!({ "line": 3, "character": 21 }));
    let all = editor.result("workspace/symbol", &json!({ "query": "" }));
    assert!(10 < all.as_array().unwrap().len(), "{all}");
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn what_may_be_imported_is_offered_by_its_path() {
    let scene = Scene::new();
    let (mut editor, root) = workspace(&scene);
    let uri = format!("{root}/two.yaml");
    let text = |import: &str| format!("arqon: 1\ncircuit: two\nimport: {import}\n");
    editor.open(&uri, &text("[]"));
    for (version, (import, wanted)) in (2..).zip([
        ("[‸]", &["parts/frames.proto", "parts/rows.yaml", "shop.yaml"][..]),
        ("parts/‸", &["parts/frames.proto", "parts/rows.yaml", "shop.yaml"]),
        ("[parts/rows.yaml, parts/fr‸]", &["parts/frames.proto", "shop.yaml"]),
        ("\n  - ‸", &["parts/frames.proto", "parts/rows.yaml", "shop.yaml"]),
    ]) {
        let marked = text(import);
        let now = marked.replace('‸', "");
        editor.change(&uri, version, &now);
        let at = marked.find('‸').unwrap();
        let needle = &marked[at.saturating_sub(12)..at + '‸'.len_utf8()];
        let found = editor.result("textDocument/completion", &place(&uri, &now, needle));
        let items = found["items"].as_array().unwrap();
        let names: Vec<&str> = items.iter().map(|it| it["label"].as_str().unwrap()).collect();
        assert_eq!(names, wanted, "{import}");
        // The whole path is replaced, not its last word.
        let start = &items[0]["textEdit"]["range"]["start"]["character"];
        let line = now[..at].lines().last().unwrap_or("");
        let written = line.rfind([' ', '[']).map_or(0, |it| it + 1);
        assert_eq!(start.as_u64(), Some(written as u64), "{import}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn blocks_fold_also_where_the_text_is_broken() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    for (version, text) in [(1, SHOP.to_owned()), (2, SHOP.replace("as: c", "as [{"))] {
        if version == 1 {
            editor.open(URI, &text);
        } else {
            editor.change(URI, version, &text);
        }
        let folds = asked(&mut editor, "foldingRange");
        let flow = text.lines().position(|line| line == "flow:").unwrap();
        let access = text.lines().position(|line| line == "access:").unwrap();
        let fold = json!({ "startLine": flow, "endLine": access - 2 });
        assert!(folds.as_array().unwrap().contains(&fold), "{fold} is not in {folds}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn words_have_their_colours() {
    let scene = Scene::new();
    let mut editor = Editor::start(&scene.path(""), &[]);
    let hello = editor.ask("initialize", &json!({ "capabilities": {} }));
    editor.tell("initialized", &json!({}));
    let legend = &hello["result"]["capabilities"]["semanticTokensProvider"]["legend"]["tokenTypes"];
    let text = SHOP.replace("amount > 0", "\"😀\" != \"x\" and amount > 0");
    editor.open(URI, &text);
    let data = asked(&mut editor, "semanticTokens/full")["data"].clone();
    let numbers: Vec<u64> =
        data.as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).collect();
    let (mut line, mut column) = (0, 0);
    let mut found = Vec::new();
    for token in numbers.chunks(5) {
        column = if token[0] == 0 { column + token[1] } else { token[1] };
        line += token[0];
        let start = json!({ "line": line, "character": column });
        let end = json!({ "line": line, "character": column + token[2] });
        let word = slice(&text, &json!({ "start": start, "end": end })).to_owned();
        let kind = legend[usize::try_from(token[3]).unwrap()].as_str().unwrap().to_owned();
        found.push((word, kind));
    }
    for (word, kind) in [
        ("Customer", "type"),
        ("amount", "property"),
        ("shop.orders", "event"),
        ("revenue", "class"),
        ("where", "keyword"),
        ("join", "keyword"),
        ("and", "keyword"),
        ("sum", "function"),
        ("\"😀\"", "string"),
        ("paid", "enumMember"),
        ("0", "number"),
        (">", "operator"),
        ("shop.dashboard", "namespace"),
    ] {
        let wanted = (word.to_owned(), kind.to_owned());
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn the_call_around_the_cursor_shows_its_signature() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    let text = SHOP
        .replace("topics:\n", "functions:\n  net(price, off): price * (1 - off)\ntopics:\n")
        .replace("amount > 0", "net(amount, round(0.5, ");
    editor.open(URI, &text);
    let found = editor.result("textDocument/signatureHelp", &place(URI, &text, "round(0.5, ‸"));
    let label = found["signatures"][0]["label"].as_str().unwrap();
    assert!(label.starts_with("round("), "{found}");
    assert_eq!(found["activeParameter"], 1);
    let found =
        editor.result("textDocument/signatureHelp", &place(URI, &text, "net(amount,‸ round"));
    assert_eq!(found["signatures"][0]["label"], "net(price, off)");
    assert_eq!(found["signatures"][0]["parameters"][1]["label"], json!([11, 14]));
    assert_eq!(found["activeParameter"], 1);
    let found =
        editor.result("textDocument/signatureHelp", &place(URI, &text, "from: sh‸op.orders"));
    assert_eq!(found, Value::Null);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_selection_grows_by_the_parts_of_the_circuit() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    editor.open(URI, SHOP);
    let position = place(URI, SHOP, "amo‸unt > 0")["position"].clone();
    let found = editor.result(
        "textDocument/selectionRange",
        &json!({ "textDocument": { "uri": URI }, "positions": [position] }),
    );
    let mut texts = Vec::new();
    let mut at = &found[0];
    while at.is_object() {
        texts.push(slice(SHOP, &at["range"]));
        at = &at["parent"];
    }
    assert_eq!(texts[..2], ["amount", "amount > 0"], "{texts:?}");
    assert!(texts.windows(2).all(|pair| pair[1].contains(pair[0])), "{texts:?}");
    assert_eq!(texts.last(), Some(&SHOP));
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn imports_are_links() {
    let scene = Scene::new();
    scene.write("lib.yaml", "arqon: 1\nschemas:\n  Row: { id: int64 }\n");
    let folder = std::fs::canonicalize(scene.path("")).unwrap();
    let main = "arqon: 1\ncircuit: a\nimport: [lib.yaml, none.yaml]\n";
    let uri = format!("file://{}/main.yaml", folder.display());
    let mut editor = Editor::ready(&folder);
    editor.open(&uri, main);
    let found =
        editor.result("textDocument/documentLink", &json!({ "textDocument": { "uri": uri } }));
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["target"], format!("file://{}/lib.yaml", folder.display()));
    assert_eq!(slice(main, &found[0]["range"]), "lib.yaml");
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn completion_knows_the_rows_of_a_capsule_that_is_mocked() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    let text = "arqon: 1\ncircuit: a\nschemas:\n  In: { stream: int64, loud: float64 }\n  \
                Out: { stream: int64, label: string }\ntopics:\n  i: { schema: In, edge: in }\n  \
                o: { schema: Out, edge: out }\nflow:\n  found:\n    from: i\n    do:\n      \
                - with: { level: loud }\n      - wasm: a/b@1\n        returns: Out\n        \
                limits: { time: 1ms }\n    to: o\naccess: { a: { publish: [i] } }\ntests:\n  t:\n    \
                - mocks: { found: [] }\n";
    editor.open(URI, text);
    for (version, (mock, wanted)) in (2..).zip([
        ("found: [{ row: { ‸ } }]", ["stream", "loud", "level"].as_slice()),
        ("found: [{ row: {}, returns: [{ ‸ }] }]", &["stream", "label"]),
        ("\"found[1]\": [{ returns: [{ ‸ }] }]", &["stream", "label"]),
    ]) {
        let now = text.replace("found: []", &mock.replace('‸', ""));
        editor.change(URI, version, &now);
        let needle = &mock[..mock.find('‸').unwrap() + '‸'.len_utf8()];
        let found = completed(&mut editor, URI, &now, needle);
        assert_eq!(found, wanted, "{mock}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn completion_knows_the_type_of_a_value() {
    let scene = Scene::new();
    let mut editor = Editor::ready(&scene.path(""));
    let text = format!(
        "{SHOP}params: {{ LEAST: 3 }}\noperators:\n  qml: {{ contract: arqonbus.qml@1, via: {{ sim: \
         {{ builtin: qml }} }}, use: sim, limits: {{ parallel: 2 }} }}\nprofiles:\n  night: {{ params: {{ LEAST: 1 }} }}\n"
    );
    editor.open(URI, &text);
    let mut version = 1;
    for (old, new, with, without) in [
        ("status == \"paid\"", "status == \"‸", &["open", "paid", "void"][..], &["amount"][..]),
        ("status == \"paid\"", "status == ‸", &["\"paid\"", "amount"], &["paid"]),
        ("status == \"paid\"", "status in [\"open\", \"‸", &["paid", "void"], &["amount"]),
        ("status: paid }", "status: ‸ }", &["open", "paid", "void"], &["amount"]),
        ("carries: full,", "carries: full, queue: { full: ‸ },", &["reject", "drop_oldest"], &[]),
        ("carries: full,", "carries: full, queue: { m‸ },", &["max", "full"], &[]),
        ("contract: arqonbus.qml@1", "contract: ‸", &["arqonbus.nvm@1"], &["amount"]),
        ("{ builtin: qml }", "{ builtin: ‸ }", &["nvm", "qml"], &[]),
        ("limits: { parallel: 2 }", "limits: { ‸ }", &["runs", "energy"], &["messages"]),
        ("params: { LEAST: 1 }", "use: { ‸ }", &["qml"], &["sim"]),
        ("params: { LEAST: 1 }", "use: { qml: ‸ }", &["sim"], &["qml"]),
        ("params: { LEAST: 1 }", "params: { ‸ }", &["LEAST"], &[]),
        ("params: { LEAST: 1 }", "limits: { ‸ }", &["messages"], &["runs"]),
        ("- send:", "- law: ‸\n    - send:", &["batch", "split"], &[]),
        ("- send:", "- mocks: { ‸ }\n      send:", &["qml"], &["amount"]),
        ("- send:", "- mocks: { qml: [{ ‸ }] }\n      send:", &["job", "fail"], &["row"]),
        (
            "- send:",
            "- mocks: { qml: [{ job: { ‸ } }] }\n      send:",
            &["features"],
            &["job_id", "amount"],
        ),
        ("- send:", "- cost: { ‸ }\n      send:", &["updates"], &["send"]),
        ("- group:", "- window: { ‸ }\n      - group:", &["tumble", "final"], &["window"]),
        ("- group:", "- loop: { merge: { ‸ } }\n      - group:", &["min", "by"], &["do"]),
        ("- group:", "- wasm: a/b@1\n        limits: { ‸ }\n      - group:", &["fuel"], &["runs"]),
        (
            "group: [c.region]",
            "group: [c.region]\n        where: ‸",
            &["revenue", "orders"],
            &["amount"],
        ),
        (
            "- group:",
            "- top: LEAST\n        by: [‸]\n      - group:",
            &["amount", "c", "status"],
            &["region"],
        ),
        ("- group:", "- over: { per: [‸] }\n      - group:", &["amount", "customer"], &["region"]),
        (
            "- group:",
            "- call: qml\n        job: { ‸ }\n      - group:",
            &["features", "shots"],
            &["amount", "job_id"],
        ),
        (
            "- group:",
            "- call: qml\n        job: { features: =‸ }\n      - group:",
            &["amount"],
            &["features"],
        ),
        (
            "from: shop.orders",
            "from: { ‸ }\n    do:\n      - kernel: transformer_attn",
            &["q"],
            &[],
        ),
    ] {
        let marked = text.replacen(old, new, 1);
        assert_ne!(marked, text, "{old}");
        let now = marked.replace('‸', "");
        version += 1;
        editor.change(URI, version, &now);
        let at = marked.find('‸').unwrap();
        let start =
            (0..=at.saturating_sub(30)).rev().find(|it| marked.is_char_boundary(*it)).unwrap();
        let needle = &marked[start..at + '‸'.len_utf8()];
        let found = completed(&mut editor, URI, &now, needle);
        for word in with {
            assert!(found.iter().any(|it| it == word), "{new}: {word} is not in {found:?}");
        }
        for word in without {
            assert!(!found.iter().any(|it| it == word), "{new}: {word} is in {found:?}");
        }
    }
    assert_eq!(editor.leave(), Some(0));
}
