//! Faults of names, types and operators: a circuit in, its diagnostics out, a case per code.

use arqon_compiler::{Options, compile};

/// What most cases begin with; their own part goes on in `topics:`.
const SHOP: &str = "\
arqon: 1
circuit: shop
schemas:
  Order: { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
  Customer: { id: int64, region: string, name: option<string> }
  Sum: { region: string, total: decimal<2> }
topics:
  orders: { schema: Order, carries: full, key: id, edge: in }
  customers: { schema: Customer, carries: full, key: id, edge: in }
  sums: { schema: Sum, carries: delta, key: region, edge: out }
";

#[track_caller]
fn check(text: &str, expected: &str) {
    let compiled = compile(text, "circuit.yaml", &Options::default());
    let found: Vec<String> = compiled.diagnostics.iter().map(|fault| fault.brief(text)).collect();
    assert_eq!(found.join("\n"), expected.trim_end());
    assert!(compiled.dataflow.is_none(), "a circuit with faults has no dataflow plan");
}

#[track_caller]
fn check_shop(rest: &str, expected: &str) {
    check(&format!("{SHOP}{rest}"), expected);
}

/// E0201
#[test]
fn unknown_types() {
    check_shop(
        "  more: { schema: Ordr }
  other: { schema: { at: timestmp } }
",
        "11:19-23 error[E0201]: there is no type or schema `Ordr`
  help: did you mean `Order`?
12:26-34 error[E0201]: there is no type or schema `timestmp`
  help: did you mean `timestamp`?
",
    );
}

/// E0202
#[test]
fn names_for_two_things() {
    check_shop(
        "functions:
  lower(x): x
flow:
  orders: { from: customers }
",
        "12:3-8 error[E0202]: the language has a function `lower` already
  help: give the circuit's function another name
14:3-9 error[E0202]: `orders` is a topic already
  8:3-9: the topic
  help: topics and nodes share one namespace; rename the node
",
    );
}

/// E0203
#[test]
fn unknown_sources() {
    check_shop(
        "flow:
  a: { from: order }
  b:
    from: orders
    do:
      - join: a.b.c
        match: { id: id }
        as: c
",
        "12:14-19 error[E0203]: node `a` reads unknown topic or node `order`
  help: did you mean `orders`?
16:15-20 error[E0203]: node `b` reads unknown topic `a.b.c`
  help: known here: `orders`, `customers`, `sums`, `a`, `b`
",
    );
}

/// E0204
#[test]
fn unknown_topics() {
    check_shop(
        "flow:
  a: { from: orders }
  b: { from: orders, to: ordersx }
  c: { from: orders, to: a }
",
        "13:26-33 error[E0204]: node `b` writes unknown topic `ordersx`
  help: did you mean `orders`?
14:26-27 error[E0204]: node `c` writes `a`, which is a node, not a topic
  help: known here: `orders`, `customers`, `sums`
",
    );
}

/// E0205
#[test]
fn unknown_fields() {
    check_shop(
        r#"params: { limit: 3 }
functions:
  over(x): x > limt
flow:
  a:
    from: orders
    do:
      - where: amuont > limit
      - join: customers
        match: { customer: idd }
        as: c
      - where: c.regoin == "EU"
      - drop: [statu]
      - where: over(amount)
      - where: colour == 3
"#,
        "13:16-20 error[E0205]: function `over` has no parameter `limt`
  help: did you mean `limit`?
18:16-22 error[E0205]: unknown field `amuont`
  help: did you mean `amount`?
20:28-31 error[E0205]: unknown field `idd`
  help: did you mean `id`?
22:18-24 error[E0205]: `c` has no field `regoin`
  help: did you mean `region`?
23:16-21 error[E0205]: unknown field `statu`
  help: did you mean `status`?
25:16-22 error[E0205]: unknown field `colour`
  help: known here: `id`, `customer`, `amount`, `status`, `c`, `limit`
",
    );
}

/// E0206
#[test]
fn unknown_functions() {
    check_shop(
        "flow:
  a:
    from: customers
    do:
      - where: lenght(region) > 3
      - where: rms(region) > 0.5
",
        "15:16-22 error[E0206]: unknown function `lenght`
  help: declare it under `functions:`, or `import` a file that does
16:20-26 error[E0210]: `rms` wants a tensor of numbers, found string
  here: this is `string`
  5:26-40: `region` is declared `string`
",
    );
}

/// E0207
#[test]
fn unknown_labels() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - route: { big: amount > 100, rest: else }
    to: { bigg: orders2 }
  b: { from: a.res }
  c: { from: b.rest }
",
        "16:11-15 error[E0207]: the `route` of node `a` has no label `bigg`
  help: did you mean `big`?
16:17-24 error[E0204]: node `a` writes unknown topic `orders2`
  help: did you mean `orders`?
17:16-19 error[E0207]: the `route` of node `a` has no label `res`
  help: did you mean `rest`?
18:16-20 error[E0207]: node `b` has no label `rest`, since it has no `route`
",
    );
}

