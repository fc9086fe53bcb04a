//! Tests of the YAML room: text in, tree and diagnostics out.

use super::*;

/// The tree in one line, with the written form of each scalar's place.
fn shape(text: &str) -> String {
    let mut diagnostics = Collector::default();
    let document = read(text, 0, &mut diagnostics);
    let mut out = match &document {
        Some(document) => draw(text, document, document.root.unwrap()),
        None => "none".to_owned(),
    };
    for diagnostic in diagnostics.finish() {
        out.push('\n');
        out.push_str(&diagnostic.brief(text));
    }
    out
}

fn draw(text: &str, document: &Document<'_>, id: NodeId) -> String {
    let node = document.node(id);
    match &node.content {
        Content::Scalar(scalar) => {
            let written = node.span.slice(text);
            if written == scalar.text { written.to_owned() } else { format!("{:?}", scalar.text) }
        }
        Content::List(items) => {
            let items: Vec<String> = items.iter().map(|id| draw(text, document, *id)).collect();
            format!("[{}]", items.join(", "))
        }
        Content::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| {
                    format!("{}: {}", document.key(*entry), draw(text, document, entry.value))
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Content::Tagged { tag } => format!("tagged {}", tag.slice(text)),
        Content::Refused => "refused".to_owned(),
    }
}

#[test]
fn structure_is_kept() {
    assert_eq!(shape("a: 1\nb:\n  - x\n  - { c: d }\ne:\n"), "{a: 1, b: [x, {c: d}], e: }");
    assert_eq!(shape("\u{feff}a: no\r\nb: 010\r\nc: .inf\r\n"), "{a: no, b: 010, c: .inf}");
}

#[test]
fn a_block_map_ends_where_its_last_entry_ends() {
    let text = "a:\n  b: 1\n\n# later\nc: 2\n";
    let mut diagnostics = Collector::default();
    let document = read(text, 0, &mut diagnostics).unwrap();
    let Content::Map(entries) = &document.node(document.root.unwrap()).content else {
        panic!("a map");
    };
    assert_eq!(document.node(entries[0].value).span.slice(text), "b: 1");
}

#[test]
fn what_circuits_do_without_is_refused() {
    assert_eq!(
        shape("a: &x { id: 1 }\nb: *x\nc: *y\n<<: { d: 1 }\n"),
        "{a: {id: 1}, b: refused, c: refused}\n\
         1:4-6 error[E0004]: the anchor `&x` is not part of the language\n  help: give the value \
         a name in `params`, `schemas` or `functions`, and use the name\n\
         2:4-6 error[E0004]: the alias `*x` is not part of the language\n  help: write the value \
         out, or give it a name in `params` or `schemas`\n\
         3:4-6 error[E0004]: the alias `*y` is not part of the language\n  help: write the value \
         out, or give it a name in `params` or `schemas`\n\
         4:1-3 error[E0004]: the merge key `<<` is not part of the language\n  help: write the \
         entries out that it would bring"
    );
    assert_eq!(
        shape("a: !!int 64\nb: !x and y\nc: !!seq [1]\n"),
        "{a: 64, b: tagged !x, c: [1]}\n\
         1:4-9 error[E0005]: the tag `!!int` is not part of the language\n  help: leave it out; \
         the schema says how a value is read\n  fix 1:4-10: leave the tag out -> \n\
         3:10-11 error[E0005]: a tag before a list or map is not part of the language"
    );
    assert_eq!(
        shape("[a]: 1\n? { b: c }\n: 2\n: 3\n"),
        "{}\n1:1-4 error[E0010]: a list cannot be a key\n  help: a key is a name; a list or map \
         stands behind its `:`\n2:3-11 error[E0010]: a map cannot be a key\n  help: a key is a \
         name; a list or map stands behind its `:`\n4:3-4 error[E0010]: a value without a key\n  \
         help: an entry is `key: value`"
    );
    assert_eq!(
        shape("a: 1\n---\nb: 2\n"),
        "{a: 1}\n2:1-4 error[E0006]: a second document begins here\n  help: a file holds one \
         circuit; move the second one into its own file"
    );
    assert_eq!(shape("# nothing\n").lines().next(), Some("none"));
    assert!(shape("%YAML 1.2\n---\na: 1\n").contains("E0006"));
}

#[test]
fn a_second_key_is_reported_at_the_second_place() {
    assert_eq!(
        shape("a: 1\nb: 2\na: 3\n"),
        "{a: 1, b: 2}\n3:1-2 error[E0009]: `a` stands twice in one map\n  here: the second one\n  \
         1:1-2: the first one"
    );
    let many: Vec<String> = (0..40).map(|i| format!("k{}: {i}\n", i % 30)).collect();
    let many = many.concat();
    assert_eq!(shape(&many).matches("E0009").count(), 10);
}

#[test]
fn split_calls_are_joined_again() {
    assert_eq!(
        shape("a: { b: sum(x, where=y), c: f(p, q(1, 2)) }\n"),
        "{a: {b: sum(x, where=y), c: f(p, q(1, 2))}}\n\
         1:9-24 error[E0110]: inside `{ }` the comma cuts `sum(x, where=y)` into pieces\n  help: \
         put the expression in single quotes, or write one entry a line\n  fix 1:9-24: quote the \
         expression -> 'sum(x, where=y)'\n\
         1:29-42 error[E0110]: inside `{ }` the comma cuts `f(p, q(1, 2))` into pieces\n  help: \
         put the expression in single quotes, or write one entry a line\n  fix 1:29-42: quote the \
         expression -> 'f(p, q(1, 2))'"
    );
    assert_eq!(shape("a: [lower(p, q), r]\n").lines().next(), Some("{a: [lower(p, q), r]}"));
    assert_eq!(shape("a: { b: (x, c: 1 }\n"), "{a: {b: (x, c: 1}}");
}

#[test]
fn syntax_faults_lead_to_their_cause() {
    let first = |text| shape(text).lines().nth(1).unwrap().to_owned();
    let cases = [
        ("a: \"x\" == y\n", "1:8-9 error[E0118]: text follows the closing `\"`"),
        ("a: [x] ++ y\n", "1:8-9 error[E0120]: `+` follows a closed list or map"),
        ("a: x ?: \"y\"\n", "1:6-8 error[E0113]: `?:` is written `//`"),
        ("a: x == y: z\n", "1:10-11 error[E0001]: a second `:` in one entry"),
        (
            "a: 1\n  b: 2\n",
            "2:4-5 error[E0001]: a second `:` in one entry, or a line indented too far",
        ),
        ("a: @x\n", "1:4-5 error[E0001]: a value cannot begin with `@`"),
        ("a:\n\t- b\n", "2:2-3 error[E0001]: a tab stands where YAML indents with spaces"),
        ("a: \"b\nc: d\n", "1:4-5 error[E0001]: the quote `\"` is never closed"),
        (
            "a: { b: x[1] }\n",
            "1:10-11 error[E0110]: inside `{ }` and `[ ]` a bracket ends the value before it",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(first(text), expected, "{text:?}");
    }
}

#[test]
fn quoting_mends_what_yaml_cuts() {
    let fixed = |text: &str| {
        shape(text).lines().find_map(|line| Some(line.split_once(" -> ")?.1.to_owned()))
    };
    let cases = [
        ("a: \"x\" == y\n", Some("'\"x\" == y'")),
        ("l:\n  - a: \"its\" ++ y  \n", Some("'\"its\" ++ y'")),
        ("l:\n  - \"x\" ++ y\n", Some("'\"x\" ++ y'")),
        ("a: [x] ++ y\n", Some("'[x] ++ y'")),
        ("a: f(\"x: y\") + 1\n", Some("'f(\"x: y\") + 1'")),
        ("a: { b: x[1], c: 2 }\n", Some("'x[1]'")),
        ("a: { c: f(y)[1] + g([2]) }\n", Some("'f(y)[1] + g([2])'")),
        ("a: { c: sum(y[1]) }\n", Some("'sum(y[1])'")),
        ("a: { c: max(2, y[1]), d: 2 }\n", Some("'max(2, y[1])'")),
        ("a: { b: 1, y[1] }\n", None),
        ("a: \"x\" == y # why\n", Some("'\"x\" == y'")),
        ("a: b: c\n", None),
        ("a: { b: \"x\" == y }\n", None),
    ];
    for (text, expected) in cases {
        assert_eq!(fixed(text).as_deref(), expected, "{text:?}\n{}", shape(text));
    }
}

#[test]
fn every_byte_of_a_scalar_knows_its_place() {
    // Each word of the text must be found in the file at its mapped place.
    let cases = [
        "a: x > 1\n",
        "a: 'it''s x > 1'\n",
        "a: \"p\\t\\u00e9q \\\"r\\\" s\"\n",
        "a: multi\n  line\n\n  text µ end\n",
        "a: \"multi\n  line \\\n   joined\n\n  end\"\n",
        "a: |\n  x > 1\n    deep\n\n  and yy\nb: 1\n",
        "a: >-\n   pp\n   qq\n\n   rr\n     ss\n   tt\nb: 1\n",
        "a: |\r\n  x > 1\r\n  and yy\r\n",
    ];
    for file in cases {
        let mut diagnostics = Collector::default();
        let document = read(file, 0, &mut diagnostics).unwrap();
        let Content::Map(entries) = &document.node(document.root.unwrap()).content else {
            panic!("a map");
        };
        let node = document.node(entries[0].value);
        let Content::Scalar(scalar) = &node.content else { panic!("a scalar") };
        let offsets = Offsets::new(file, node.span, scalar);
        let mut n_words = 0;
        for word in scalar.text.split_whitespace().filter(|word| word.is_ascii()) {
            let start = word.as_ptr() as usize - scalar.text.as_ptr() as usize;
            let span = offsets.span(start, start + word.len());
            let written = span.slice(file).replace("''", "'").replace("\\\"", "\"");
            assert_eq!(written, word, "{file:?} at {span:?}");
            n_words += 1;
        }
        assert!(2 <= n_words, "{file:?}");
    }
}
