//! Faulty circuits in, plain diagnostics out: places, words, help, and no consequences.

use arqon_grammar::ParseOptions;
use arqon_grammar::parse_circuit;

/// All diagnostics of a circuit whose head is in order.
fn check(body: &str, expected: &[&str]) {
    let text = format!("arqon: 1\ncircuit: shop\n{body}");
    let (_, diagnostics) = parse_circuit(&text, &ParseOptions::default());
    let found: Vec<String> = diagnostics.iter().map(|found| found.brief(&text)).collect();
    assert_eq!(found.join("\n"), expected.join("\n"), "\n{text}");
}

/// The same for the steps of one node; lines count from the first step as 7.
fn check_steps(steps: &str, expected: &[&str]) {
    let indented: Vec<String> = steps.lines().map(|line| format!("      {line}\n")).collect();
    let indented = indented.concat();
    check(&format!("flow:\n  a:\n    from: t\n    do:\n{indented}    to: u\n"), expected);
}

/// The diagnostics of a text as it is.
fn whole(text: &str) -> String {
    let (_, diagnostics) = parse_circuit(text, &ParseOptions::default());
    let found: Vec<String> = diagnostics.iter().map(|found| found.brief(text)).collect();
    found.join("\n")
}

#[test]
fn the_head_is_checked() {
    assert_eq!(
        whole("circuit: shop\n"),
        "1:1-8 error[E0018]: a circuit begins with `arqon: 1`\n  \
         fix 1:1-1: add the language version -> arqon: 1\n"
    );
    assert_eq!(
        whole("circuit: shop\narqon: 2\n"),
        "1:1-8 error[E0018]: `arqon` stands first in a circuit\n  \
         1:1-8: it belongs before this key\n\
         2:8-9 error[E0018]: the language version 2 is not known\n  \
         help: this version of ArqonBus reads `arqon: 1`"
            .replacen("1:1-8 error", "2:1-6 error", 1)
    );
    assert_eq!(whole("arqon: 1\n"), "1:1-6 error[E0012]: a circuit needs `circuit`");
    assert_eq!(
        whole("arqon: 1\ncircuit: Shop-A\nnamespace: system.x\n"),
        "2:10-16 error[E0016]: `Shop-A` cannot name a circuit\n  help: its parts, with dots \
         between them, begin with a small letter and go on with small letters, digits and `_`\n  \
         help: write `shop_a`\n\
         3:12-20 error[E0017]: the name `system.x` belongs to the bus"
    );
    assert_eq!(
        whole("- a\n- b\n"),
        "1:1-4 error[E0013]: expected the map of a circuit, found a list"
    );
}

#[test]
fn unknown_and_missing_keys_are_named() {
    check(
        "topics:\n  shop.a: { schema: A, carrys: full }\n  shop.b: { edge: in }\ntopicz: {}\n\
         colour: red\n",
        &[
            "4:24-30 error[E0011]: a topic has no key `carrys`",
            "  help: did you mean `carries`?",
            "5:3-9 error[E0012]: a topic needs `schema`",
            "6:1-7 error[E0011]: a circuit has no key `topicz`",
            "  help: did you mean `topics`?",
            "7:1-7 error[E0011]: a circuit has no key `colour`",
            "  help: its keys are `arqon`, `circuit`, `description`, `namespace`, `params`, \
             `import`, `schemas`, `functions`, `topics`, `operators`, `flow`, `routes`, `limits`, \
             `access`, `profiles`, `tests`",
        ],
    );
}

#[test]
fn words_and_quantities_are_checked() {
    check(
        "topics:\n  shop.a:\n    schema: A\n    carries: deltas\n    edge: inout\n    shared: yes\n    \
         late: 5\n    retain: 3 weeks\n    queue: { max: many }\nlimits: { bytes: 40/s, cpu: two }\n",
        &[
            "6:14-20 error[E0014]: `deltas` is not a discipline",
            "  help: did you mean `delta`?",
            "  help: it is one of `events`, `full`, `delta`",
            "7:11-16 error[E0014]: `inout` is not an edge",
            "  help: did you mean `both`?",
            "  help: it is one of `in`, `out`, `both`",
            "8:13-16 error[E0014]: `yes` is not a truth value",
            "  help: it is one of `true`, `false`",
            "  fix 8:13-16: write `true` -> true",
            "9:11-12 error[E0015]: `5` is not a duration, as in `500ms` or `1h30m`",
            "  help: is its unit missing? as in `5s`, `5m` or `5h`",
            "10:13-20 error[E0015]: `3 weeks` is not a duration, a size or `none`, as in `30d` or \
             `256MiB`",
            "11:19-23 error[E0015]: `many` is not a whole number, as in `64`",
            "12:18-22 error[E0015]: `40/s` is not bytes per time, as in `40MiB/s`",
            "12:29-32 error[E0015]: `two` is not a number of cores, as in `1` or `0.5`",
        ],
    );
}