/// E0211
#[test]
fn conditions_are_bool() {
    check_shop(
        r#"flow:
  a:
    from: customers
    do:
      - where: name
      - where: not name > "x"
      - where: id > 3 and len(region) or true
      - with: { x: if id then 1 else 2 }
      - route: { some: region, rest: else }
"#,
        "15:16-20 error[E0211]: `where` wants bool, found option<string>
  here: this is `option<string>`
  5:42-62: `name` is declared `option<string>`
16:16-30 error[E0211]: `where` wants bool, found option<bool>
  here: this is `option<bool>`
  help: say what `none` means: (…) // false
17:27-38 error[E0211]: `and` wants bool, found int64
  here: this is `int64`
18:23-25 error[E0211]: `if` wants bool, found int64
  here: this is `int64`
  5:15-24: `id` is declared `int64`
19:24-30 error[E0211]: `route` wants bool, found string
  here: this is `string`
  5:26-40: `region` is declared `string`
",
    );
}

/// E0210
#[test]
fn wrong_types_show_both_ends() {
    check_shop(
        r#"flow:
  a:
    from: orders
    do:
      - where: status > 3
      - where: amount + status > 0
      - where: id == "7"
      - with: { x: lower(id) }
      - join: customers
        match: { customer: region }
        as: c
      - where: c.name // 3 == "x"
      - where: id in [1, "x"]
"#,
        "15:25-26 error[E0210]: `>` wants one type on both sides, found enum<open|paid> and int64
  here: this is `int64`
  4:60-83: `status` is declared `enum<open|paid>`
16:25-31 error[E0210]: `+` wants a number, found enum<open|paid>
  here: this is `enum<open|paid>`
  4:40-58: `amount` is declared `decimal<2>`
  4:60-83: `status` is declared `enum<open|paid>`
17:22-25 error[E0210]: `==` wants one type on both sides, found int64 and string
  here: this is `string`
  4:12-21: `id` is declared `int64`
  help: convert one of them: string(x), or int64(x)
18:26-28 error[E0210]: `lower` wants string, found int64
  here: this is `int64`
  4:12-21: `id` is declared `int64`
  help: convert it: string(x)
20:28-34 error[E0210]: `match` wants one type on both sides, found int64 and string
  here: this is `string`
  4:23-38: `customer` is declared `int64`
  5:26-40: `region` is declared `string`
  help: convert one of them: string(x), or int64(x)
22:26-27 error[E0210]: `//` wants one type on both sides, found option<string> and int64
  here: this is `int64`
  5:42-62: `c.name` is declared `option<string>`
  help: convert one of them: string(x), or int64(x)
23:26-29 error[E0210]: `in` wants one type on both sides, found int64 and string
  here: this is `string`
  4:12-21: `id` is declared `int64`
  help: convert one of them: string(x), or int64(x)
",
    );
}

