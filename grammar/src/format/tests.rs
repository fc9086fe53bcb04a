//! Layouts before and after; everything in canonical form stays as it is.

use super::*;

/// `body` behind the head of a circuit, formatted, without the head.
fn body(body: &str) -> String {
    let head = "arqon: 1\ncircuit: a\n";
    let text = format!("{head}{body}");
    let formatted = match format_circuit(&text) {
        Ok(formatted) => formatted,
        Err(faults) => panic!("{text}\n{}", faults[0].brief(&text)),
    };
    assert_eq!(format_circuit(&formatted).unwrap(), formatted, "a second time");
    formatted.strip_prefix(head).unwrap().trim_start_matches('\n').to_owned()
}

fn check(before: &str, after: &str) {
    assert_eq!(body(before), after, "from:\n{before}");
    assert_eq!(body(after), after, "canonical already");
}

#[test]
fn indentation_and_blanks_are_canonical() {
    check(
        "flow:\n    n:\n        from:   [ a,b ]\n        do:\n        -   where:  x>1   and not  y\n        - select: { p: x*2,  q: f ( y ) }\n        to: t\n",
        "flow:\n  n:\n    from: [a, b]\n    do:\n      - where: x > 1 and not y\n      - select: { p: x * 2, q: f(y) }\n    to: t\n",
    );
}

#[test]
fn sections_stand_in_the_order_of_the_language_with_their_comments() {
    check(
        "# the flow\nflow: { n: { from: t, to: u } }  # short\n\n# the topics\ntopics:\n  t: { schema: S }\n# the end\n",
        "# the topics\ntopics:\n  t: { schema: S }\n\n# the flow\nflow: { n: { from: t, to: u } }  # short\n# the end\n",
    );
}

#[test]
fn comments_stay_where_they_belong() {
    let canonical = "\
topics:  # all of them
  # the first
  a: { schema: S, edge: in }  # read by n

  # two lines

  # before b
  b:
    schema: S
    # in b
  # behind b
# behind topics

flow:
  n:
    from: a
    do:
      # before the step
      - where: x > 1  # in the step
        # behind where
      - join: b
        # before match
        match: { x: y }
    to: b
";
    check(canonical, canonical);
    check(
        "access:\n  r:\n    publish: [ # why\n      a, # first\n      # second\n      b\n      ] # out\n    subscribe: [c]\n",
        "access:\n  r:\n    publish:  # why\n      - a  # first\n      # second\n      - b  # out\n    subscribe: [c]\n",
    );
    check(
        "flow:\n  n:\n    from: # why\n      a\n    do:\n      - # first\n        where: x\n      -\n        # second\n        where: y\n",
        "flow:\n  n:\n    from: a  # why\n    do:\n      - # first\n        where: x\n      - # second\n        where: y\n",
    );
}

#[test]
fn what_is_aligned_stays_aligned() {
    check(
        "schemas:\n  Customer: { id: int64,  region: string }\n  Order:    { id: int64, customer: int64 }\n  A:   { x: int64 }\n",
        "schemas:\n  Customer: { id: int64, region: string }\n  Order:    { id: int64, customer: int64 }\n  A:        { x: int64 }\n",
    );
    let table = "\
topics:
  shop.customers: { schema: Customer, carries: full,  key: id,     edge: in }
  shop.orders:    { schema: Order,    carries: full,  key: id,     edge: in }
  shop.revenue:   { schema: Revenue,  carries: delta, key: region, edge: out }

  a: { schema: A, edge: in }
  bb: { schema: B, key: id, edge: in }
";
    check(table, table);
    let holes = "\
topics:
  a:  { schema: A,           edge: in }
  bb: { schema: BB, key: id, edge: in }
";
    check(holes, holes);
    check(
        "topics:\n  a: { schema: A, edge: in }\n  bb: { schema: BB,   key: id, edge: in }\n",
        "topics:\n  a: { schema: A, edge: in }\n  bb: { schema: BB, key: id, edge: in }\n",
    );
}

