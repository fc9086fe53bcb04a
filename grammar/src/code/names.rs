//! Names and types: what a name stands for, and what type a value has (E02xx).

codes! {
    UNKNOWN_TYPE = "E0201" {
        title: "a type or schema that does not exist",
        explanation: "A type is a built-in one (`int64`, `option<string>`, …), a nested map, or \
            the name of an entry of `schemas:`. Names are compared letter by letter, capitals \
            included.",
        wrong: "schemas:\n  Order: { id: int64 }\ntopics:\n  shop.orders: { schema: Ordr }\n",
        mended: "schemas:\n  Order: { id: int64 }\ntopics:\n  shop.orders: { schema: Order }\n",
    }
    DUPLICATE_NAME = "E0202" {
        title: "a name stands for two things",
        explanation: "Topics and nodes share one namespace, because `from:` and `join:` may name \
            either. A function may not have the name of a function of the language, and a \
            contract's topics (`nvm.jobs`, `nvm.results`) belong to their operator. Rename one of \
            the two.",
        wrong: "topics:\n  paid: { schema: Order }\nflow:\n  paid: { from: shop.orders }\n",
        mended: "topics:\n  paid: { schema: Order }\nflow:\n  paid_rows: { from: shop.orders }\n",
    }
    UNKNOWN_SOURCE = "E0203" {
        title: "a source that is neither a topic nor a node",
        explanation: "What stands after `from:` or `join:` is a topic of `topics:`, a node of \
            `flow:`, or a label of a node that ends in `route`, as `node.label`.",
        wrong: "flow:\n  score: { from: nvm.result }\n",
        mended: "flow:\n  score: { from: nvm.results }\n",
    }
    UNKNOWN_TOPIC = "E0204" {
        title: "a topic that does not exist",
        explanation: "What stands after `to:`, in a route or in a test is a topic of `topics:`. \
            A node cannot be written to; only topics can.",
        wrong: "flow:\n  revenue: { from: shop.orders, to: shop.revenu }\n",
        mended: "flow:\n  revenue: { from: shop.orders, to: shop.revenue }\n",
    }
    UNKNOWN_FIELD = "E0205" {
        title: "a name that nothing has here",
        explanation: "A bare name in an expression is a field of the row as it is at that step, \
            or a parameter of the circuit; after a dot stands a field of the struct before it. A \
            `select` or `group` leaves only the fields that it names.",
        wrong: "flow:\n  paid:\n    from: shop.orders\n    do:\n      - where: amout > 0\n",
        mended: "flow:\n  paid:\n    from: shop.orders\n    do:\n      - where: amount > 0\n",
    }
    UNKNOWN_FUNCTION = "E0206" {
        title: "a function that does not exist",
        explanation: "A call names a function of the language or one of `functions:`. Aggregates \
            such as `sum` stand only in `agg:` of a `group`.",
        wrong: "- with: { name: lowr(name) }\n",
        mended: "- with: { name: lower(name) }\n",
    }
    UNKNOWN_LABEL = "E0207" {
        title: "a label that the node's `route` does not have",
        explanation: "`node.label` reads one output of a node whose last step is `route`, and \
            `to: { label: topic }` writes it. The labels are those of that `route`.",
        wrong: "- route: { sure: confidence >= 0.6, unsure: else }\nto: { shure: audio.labels }\n",
        mended: "- route: { sure: confidence >= 0.6, unsure: else }\nto: { sure: audio.labels }\n",
    }
    UNKNOWN_PARAM = "E0208" {
        title: "a parameter that the circuit does not declare",
        explanation: "`--set` and the `params:` of a profile give another value to a parameter \
            that stands in the circuit's `params:`; they cannot add one.",
        wrong: "params: { N: 512 }\nprofiles:\n  small: { params: { M: 8 } }\n",
        mended: "params: { N: 512 }\nprofiles:\n  small: { params: { N: 8 } }\n",
    }
    UNKNOWN_PROFILE = "E0209" {
        title: "a profile that the circuit does not declare",
        explanation: "`--profile` names an entry of the circuit's `profiles:`.",
        wrong: "arqon check --profile stagin circuit.yaml\n",
        mended: "arqon check --profile staging circuit.yaml\n",
    }
    WRONG_TYPE = "E0210" {
        title: "a value of another type than is wanted here",
        explanation: "Operands and arguments have types, and nothing is converted silently. An \
            integer literal takes the type of the other side, and so does a literal with a point; \
            everything else needs a cast: `float64(n)`, `decimal(x, 2)`, `string(id)`. `x // y` \
            makes a plain value of an option.",
        wrong: "- where: status > 3\n",
        mended: "- where: amount > 3\n",
    }
    NOT_BOOL = "E0211" {
        title: "a condition that is not true or false",
        explanation: "`where`, `and`, `or`, `not`, `if` and the labels of `route` take a `bool`. \
            A comparison with an option may be `none`, which is neither: say what it then means, \
            as in `age > 18 // false`.",
        wrong: "- where: amount\n",
        mended: "- where: amount > 0\n",
    }
    UNKNOWN_VARIANT = "E0212" {
        title: "a text that is not a label of the enum",
        explanation: "A text beside an enum is one of its labels, checked when the circuit is \
            compiled. A comparison with any other text could never be true.",
        wrong: "schemas:\n  Order: { status: enum<open|paid> }\n# …\n- where: status == \"payed\"\n",
        mended: "schemas:\n  Order: { status: enum<open|paid> }\n# …\n- where: status == \"paid\"\n",
    }
    WRONG_ARGUMENTS = "E0213" {
        title: "a call with other arguments than the function takes",
        explanation: "A function takes the arguments of its signature, in order; a named \
            argument (`where=…`) has one of the names that it knows.",
        wrong: "- with: { name: lower(name, 2) }\n",
        mended: "- with: { name: lower(name) }\n",
    }
    LITERAL_RANGE = "E0214" {
        title: "a literal that its type cannot hold",
        explanation: "A literal takes its type from what stands beside it, and has to fit: 64 \
            bits for `int64`, so many digits after the point for `decimal<S>`.",
        wrong: "- where: id == 99999999999999999999\n",
        mended: "- where: id == 9999999999\n",
    }
    RECURSIVE_SCHEMA = "E0215" {
        title: "a schema that contains itself",
        explanation: "A row is finite, so a schema cannot contain itself, directly or through \
            others, lists and options included. Keep the id of the other row instead, and join.",
        wrong: "schemas:\n  Part: { id: int64, parts: list<Part> }\n",
        mended: "schemas:\n  Part: { id: int64, part_of: option<int64> }\n",
    }
    RECURSIVE_FUNCTION = "E0216" {
        title: "a function that calls itself",
        explanation: "Functions are named expressions that are put in where they are used, so \
            none may call itself, directly or through others.",
        wrong: "functions:\n  twice(x): twice(x) * 2\n",
        mended: "functions:\n  twice(x): x * 2\n",
    }
    EXPANSION = "E0217" {
        title: "an expression or type that grows too large when names are put in",
        explanation: "Functions and schemas are put in where they are used. What then stands \
            there may have at most 20,000 parts and be 256 deep, so that a small file cannot \
            make a huge circuit.",
        wrong: "functions:\n  f(x): x + x\n  g(x): f(f(f(f(x))))\n  h(x): g(g(g(g(x))))\nflow:\n  n:\n    from: rows\n    do:\n      - with: { much: h(id) }\n",
        mended: "functions:\n  f(x): x * 2\n  g(x): x * 16\n  h(x): x * 65536\nflow:\n  n:\n    from: rows\n    do:\n      - with: { much: h(id) }\n",
    }
    FIELD_CLASH = "E0218" {
        title: "two fields of a row have one name",
        explanation: "The fields of a row have different names. In a `join` without `as:` the \
            fields of the other side join the row flat and may meet fields of the same name: \
            give the other side a name, `as: c`, and write `c.id`.",
        wrong: "- join: shop.customers\n  match: { customer: id }\n",
        mended: "- join: shop.customers\n  match: { customer: id }\n  as: c\n",
    }
    SINK_MISMATCH = "E0219" {
        title: "a node's rows are not what the topic holds",
        explanation: "The rows that reach `to:` have the fields of the topic's schema, each of \
            its type, in any order; a plain value may stand where the topic has an option. End \
            the node with a `select` that makes exactly these fields.",
        wrong: "schemas:\n  Revenue: { region: string, revenue: decimal<2> }\n# …\n- group: [region]\n  agg: { total: sum(amount) }\n",
        mended: "schemas:\n  Revenue: { region: string, revenue: decimal<2> }\n# …\n- group: [region]\n  agg: { revenue: sum(amount) }\n",
    }
    UNION_MISMATCH = "E0220" {
        title: "the sides of a union have different rows",
        explanation: "`from: [a, b]` puts rows of one kind together: all sides have the same \
            fields of the same types, in any order. Bring them into one form with `select` \
            first.",
        wrong: "flow:\n  all: { from: [shop.orders, shop.customers] }\n",
        mended: "flow:\n  all: { from: [shop.orders, shop.old_orders] }\n",
    }
    AGGREGATE_PLACE = "E0221" {
        title: "an aggregate where a value of one row is wanted, or the other way round",
        explanation: "Aggregates (`sum`, `count`, `avg`, …) fold many rows and stand, one each, \
            at the top of an entry of `agg:`. Anything else is computed from one row: before the \
            `group` with `with`, or after it with `select`.",
        wrong: "- group: [region]\n  agg: { mean: sum(amount) / count() }\n",
        mended: "- group: [region]\n  agg: { total: sum(amount), n: count() }\n- with: { mean: total / n }\n",
    }
    PORTS = "E0222" {
        title: "named ports where no step takes them",
        explanation: "`from: { q: a, kv: b }` gives names to the inputs of a step that has \
            several, such as a kernel. All other steps work on one collection: name one source, \
            a union `[a, b]`, or bring in the other side with `join`.",
        wrong: "flow:\n  both: { from: { l: shop.orders, r: shop.customers } }\n",
        mended: "flow:\n  both:\n    from: shop.orders\n    do:\n      - join: shop.customers\n        match: { customer: id }\n        as: c\n",
    }
    ROUTE_PLACE = "E0223" {
        title: "a `route` and the outputs of its node do not go together",
        explanation: "`route` is the last step of its node: it splits the rows by label. The \
            node then writes with `to: { label: topic }`, and others read `node.label`; without \
            a `route` the node has one output, written with `to: topic`.",
        wrong: "do:\n  - route: { sure: confidence >= 0.6, unsure: else }\nto: audio.labels\n",
        mended: "do:\n  - route: { sure: confidence >= 0.6, unsure: else }\nto: { sure: audio.labels }\n",
    }
    CONSTANT = "E0224" {
        title: "a value that has to be known when the circuit is compiled",
        explanation: "How many rows `top` keeps, a cast's digits and a `quantile`'s share are \
            constants: a literal, or a parameter of the circuit.",
        wrong: "- top: n\n  by: [amount desc]\n",
        mended: "- top: 3\n  by: [amount desc]\n",
    }
    VALUE = "E0225" {
        title: "a value that does not fit its type",
        explanation: "The values of test rows and of jobs are read by their schema: a \
            `timestamp` is RFC 3339 text with a zone, an enum is one of its labels, a \
            `decimal<2>` has at most two digits after the point.",
        wrong: "send: { shop.orders: [{ id: 10, amount: 30.001 }] }\n",
        mended: "send: { shop.orders: [{ id: 10, amount: 30.00 }] }\n",
    }
    MISSING_FIELD = "E0226" {
        title: "a row without one of its fields",
        explanation: "A row has all fields of its schema. Only a field of type `option<T>` may \
            be left out; it is `none` then.",
        wrong: "send: { shop.orders: [{ id: 10 }] }\n",
        mended: "send: { shop.orders: [{ id: 10, amount: 30.00 }] }\n",
    }
    TEST_CHANGE = "E0227" {
        title: "a test does with a topic what no client could",
        explanation: "A test sends to topics that no node writes, in the form that the topic \
            carries: plain rows for `events` and `full`, `$delete` with the key for `full`, \
            signed rows for `delta`. It expects changes of topics that are written, or of the \
            errors of a node or topic.",
        wrong: "- send: { shop.revenue: [{ region: EU, revenue: 1.00, orders: 1 }] }\n",
        mended: "- send: { shop.orders: [{ id: 1, customer: 1, amount: 1.00, status: paid }] }\n",
    }
    UNTYPED = "E0228" {
        title: "a value whose type nothing says",
        explanation: "`none` and `[]` have no type of their own. Beside a value of a known type \
            they take it; alone they could be anything.",
        wrong: "- select: { note: none }\n",
        mended: "- select: { note: name }\n",
    }
    DIMENSIONS = "E0230" {
        title: "dimensions of tensors that do not agree",
        explanation: "Shapes are known when a circuit is compiled. A name in capitals is one \
            number in the whole circuit: that of the parameter of this name, or the one that some \
            edge fixes. Where two dimensions must be equal (the inner ones of `matmul`, those of \
            a row and its topic) and are known to differ, both ends are shown. `_` says nothing: \
            the shape of each row decides, and a row that does not fit is an error row.",
        wrong: "schemas:\n  In: { a: tensor<2x3xf32>, b: tensor<4x2xf32> }\n\
            flow:\n  n:\n    from: in\n    do:\n      - select: { c: matmul(a, b) }\n",
        mended: "schemas:\n  In: { a: tensor<2x3xf32>, b: tensor<3x2xf32> }\n\
            flow:\n  n:\n    from: in\n    do:\n      - select: { c: matmul(a, b) }\n",
    }
    DIMENSION = "E0231" {
        title: "a parameter or number that is no size of a tensor",
        explanation: "A dimension is a number, a name in capitals, or `_`. A name in capitals that \
            is also one of `params:` stands for its value, which is then a whole number, not \
            below 0. A tensor has at most 16,777,216 elements.",
        wrong: "params: { D: 0.5 }\nschemas:\n  Vec: { x: tensor<Dxf32> }\n",
        mended: "params: { D: 64 }\nschemas:\n  Vec: { x: tensor<Dxf32> }\n",
    }
    UNIT = "E0232" {
        title: "a unit on a field that holds no timestamp",
        explanation: "`unit` says what an integer means where a timestamp is read: in JSON, in CSV \
            and in tests. It stands on a field of type `timestamp`, or of an option, list or map \
            of them. Numbers, durations and dates have none: a duration names its unit in its own \
            text.",
        wrong: "schemas:\n  Tick: { at: { type: int64, unit: ms } }\n",
        mended: "schemas:\n  Tick: { at: { type: timestamp, unit: ms } }\n",
    }
    PATTERN = "E0240" {
        title: "a pattern that is no regular expression",
        explanation: "The patterns of `matches`, `regex_extract` and `regex_replace` are regular \
            expressions that are matched in time linear in the text: there are groups, classes, \
            repetitions and anchors, and neither look-around nor references back to a group. A \
            pattern has at most 16 KB, and with its repetitions written out 2,000 characters. In \
            a text a backslash is doubled: `\"\\\\d+\"`. A pattern that is computed is checked when \
            the row comes: the row is an error row if it is none.",
        wrong: "- where: matches(name, \"(a|b\")\n",
        mended: "- where: matches(name, \"(a|b)\")\n",
    }
    FORMAT = "E0241" {
        title: "a template or a format of times that cannot be used",
        explanation: "The template of `format` has a place `{}` for each value, and doubles a \
            brace that is meant: `{{`. A format of times has the parts `%Y` year, `%m` month, \
            `%d` day, `%H` hour, `%M` minute, `%S` second, `%f` fraction, `%j` day of the year, \
            `%a` and `%A` weekday, `%b` and `%B` month by name, `%I` and `%p` hour of half a day, \
            `%z` offset, `%s` seconds since 1970, and `%%`. `parse_time` needs at least the year, \
            month and day; a date has no hours.",
        wrong: "- select: { day: 'format_time(at, \"%Y-%K\")' }\n",
        mended: "- select: { day: 'format_time(at, \"%Y-%m\")' }\n",
    }
    NO_VALUE = "E0242" {
        title: "an expression that has no value for the row",
        explanation: "`arqon eval` could not compute the expression for the row. In a running \
            circuit the row is not lost: it goes to the errors of the node, `<node>.errors`, with \
            one of these codes, with the step and the place in the file, and is taken from there \
            when the row goes. `overflow`: the result is beyond its type. `division_by_zero`: by \
            `/`, `%` or `div`. `conversion`: a text or number that is none of the type. \
            `argument`: a position below 1 or past the end, or a pattern that is none. `try(x)` \
            gives an option instead.",
        wrong: "arqon eval '1 / n' --row '{\"n\": 0}'\n",
        mended: "arqon eval 'try(1 / n) // 0.0' --row '{\"n\": 0}'\n",
    }
    EPOCH_TIME = "E0243" {
        title: "`epoch_time()` where no row comes in",
        explanation: "`epoch_time()` is the time of the epoch in which a row came in by its topic, \
            and stays what it was when the row is taken back. It may stand in `where`, `select`, \
            `with`, `unnest` and `route`, which take rows one by one; there it can be given a \
            name, and is a field like others from then on. In other steps, in loops, and outside \
            of flows there is no row that has just come.",
        wrong: "do:\n  - group: { day: trunc(epoch_time(), 24h) }\n    agg: { n: count() }\n",
        mended: "do:\n  - with: { came: epoch_time() }\n  - group: { day: trunc(came, 24h) }\n    agg: { n: count() }\n",
    }
    WINDOW = "E0247" {
        title: "a window that cannot be",
        explanation: "A `window` is of one kind. `tumble: 1m` cuts time into windows of a minute; \
            `hop: 10s, every: 2s` has one of ten seconds beginning every two seconds, so each row \
            falls into five; `session: 10s, per: [user]` has one for each run of rows of a user \
            that are less than ten seconds apart. Lengths lie above zero, `every` is at most the \
            length of its windows, else rows between them would fall into none, and a row falls \
            into at most 1,000 windows.",
        wrong: "- window: { hop: 10s, every: 1m }\n",
        mended: "- window: { hop: 1m, every: 10s }\n",
    }
    NO_EVENT_TIME = "E0248" {
        title: "a window over rows without event time",
        explanation: "Windows are cut by event time: a timestamp of the row. It is the `time` of \
            the topic that the rows come from, as long as the field is kept on the way; or the \
            window names one itself, as in `window: { tumble: 1m, time: at }`. Which windows have \
            closed is always told by the topic's `time`.",
        wrong: "topics:\n  bids: { schema: Bid, edge: in }\nflow:\n  a:\n    from: bids\n    do:\n      - window: { tumble: 1m }\n",
        mended: "topics:\n  bids: { schema: Bid, time: at, edge: in }\nflow:\n  a:\n    from: bids\n    do:\n      - window: { tumble: 1m }\n",
    }
    SECOND_WINDOW = "E0249" {
        title: "two windows in one node",
        explanation: "Rows that come too late for the window of a node are `node.late`. With two \
            windows nobody could tell what the rows there are, so each `window` and each `within` \
            has a node of its own.",
        wrong: "flow:\n  a:\n    from: bids\n    do:\n      - window: { tumble: 1m }\n      - drop: [window_start, window_end]\n      - window: { tumble: 1h }\n",
        mended: "flow:\n  a:\n    from: bids\n    do:\n      - window: { tumble: 1m }\n  b:\n    from: bids\n    do:\n      - window: { tumble: 1h }\n",
    }
    LAW_TOLERANCE = "E0250" {
        title: "a tolerance where nothing is measured",
        explanation: "`within` of a law says how far floats of rows may be apart where the law \
            compares them. `conservation` compares no values: it counts rows, and no row may be \
            lost, however near it is to another.",
        wrong: "tests:\n  no row is lost:\n    - law: conservation\n      within: 0.001\n",
        mended: "tests:\n  no row is lost:\n    - law: conservation\n",
    }
    ASOF = "E0252" {
        title: "`asof` where it has no meaning",
        explanation: "`asof: { time: at, of: at, within: 5m }` gives each left row the latest right \
            row at or before its time, or none. So it belongs to `inner` and `left` joins: `semi` \
            and `anti` only ask whether there is any, and in a `full` join every right row comes \
            out. `within` bounds how much earlier the right row may be, so the times are \
            timestamps or dates; how far numbers may be apart, `where` says.",
        wrong: "- join: prices\n  match: { symbol: symbol }\n  as: p\n  kind: semi\n  asof: { time: at, of: at }\n",
        mended: "- join: prices\n  match: { symbol: symbol }\n  as: p\n  kind: left\n  asof: { time: at, of: at }\n",
    }
    NOT_ALONG_ORDER = "E0253" {
        title: "no value of a row beside other rows",
        explanation: "Each entry of `with:` in an `over` is one call: of `lag`, `lead`, `first`, \
            `row_number`, `rank` or `dense_rank`, or of an aggregate. What is computed from its \
            result, or from the row alone, stands in a `with` step before or after the `over`.",
        wrong: "- over:\n    per: [account]\n    by: [at]\n    with: { grown: balance - lag(balance) }\n",
        mended: "- over:\n    per: [account]\n    by: [at]\n    with: { before: lag(balance) }\n- with: { grown: balance - before }\n",
    }
    NO_ORDER = "E0254" {
        title: "a value along an order, where there is no order",
        explanation: "`lag`, `lead`, `first(x)`, `row_number`, `rank`, `dense_rank` and `rows=` of \
            an aggregate speak of rows before and after a row. They stand in `with:` of an `over` \
            that says the order of its rows with `by:`. Without `by:` an `over` has aggregates of \
            its whole group.",
        wrong: "- over:\n    per: [account]\n    with: { before: lag(balance) }\n",
        mended: "- over:\n    per: [account]\n    by: [at]\n    with: { before: lag(balance) }\n",
    }
    LOOP_STEP = "E0258" {
        title: "a step that cannot be repeated",
        explanation: "A loop repeats its steps within one epoch until nothing changes. Steps that \
            compute with rows can be repeated: `where`, `select`, `with`, `drop`, `join`, \
            `distinct`, a `loop` within the loop, and over nodes outside also `group` and `top`. \
            What reaches beyond the epoch, or splits the flow, cannot: jobs for operators, \
            conversions of what a topic carries, windows, `over`, `route`, and topics to write. It \
            stands before or after the loop.",
        wrong: "- loop:\n    - join: edges\n      match: { id: src }\n      as: e\n    - select: { id: e.dst }\n    - carries: full\n",
        mended: "- loop:\n    - join: edges\n      match: { id: src }\n      as: e\n    - select: { id: e.dst }\n- carries: full\n",
    }
    LOOP_ROWS = "E0259" {
        title: "rounds that yield other rows than the loop began with",
        explanation: "What a round yields is read by the next round, and is brought together with \
            where the loop began. So it has the same fields, of the same types; their order does \
            not matter. End the body with a `select` of these fields.",
        wrong: "- loop:\n    - join: edges\n      match: { id: src }\n      as: e\n",
        mended: "- loop:\n    - join: edges\n      match: { id: src }\n      as: e\n    - select: { id: e.dst }\n",
    }
    LOOP_VARIABLE = "E0260" {
        title: "a variable of a loop that is not told in full",
        explanation: "`let` says where each variable of a loop starts, `next` what it is in the \
            round after, and `out` names the variable whose rows the node goes on with. Each \
            variable stands in `let` and in `next`.",
        wrong: "flow:\n  reach:\n    loop:\n      let: { node: roots }\n      next: { nodes: { from: [roots, step] } }\n    out: node\n",
        mended: "flow:\n  reach:\n    loop:\n      let: { node: roots }\n      next: { node: { from: [roots, step] } }\n    out: node\n",
    }
    UNKNOWN_MOCK = "E0262" {
        title: "a mock of something that the flow does not have",
        explanation: "`mocks:` in a test name the operators that the flow calls, and the nodes \
            with a kernel or capsule; where a node has several of those, the step: `found[1]`. \
            Steps that the engine runs itself are not mocked.",
        wrong: "- mocks: { nmv: [{ job: { program_ref: a }, result: {} }] }\n",
        mended: "- mocks: { nvm: [{ job: { program_ref: a }, result: {} }] }\n",
    }
    MOCK_TWICE = "E0263" {
        title: "two mocks for one question",
        explanation: "A job, or a row, is answered once in a test, and the same ever after: \
            results are recorded, and a retraction takes back what was recorded. Mocks of a later \
            step of the test add answers; only what a kernel puts out is said anew. One mock of an \
            operator may answer all jobs that no other answers: what comes after it may have been \
            answered by it.",
        wrong: "- mocks:\n    qml:\n      - { job: { features: [1.0] }, result: { label: a } }\n      - { job: { features: [1.0] }, result: { label: b } }\n",
        mended: "- mocks:\n    qml:\n      - { job: { features: [1.0] }, result: { label: a } }\n      - { job: { features: [2.0] }, result: { label: b } }\n",
    }
    LAW_OF_MOCKS = "E0264" {
        title: "a law of a circuit whose operators do not run",
        explanation: "Laws are tried with generated inputs, so that no test can say what an \
            operator, kernel or capsule answers to them. Examples with `mocks:` can.",
        wrong: "tests:\n  any split:\n    - law: split\n",
        mended: "tests:\n  one answer:\n    - mocks: { nvm: [{ job: { program_ref: a }, result: {} }] }\n      send: { pulses: [{ id: 1 }] }\n",
    }
    UNKNOWN_LAW = "E0270" {
        title: "a law that nothing checks",
        explanation: "`law:` in a test names what is to hold for generated inputs: `batch` (many \
            epochs come to what one comes to), `split` (any split into epochs gives the same \
            state), `workers` (workers and back ends agree), `delete` (insert then delete leaves \
            nothing), `restart` (beginning again changes nothing), `conservation` (no row is \
            lost). `arqon test --laws` tries all of them on every circuit.",
        wrong: "tests:\n  the answer is settled:\n    - law: spilt\n",
        mended: "tests:\n  the answer is settled:\n    - law: split\n",
    }
}