/// E0212
#[test]
fn unknown_variants() {
    check_shop(
        r#"flow:
  a:
    from: orders
    do:
      - where: status == "payed" or "opn" == status
      - where: status in ["paid", "open", "shut"]
"#,
        "15:26-33 error[E0212]: `payed` is no label of enum<open|paid>
  4:60-83: `status` is declared `enum<open|paid>`
  help: the labels are open, paid
  help: did you mean `paid`?
15:37-42 error[E0212]: `opn` is no label of enum<open|paid>
  4:60-83: `status` is declared `enum<open|paid>`
  help: the labels are open, paid
  help: did you mean `open`?
16:43-49 error[E0212]: `shut` is no label of enum<open|paid>
  4:60-83: `status` is declared `enum<open|paid>`
  help: the labels are open, paid
",
    );
}

/// E0213
#[test]
fn wrong_arguments() {
    check_shop(
        "functions:
  net(price, off): price * (1 - off)
flow:
  a:
    from: orders
    do:
      - where: net(amount) > 0
      - where: net(amount, of=1) > 0
      - where: 'round(amount, digits=1, digits=2) > 0'
      - where: 'len(status, 1) > 2'
      - group: []
        agg:
          x: sum(amount, id)
          y: sum(amount, wher=id > 3)
",
        "17:16-19 error[E0213]: function `net` takes 2 arguments, found 1
  12:3-6: declared here
  help: call `net(price, off)`
18:28-30 error[E0213]: `net` has no argument `of`
  help: did you mean `off`?
19:41-47 error[E0213]: `digits` is given twice
20:17-20 error[E0213]: `len` takes 1 argument, found 2
  help: len(x) -> int64, of a string, list, map or bytes
23:14-17 error[E0213]: `sum` takes 1 argument, found 2
  help: sum(x) -> the type of x, a number or duration
24:26-30 error[E0213]: `sum` has no argument `wher`
  help: did you mean `where`?
",
    );
}

/// E0214
#[test]
fn literals_fit() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - where: id == 99999999999999999999
      - where: amount == 1e-60
      - where: 1e999 > 2.0
",
        "15:22-42 error[E0214]: `99999999999999999999` is out of range of int64
16:26-31 error[E0214]: `1e-60` is out of range of decimal<2>
  4:40-58: `amount` is declared `decimal<2>`
17:16-21 error[E0214]: `1e999` is out of range of float64
",
    );
}

/// E0215
#[test]
fn recursive_schemas() {
    check(
        "arqon: 1
circuit: shop
schemas:
  Part: { id: int64, parts: list<Part> }
  A: { b: option<B> }
  B: { a: A }
topics:
  parts: { schema: Part, carries: events, edge: in, retain: 1d }
flow:
  a:
    from: parts
    do:
      - where: id > 0
",
        "4:34-38 error[E0215]: schema `Part` contains itself
  4:3-7: `Part` -> `Part`
  help: keep the other row's id in a field, and join
5:18-19 error[E0215]: schema `A` contains itself
  5:3-4: `A` -> `B` -> `A`
  help: keep the other row's id in a field, and join
",
    );
}

/// E0216
#[test]
fn recursive_functions() {
    check_shop(
        "functions:
  f(x): g(x) + 1
  g(x): f(x)
  h(x): h(x)
flow:
  a:
    from: orders
    do:
      - where: f(id) > 0
",
        "12:9-10 error[E0216]: function `f` calls itself
  12:3-4: `f` -> `g` -> `f`
14:9-10 error[E0216]: function `h` calls itself
  14:3-4: `h` -> `h`
",
    );
}

/// E0217
#[test]
fn expansion_has_a_bound() {
    check_shop(
        "functions:
  f(x): x + x
  g(x): f(f(f(f(x))))
  h(x): g(g(g(g(x))))
flow:
  a:
    from: orders
    do:
      - where: h(id) > 0
",
        "19:16-21 error[E0217]: with its functions put in, the expression has more than 20000 parts or is nested deeper than 256
",
    );
}

/// E0218
#[test]
fn fields_clash() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - join: customers
        match: { customer: id }
  b:
    from: orders
    do:
      - join: customers
        match: { customer: id }
        as: status
  c:
    from: orders
    do:
      - select: [id, { id: customer }]
  d:
    from: orders
    do:
      - group: [id]
        agg: { id: count() }
  e:
    from: orders
    do:
      - top: 1
        by: [id]
        rank: amount
  f:
    from: orders
    do:
      - join: customers
        match: { customer: id }
        kind: semi
        where: id > 3