#[test]
fn names_keep_to_their_rules() {
    check(
        "schemas:\n  Bad-Name: { in: int64, null: int64, $x: int64 }\ntopics:\n  system.a: { schema: A }\n\
         flow:\n  a.b: { from: t }\n",
        &[
            "4:3-11 error[E0016]: `Bad-Name` cannot name a schema",
            "  help: it begins with a letter and goes on with letters, digits and `_`",
            "  help: write `Bad_Name`",
            "4:15-17 error[E0016]: `in` is a word of the expression language and cannot name a field",
            "4:26-30 error[E0016]: `null` is a word of the expression language and cannot name a field",
            "4:39-41 error[E0016]: `$x` cannot name a field",
            "  help: it begins with a letter and goes on with letters, digits and `_`",
            "6:3-11 error[E0017]: the topic `system.a` belongs to the bus",
            "  help: names under `system.` may be read, and are not declared",
            "8:3-6 error[E0016]: `a.b` cannot name a node",
            "  help: it begins with a small letter and goes on with small letters, digits and `_`, \
             without dots",
            "  help: write `a_b`",
        ],
    );
    let long = "a".repeat(129);
    check(
        &format!("flow:\n  {long}: {{ from: t }}\n"),
        &["4:3-132 error[E0016]: the node has a name of 129 characters, at most 128 are allowed"],
    );
}

#[test]
fn one_bad_step_hides_no_fault_of_the_next() {
    check_steps(
        "- where: amount = 3\n- filter: x > 1\n- select: [a]\n  drop: [b]\n- match: { a: b }\n- wibble: 1\n\
         - where: x &&\n- {}\n- text",
        &[
            "7:23-24 error[E0107]: `=` is written `==`",
            "  fix 7:23-24: write `==` -> ==",
            "8:9-15 error[E0011]: there is no verb `filter`",
            "  help: did you mean `where`?",
            "10:9-13 error[E0020]: one step has two verbs, `select` and `drop`",
            "  9:9-15: the first verb",
            "  help: put a `-` before each verb, so that each is a step of its own",
            "  fix 10:7-9: begin a step -> - ",
            "11:9-14 error[E0020]: `match` stands beside its verb `join`",
            "  help: without a `-` of its own it belongs to the step above",
            "12:9-15 error[E0011]: there is no verb `wibble`",
            "  help: the verbs are `where`, `select`, `with`, `drop`, `unnest`, `join`, `group`, \
             `distinct`, `top`, `over`, `window`, `within`, `loop`, `route`, `call`, `kernel`, \
             `wasm`, `carries`",
            "13:18-20 error[E0104]: `&&` is written `and`",
            "  fix 13:18-20: write `and` -> and",
            "14:9-11 error[E0020]: a step without a verb",
            "15:9-13 error[E0013]: expected a step, as in `- where: amount > 0`, found a text",
        ],
    );
}

#[test]
fn joins_are_checked() {
    check_steps(
        "- join: c\n- join: c\n  match: id\n- join: c\n  match: { a: , b && c: d }\n  kind: outer\n\
         - join: c\n  match: {}\n  kind: full\n- join: c\n  match: {}\n  asof: { time: at }\n  like: x",
        &[
            "7:9-13 error[E0012]: join needs `match`",
            "9:16-18 error[E0013]: expected a map, `{ left field: right field }`, found a text",
            "  help: for fields that both sides have: `{ id: id }`",
            "11:18-19 error[E0013]: `a` has no field of the other side beside it",
            "  help: for a field that both sides have: `a: a`",
            "11:25-27 error[E0104]: `&&` is written `and`",
            "  fix 11:25-27: write `and` -> and",
            "12:15-20 error[E0014]: `outer` is not a kind of join",
            "  help: did you mean `full`?",
            "  help: it is one of `inner`, `left`, `full`, `semi`, `anti`",
            "18:9-13 error[E0012]: `asof` needs `of`",
            "19:9-13 error[E0011]: join has no key `like`",
            "  help: its keys are `join`, `match`, `as`, `kind`, `where`, `asof`",
        ],
    );
}