#[test]
fn comments_below_each_other_stay_so() {
    check(
        "params:\n  N: 1      # one\n  LONG: 2   # two\n  M: 3 # three\n",
        "params:\n  N: 1     # one\n  LONG: 2  # two\n  M: 3  # three\n",
    );
}

#[test]
fn long_braces_become_lines() {
    let names: Vec<String> = (0..14).map(|at| format!("topic_{at}")).collect();
    check(
        &format!("access:\n  r: {{ publish: [{}], subscribe: [a] }}\n", names.join(", ")),
        &format!(
            "access:\n  r:\n    publish:\n      - {}\n    subscribe: [a]\n",
            names.join("\n      - ")
        ),
    );
    check("access: { r: { publish: [a,\n  b] } }\n", "access: { r: { publish: [a, b] } }\n");
}

#[test]
fn a_question_mark_alone_is_quoted() {
    let send = |row: &str| format!("tests:\n  t:\n    - send: {{ a: [{row}] }}\n");
    check(&send("{ b: ?}"), &send("{ b: \"?\" }"));
    check(&send("{ b: [?]}"), &send("{ b: [\"?\"] }"));
}

#[test]
fn quotes_and_texts_stay_as_they_are() {
    let canonical = "\
description: |
  First line,
    indented,

  # no comment
  the last one.
flow:
  n:
    from: t
    do:
      - where: '\"EU\" == region'
      - where: \"x == 1\"
      - where: 'region == \"it''s\"'
      - where: >-
          a == 1
          and b == 2
      - where: a == 1
          and b == 2
    to: u
tests:
  \"a name: quoted\":
    - send: { t: [{ a: \"x  y\", b: 'z' }] }
";
    let text = canonical.replace("flow:", "\nflow:").replace("tests:", "\ntests:");
    check(&text, &text);
    check(
        "description:   >-\n        folded\n        text\n\n\nflow: {}\n",
        "description: >-\n  folded\n  text\n\nflow: {}\n",
    );
    check(
        "flow:\n  n:\n    from: t\n    do:\n      - where: '\"EU\"==region'\n      - top: 3\n        by: [ n   desc,m ]\n",
        "flow:\n  n:\n    from: t\n    do:\n      - where: '\"EU\" == region'\n      - top: 3\n        by: [n desc, m]\n",
    );
}

#[test]
fn kept_line_breaks_are_kept() {
    let canonical = "description: |+\n  text\n\n\nparams: { N: 1 }\nflow: {}\n";
    check(canonical, canonical);
}

#[test]
fn functions_routes_and_jobs_are_expressions_too() {
    check(
        "functions:\n  net( price,off ): price*(1-off)\nroutes:\n  - a->b  when x<1\n",
        "functions:\n  net(price, off): price * (1 - off)\n\nroutes:\n  - a -> b when x < 1\n",
    );
    check(
        "flow:\n  n:\n    from: t\n    do:\n      - call: op\n        job: { a: =x+1, b: x+1 }\n",
        "flow:\n  n:\n    from: t\n    do:\n      - call: op\n        job: { a: =x + 1, b: x+1 }\n",
    );
}

#[test]
fn marks_and_line_ends_are_kept() {
    let dos = "\u{feff}# head\r\n---\r\narqon:  1\r\ncircuit: a # name\r\n...\r\n";
    assert_eq!(
        format_circuit(dos).unwrap(),
        "\u{feff}# head\r\n---\r\narqon: 1\r\ncircuit: a  # name\r\n...\r\n"
    );
    assert_eq!(format_circuit("{arqon: 1,   circuit: a}").unwrap(), "arqon: 1\ncircuit: a\n");
}

#[test]
fn what_cannot_be_read_is_refused() {
    for text in ["arqon: 1\ncircuit: a\nflow: [\n", "arqon: 1\ncircuit: a\nflw: {}\n", ""] {
        assert!(!format_circuit(text).unwrap_err().is_empty(), "{text}");
    }
    // A variable has its value where the circuit runs.
    assert!(format_circuit("arqon: 1\ncircuit: a\ndescription:   ${NAME}\n").is_ok());
}