",
        "15:15-24 error[E0218]: both sides of the join have a field `id`
  4:12-21: the left side's
  5:15-24: the right side's
  help: give the other side a name, as in `as: c`, and write `c.…`
22:13-19 error[E0218]: the row has a field `status` already
  4:60-83: this one
  help: give the other side another name
26:24-26 error[E0009]: two fields are named `id`
  here: the second one
  26:18-20: the first one
  help: name one of them: `{ other_id: … }`
31:16-18 error[E0218]: the row would have two fields `id`
  30:17-19: the first one
  help: give this one another name, as in `{ other: id }`
37:15-21 error[E0218]: the row has a field `amount` already
  4:40-58: this one
  help: give the new field another name
44:16-18 error[E0218]: both sides of the join have a field `id`
  help: give the other side a name, as in `as: c`, and write `c.…`
",
    );
}

/// E0219
#[test]
fn sinks_fit() {
    check_shop(
        "flow:
  a: { from: customers, to: sums }
  b:
    from: customers
    do:
      - select: { region: name, total: 3 }
    to: sums
  c:
    from: orders
    do:
      - group: { region: string(customer) }
        agg: { sum: sum(amount) }
    to: sums
",
        "12:29-33 error[E0219]: the rows of node `a` are not those of topic `sums`
  6:26-43: is missing
  5:15-24: is not in the topic
  5:42-62: is not in the topic
  note: `total` is missing; `id` is not in the topic; `name` is not in the topic
17:9-13 error[E0219]: the rows of node `b` are not those of topic `sums`
  6:10-24: `string` here
  5:42-62: `option<string>` here
  help: give the value for `none`: `region // …`
  note: `region` is `option<string>`, the topic has `string`
23:9-13 error[E0219]: the rows of node `c` are not those of topic `sums`
  6:26-43: is missing
  22:21-32: is not in the topic
  help: name `sum` `total`
  note: `total` is missing; `sum` is not in the topic
",
    );
}

/// E0220
#[test]
fn unions_are_of_one_kind() {
    check_shop(
        "flow:
  a: { from: [orders, customers] }
  b:
    from: orders
    do:
      - with: { amount: 0.5 }
  c: { from: [orders, b] }
",
        "12:23-32 error[E0220]: `customers` and `orders` have different rows: `customer` is missing
  12:15-21: the fields of this one are wanted
  4:23-38: declared or computed here
17:23-24 error[E0220]: `b` and `orders` have different rows: `amount` is `float64`, not `decimal<2>`
  17:15-21: the fields of this one are wanted
  4:40-58: declared or computed here
  16:25-28: declared or computed here
",
    );
}

/// E0221
#[test]
fn aggregates_have_their_place() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - where: sum(amount) > 3
      - where: count() > 3
      - group: [status]
        agg: { mean: sum(amount) / count(), n: lower(id), x: amount, s: summ(amount) }
",
        "15:16-19 error[E0221]: the aggregate `sum` has no meaning for a single row
  help: aggregates stand, one each, in `agg:` of a `group`; after it their names are fields
16:16-21 error[E0221]: the aggregate `count` has no meaning for a single row
  help: aggregates stand, one each, in `agg:` of a `group`; after it their names are fields
18:22-43 error[E0221]: `sum(amount) / count()` is no aggregate
  help: an entry of `agg:` is one call such as `sum(x)` or `count()`; compute with its result in a `with` after the `group`
18:48-57 error[E0221]: `lower(id)` is no aggregate
  help: an entry of `agg:` is one call such as `sum(x)` or `count()`; compute with its result in a `with` after the `group`
18:62-68 error[E0221]: `amount` is no aggregate
  help: an entry of `agg:` is one call such as `sum(x)` or `count()`; compute with its result in a `with` after the `group`
18:73-77 error[E0206]: unknown aggregate `summ`
  help: did you mean `sum`?
",
    );
}