#[test]
fn kernels_and_capsules_have_a_form() {
    check_steps(
        "- kernel: k\n  args: 3\n  modes: [pass, fast, pass]\n  emit: { eps: -1 }\n  bounds: { \
         err: 1 }\n- wasm: ../x@1\n  limits: { fuel: lots }\n",
        &[
            "8:15-16 error[E0013]: expected the map of a kernel's arguments, found a text",
            "9:23-27 error[E0014]: `fast` is not a mode",
            "  help: did you mean `pass`?",
            "  help: it is one of `pass`, `itmd`, `rr`",
            "9:29-33 error[E0009]: the same mode twice",
            "  9:17-21: the first one",
            "  help: leave one of them away",
            "10:22-24 error[E0015]: `-1` is not a number above 0, as in `0.001`",
            "11:19-22 error[E0011]: `bounds` has no key `err`",
            "  help: did you mean `error`?",
            "12:15-21 error[E0509]: `../x@1` is not a capsule, as in `filters/denoise@2` or `blake3:…`",
            "  help: a version follows the path after `@`; a hash is 64 hexadecimal digits",
            "13:25-29 error[E0015]: `lots` is not an amount of fuel, as in `500k` or `10M`",
        ],
    );
}

#[test]
fn fields_need_names_and_have_one_each() {
    check_steps(
        "- select: [id, price * 2, c.id, { id: x }]\n- select: []\n- group: []\n  agg: [a]\n- top: 3\n\
         - route: {}\n- route: { a: else, b: else, c: x > }",
        &[
            "7:22-31 error[E0117]: a computed field needs a name",
            "  help: write `{ name: price * 2 }`",
            "7:35-37 error[E0009]: two fields are named `id`",
            "  here: the second one",
            "  7:18-20: the first one",
            "  help: name one of them: `{ other_id: … }`",
            "7:41-43 error[E0009]: two fields are named `id`",
            "  here: the second one",
            "  7:18-20: the first one",
            "  help: name one of them: `{ other_id: … }`",
            "8:9-15 error[E0025]: `select` keeps no field",
            "10:14-17 error[E0013]: expected a map of aggregates, `{ name: sum(x) }`, found a list",
            "11:9-12 error[E0012]: top needs `by`",
            "12:9-14 error[E0025]: `route` names no label",
            "13:30-34 error[E0009]: two labels take the rest",
            "  13:21-25: the first one",
            "13:41-42 error[E0101]: a value is expected behind `>`",
        ],
    );
}

#[test]
fn traps_of_yaml_are_mended() {
    check_steps(
        "- where: !paid\n- where: name == \"room #7\"\n- with: { a: sum(x, where=y), b: 1 }\n\
         - where: >-\n    a &&\n    b",
        &[
            "7:16-17 error[E0106]: `!` is written `not`",
            "  fix 7:16-17: write `not` -> not ",
            "8:30-33 error[E0111]: ` #` begins a comment, which cuts the expression",
            "  8:24-29: this text goes on behind it",
            "  help: put the whole expression in single quotes",
            "  fix 8:16-33: quote the expression -> 'name == \"room #7\"'",
            "9:20-35 error[E0110]: inside `{ }` the comma cuts `sum(x, where=y)` into pieces",
            "  help: put the expression in single quotes, or write one entry a line",
            "  fix 9:20-35: quote the expression -> 'sum(x, where=y)'",
            "11:13-15 error[E0104]: `&&` is written `and`",
            "  fix 11:13-15: write `and` -> and",
        ],
    );
}

#[test]
fn operators_and_access_are_checked() {
    check(
        "operators:\n  a: { contract: x, via: { s: { builtin: y, http: { url: z } } } }\n  \
         b: { contract: x@1, via: { s: { builtin: y }, t: { process: { restart: often } } } }\n  \
         c: {}\nroutes:\n  - a => b\n  - a\n  - a -> B when x >\naccess:\n  r: { execute: [{ t: { runs: 5 } }], write: [] }\n",
        &[
            "4:18-19 error[E0015]: the contract `x` lacks its version",
            "  help: write `x@1`",
            "4:45-49 error[E0012]: an implementation is reached in exactly one way",
            "  help: write one of `builtin`, `remote`, `http`, `process`",
            "5:54-61 error[E0012]: a process needs `command`",
            "6:3-4 error[E0012]: an operator needs `contract`",
            "6:3-4 error[E0012]: an operator needs `via`",
            "8:7-9 error[E0023]: `=>` is written `->`",
            "  help: a route is `from -> to`, with any number of arrows, and may end in \
             `when condition`",
            "  fix 8:7-9: write `->` -> ->",
            "9:5-6 error[E0023]: a route leads from one to another",
            "  help: write `from -> to`",
            "10:10-11 error[E0016]: `B` cannot name a topic or node",
            "  help: its parts, with dots between them, begin with a small letter and go on with \
             small letters, digits and `_`",
            "  help: write `b`",
            "10:19-20 error[E0101]: a value is expected behind `>`",
            "12:31-32 error[E0015]: `5` is not a count per time, as in `5k/s` or `100/h`",
            "  help: is its unit missing?",
            "12:39-44 error[E0011]: a role has no key `write`",
            "  help: its keys are `publish`, `subscribe`, `execute`",
        ],
    );
}