/// E0222
#[test]
fn ports_need_a_step() {
    check_shop(
        "flow:
  a: { from: { l: orders, r: customer } }
",
        "12:14-40 error[E0222]: no step of node `a` takes named ports
  help: name one source or a union `[a, b]`, and bring in the other with `join`
12:30-38 error[E0203]: node `a` reads unknown topic or node `customer`
  help: did you mean `customers`?
",
    );
}

/// E0223
#[test]
fn routes_end_nodes() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - route: { big: amount > 100, rest: else }
      - where: id > 3
  b:
    from: orders
    do:
      - route: { big: amount > 100, rest: else }
    to: sums
  c: { from: b }
  d:
    from: orders
    to: { big: sums }
  e:
    from: orders
    do:
      - route: { rest: else, big: amount > 100 }
",
        "15:9-14 error[E0223]: `route` is not the last step of its node
  help: go on in another node, which reads `node.label`
21:9-13 error[E0223]: node `b` ends in a `route`, so each label goes its own way
  help: write `to: { big: …, rest: … }`
22:14-15 error[E0223]: node `b` ends in a `route`, so it has an output per label
  help: read `b.big` or `b.rest`
25:11-14 error[E0223]: node `d` has no labels, since it does not end in a `route`
  help: name the topic alone, `to: topic`
29:30-33 error[E0223]: the label `big` stands after `else`
  29:24-28: takes all rows that are left
  help: move `else` to the end
",
    );
}

/// E0224
#[test]
fn constants_are_known() {
    check_shop(
        r#"flow:
  a:
    from: orders
    do:
      - top: id
        by: [amount]
      - group: []
        agg:
          q: quantile(amount, customer)
      - with:
          x: round(0.5, len("a"))
"#,
        "15:14-16 error[E0224]: `top` wants a whole number from 0 on, found `id`
  help: write the number, or the name of a parameter of the circuit
19:31-39 error[E0210]: `quantile` wants float64, found int64
  here: this is `int64`
  4:23-38: `customer` is declared `int64`
",
    );
}

/// E0225 E0226 E0227
#[test]
fn values_fit_their_types() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - group: { region: string(status) }
        agg: { total: sum(amount) }
    to: sums
tests:
  bad:
    - send:
        orders:
          - { id: 1.5, customer: x, amount: 30.001, status: payed }
          - { id: 1, customer: 1, amuont: 3 }
          - [+1, { id: 1, customer: 1, amount: 3, status: open }]
          - { $delete: { id: x } }
        sums: [[+1, { region: a, total: 1 }]]
        customer: []
      expect:
        sums: [{ region: a }, [-1, 3]]
        a.errors: [{ node: a }, { node: a, code: x }]
        customers: []
",
        "22:19-22 error[E0225]: `id` wants int64, found `1.5`
22:34-35 error[E0225]: `customer` wants int64, found `x`
22:45-51 error[E0225]: `amount` wants decimal<2>, found `30.001`
  note: `30.001` has 3 digits after the point, the type holds 2
22:61-66 error[E0212]: `status` is one of `open`, `paid`, not `payed`
  help: did you mean `paid`?
23:35-41 error[E0205]: a row of `orders` has no field `amuont`
  help: did you mean `amount`?
24:13-66 error[E0227]: topic `orders` carries full, not signed rows
  help: write the row alone, `{ … }`
25:30-31 error[E0225]: `id` wants int64, found `x`
26:9-13 error[E0227]: the flow writes topic `sums`, so nobody else may send to it
  help: send to the topics that the flow reads
27:9-17 error[E0204]: the test names unknown topic `customer`
  help: did you mean `customers`?
29:16-29 error[E0226]: a row of `sums` lacks `total`
29:36-37 error[E0013]: expected a row `{ … }`, or a change `[+1, { … }]`, found a text
30:20-31 error[E0226]: a row of `a.errors` lacks `code`
31:9-18 error[E0227]: nothing in the circuit writes topic `customers`
  help: expect changes of a topic that a node writes
",
    );
}