#[test]
fn a_misspelt_key_is_not_missing_too() {
    check(
        "topics:\n  a: { shema: R }\n  b: { edges: in }\n",
        &[
            "4:8-13 error[E0011]: a topic has no key `shema`",
            "  help: did you mean `schema`?",
            "5:3-4 error[E0012]: a topic needs `schema`",
            "5:8-13 error[E0011]: a topic has no key `edges`",
            "  help: did you mean `edge`?",
        ],
    );
}

#[test]
fn schemas_functions_and_variables_are_checked() {
    check(
        "params: { url: \"http://${HOST}/$${x}\" }\nschemas:\n  A: { a: list<int64, b: string? }\n  B: {}\n  \
         C:\n    - id: int64\n  D: { x: [int64], y: , t: { type: timestamp, unit: weeks } }\nfunctions:\n  \
         f(a, a): a\n  g(x: x\n  H(x): x\n",
        &[
            "3:24-31 error[E0024]: the variable `HOST` has no value",
            "  help: give it one in the environment, or write `$${` for a plain `${`",
            "5:15-16 error[E0021]: this `<` is not closed by a `>`",
            "  fix 5:21-21: close the bracket -> >",
            "5:32-33 error[E0021]: a value that may be missing is an `option<T>`",
            "  fix 5:26-33: write `option<…>` -> option<string>",
            "6:3-4 error[E0025]: a record without fields",
            "8:5-16 error[E0013]: expected a map of fields and their types, found a list",
            "9:11-12 error[E0013]: expected a type, found a list",
            "  help: a list of values is `list<T>`",
            "9:20-21 error[E0013]: expected a type, found nothing",
            "9:53-58 error[E0014]: `weeks` is not a unit of time",
            "  help: it is one of `s`, `ms`, `us`, `ns`",
            "11:8-9 error[E0009]: the parameter `a` stands twice",
            "  11:5-6: the first one",
            "12:3-6 error[E0016]: `g(x` is not the head of a function",
            "  help: a function is written `net(price, off): price * (1 - off)`",
            "13:3-4 error[E0016]: `H` cannot name a function",
            "  help: it begins with a small letter and goes on with small letters, digits and `_`, \
             without dots",
            "  help: write `h`",
        ],
    );
}

#[test]
fn tests_are_checked() {
    check(
        "tests:\n  a:\n    - send: { t: { id: 1 } }\n    - expect: { t: [[0, { id: 1 }], [1], 5] }\n    - law: x\n      \
         send: {}\n    - cost: { updates: few }\n",
        &[
            "5:18-27 error[E0013]: expected a list of rows, found a map",
            "6:22-23 error[E0015]: `0` is not a count, as in `+1` or `-1`",
            "6:37-40 error[E0013]: expected a row `{ … }`, or a change `[+1, { … }]`, found a list",
            "6:42-43 error[E0013]: expected a row `{ … }`, or a change `[+1, { … }]`, found a text",
            "8:7-11 error[E0011]: a law has no `send`",
            "  help: its inputs are generated; put an example in a step of its own",
            "  note: `send` is a key of a step in a test",
            "9:7-11 error[E0012]: a test step needs `send`",
            "9:24-27 error[E0015]: `few` is not a bound, as in `\"<= 8\"`",
        ],
    );
}

#[test]
fn places_stand_between_characters() {
    let text = "arqon: 1\ncircuit: shop\ntopics:\n        🦀  part: 1\n  late: { edge: out }\n";
    let (_, diagnostics) = parse_circuit(text, &ParseOptions::default());
    let spans: Vec<_> = diagnostics
        .iter()
        .flat_map(|fault| fault.secondary.iter().map(|it| it.span).chain([fault.primary.span]))
        .collect();
    assert!(spans.len() > 1, "{diagnostics:?}");
    for span in spans {
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{diagnostics:?}");
    }
}