/// E0228
#[test]
fn untyped_values() {
    check_shop(
        "flow:
  a:
    from: orders
    do:
      - select: { a: none, b: '[]', c: if id > 3 then none else 4 }
",
        "15:22-26 error[E0228]: nothing says which type `none` has here
  help: use it beside a value of a known type
15:32-34 error[E0228]: nothing says of which type the items of `[]` are here
  help: use it beside a list of a known type
",
    );
}

/// E0501
#[test]
fn operators_are_declared() {
    check_shop(
        "  more: { schema: Order, edge: in, retain: 1d }
flow:
  a:
    from: more
    do:
      - call: nvm
        job: { program_ref: x }
        keep: [id]
      - where: result.snr > 3
",
        "16:15-18 error[E0501]: the circuit has no operator `nvm`
",
    );
}

/// E0502 E0506
#[test]
fn contracts_are_known() {
    check_shop(
        "operators:
  a: { contract: arqonbus.nvn@1, via: { sim: { builtin: nvm } }, limits: { parallel: 1 } }
  b: { contract: arqonbus.nvm@1, via: { sim: { builtin: qml } }, limits: { parallel: 1 } }
  c: { contract: arqonbus.nvm@2, via: { sim: { builtin: nvm } }, limits: { parallel: 1 } }
",
        "12:18-32 error[E0502]: there is no contract `arqonbus.nvn@1`
  help: did you mean `arqonbus.nvm@1`?
13:57-60 error[E0506]: the built-in `qml` does not satisfy the contract of operator `b`
  13:18-32: the contract
  help: the built-in of this contract is `nvm`
14:18-32 error[E0502]: there is no contract `arqonbus.nvm@2`
  help: did you mean `arqonbus.nvm@1`?
",
    );
}

/// E0503
#[test]
fn implementations_are_chosen() {
    check_shop(
        "operators:
  a: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } }, use: simm, limits: { parallel: 1 } }
profiles:
  p: { use: { a: rig, c: sim } }
",
        "12:71-75 error[E0503]: operator `a` has no implementation `simm`
  help: did you mean `sim`?
14:18-21 error[E0503]: operator `a` has no implementation `rig`
  help: known here: `sim`
14:23-24 error[E0501]: the circuit has no operator `c`
  help: known here: `a`
",
    );
}

/// E0505
#[test]
fn jobs_fit_the_contract() {
    check_shop(
        "  more: { schema: Order, edge: in, retain: 1d }
operators:
  qml: { contract: arqonbus.qml@1, via: { sim: { builtin: qml } }, limits: { parallel: 1 } }
flow:
  a:
    from: more
    do:
      - call: qml
        job: { feature: =id, shots: =amount }
        keep: [id]
      - where: result.confidence > 0.5
  b:
    from: more
    do:
      - call: qml
        job: { features: [1.0, x], shots: 3 }
        keep: [{ job: id }]
",
        "19:16-23 error[E0505]: a job of operator `qml` has no field `feature`
  help: did you mean `features`?
19:38-44 error[E0210]: `shots` of the job: expected option<int64>, found decimal<2>
  here: this is `decimal<2>`
  4:40-58: `amount` is declared `decimal<2>`
  help: convert it: int64(x), which cuts off the fraction
21:16-39 error[E0211]: `where` wants bool, found option<bool>
  here: this is `option<bool>`
  help: say what `none` means: (…) // false
26:32-33 error[E0225]: `features` wants float64, found `x`
27:18-21 error[E0218]: `call` itself adds a field `job`
",
    );
}

/// A field with a unit, and one of a tensor with free dimensions.
#[test]
fn fields_of_any_form_are_known() {
    check(
        "arqon: 1
circuit: shop
schemas:
  Frame: { id: int64, pcm: tensor<NxDxf32>, raw: bytes, at: { type: timestamp, unit: ms } }
topics:
  frames: { schema: Frame, edge: in, retain: 1d }
flow:
  a:
    from: frames
    do:
      - where: rms(pcm) > 0.5 and id > 3 and foo > 3
",
        "11:46-49 error[E0205]: unknown field `foo`
  help: known here: `id`, `pcm`, `raw`, `at`
",
    );
}
