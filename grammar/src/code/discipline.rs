//! Disciplines, state and cycles: what a topic carries, and what a step may hold (E03xx).

codes! {
    CHANGES_AS_FACTS = "E0301" {
        title: "changes where facts are wanted",
        explanation: "A topic that carries `events` holds facts: rows are added and never taken \
            back. What is computed from `full` or `delta` topics, and what `group`, `top` and \
            most joins yield, changes: rows are retracted and replaced. As events those \
            retractions would pass as facts, so this is refused. Let the topic carry `delta`, so \
            that readers see the changes; or `full` with a `key`, so that they see the latest \
            state of each key.",
        wrong: "topics:\n  revenue: { schema: Revenue, edge: out }\nflow:\n  total:\n    from: orders\n    do:\n      - group: [region]\n        agg: { revenue: sum(amount) }\n    to: revenue\n",
        mended: "topics:\n  revenue: { schema: Revenue, carries: delta, edge: out }\nflow:\n  total:\n    from: orders\n    do:\n      - group: [region]\n        agg: { revenue: sum(amount) }\n    to: revenue\n",
    }
    UNBOUNDED_STATE = "E0302" {
        title: "state without a bound",
        explanation: "Events are never retracted. A `join`, `group`, `distinct` or `top` that \
            must hold something of every event would grow for as long as the circuit runs, and \
            stop it when the memory is full. So each step needs a bound that can be printed.\n\n\
            What bounds a step: a `full` topic (one row per key) or a `delta` topic (its \
            producers retract) instead of events; `retain: 1h` on the events' topic; groups whose \
            keys are the declared `key` of the topic, or of type `bool` or `enum`, or no keys at \
            all, with aggregates that hold a number and not all values (`count`, `sum`, `avg`, \
            `any`, `all`, `stddev`, `variance`); a `window`, where the keys of a `group`, the \
            `per` of a `top` or both sides of a `match` name its `window_end` (or \
            `window_start`), so that the state of a window goes when it closes; or `within`. \
            `--allow unbounded` accepts the step as it is.",
        wrong: "topics:\n  clicks: { schema: Click, edge: in }\nflow:\n  pages:\n    from: clicks\n    do:\n      - group: [page]\n        agg: { n: count() }\n    to: counts\n",
        mended: "topics:\n  clicks: { schema: Click, carries: delta, edge: in }\nflow:\n  pages:\n    from: clicks\n    do:\n      - group: [page]\n        agg: { n: count() }\n    to: counts\n",
    }
    FULL_WITHOUT_KEY = "E0303" {
        title: "full state without a key",
        explanation: "With `carries: full` each message is the whole state of one thing, and \
            replaces what was known of that thing. The `key` says which thing it is; without a \
            key no message could replace another. A `carries: full` step takes the key of its \
            rows where one is proved (a group's keys, a full topic's key), else that of the topic \
            it writes.",
        wrong: "topics:\n  customers: { schema: Customer, carries: full, edge: in }\n",
        mended: "topics:\n  customers: { schema: Customer, carries: full, key: id, edge: in }\n",
    }
    CYCLE = "E0304" {
        title: "a cycle without delay",
        explanation: "Nodes that read what is computed from themselves would have to know their \
            result before they have it. Data goes one way; what goes back, goes with an epoch of \
            delay, through a topic with `control: true`. A least fixpoint (reachability, shortest \
            paths) is a `loop`.",
        wrong: "flow:\n  a: { from: [t, b] }\n  b: { from: a, to: u }\n",
        mended: "flow:\n  a: { from: t }\n  b: { from: a, to: u }\n",
    }
    NEVER_CLOSES = "E0305" {
        title: "a window that waits for an end that never comes",
        explanation: "A window closes when the event time of its topics has passed its end, and \
            `final: true` waits for that; `within` lets rows go as event time passes. How far it \
            has come is the greatest value so far of the field that the topic names as its \
            `time`, less its `late`; of several topics the one that is furthest behind counts. A \
            topic without `time` never says how far it is.",
        wrong: "topics:\n  bids: { schema: Bid, edge: in }\nflow:\n  a:\n    from: bids\n    do:\n      - window: { tumble: 1m, time: at, final: true }\n",
        mended: "topics:\n  bids: { schema: Bid, time: at, edge: in }\nflow:\n  a:\n    from: bids\n    do:\n      - window: { tumble: 1m, final: true }\n",
    }
    NOT_JUDGED = "E0306" {
        title: "a window whose rows cannot be judged",
        explanation: "Whether a row is late is decided once, at its place in the log of its topic, \
            so that it does not depend on how messages are cut into epochs. So between a topic \
            and a `window` or `within` stand only steps that take rows one by one: `where`, \
            `select`, `with`, `drop`, `route`, unions, and windows that are not final and no \
            sessions. The rows of a `join`, `group`, `distinct` or `top` have no place in any log. \
            Put the window first: its bounds are fields like others, and a `group` or `match` by \
            `window_end` holds open windows only.",
        wrong: "do:\n  - join: customers\n    match: { customer: id }\n    as: c\n  - window: { tumble: 1m }\n",
        mended: "do:\n  - window: { tumble: 1m }\n  - join: customers\n    match: { customer: id }\n    as: c\n",
    }
    NOT_ARRIVED = "E0307" {
        title: "rows whose arrival is not known",
        explanation: "`epoch_time()` is the time of the epoch in which a row came in by a topic, and \
            what takes the row back must take back the same value. So the row brings it along \
            from its topic, and between the topic and the expression stand only steps that take \
            rows one by one: `where`, `select`, `with`, `drop`, `unnest`, `route` and unions. The \
            rows of a `join`, `group`, `distinct`, `top` or window did not come in themselves. And \
            a retraction on a topic that carries `delta` does not say when the row came that it \
            means: such topics do not have it. Give the value a name right behind the topic.",
        wrong: "do:\n  - join: customers\n    match: { customer: id }\n    as: c\n  - with: { came: epoch_time() }\n",
        mended: "do:\n  - with: { came: epoch_time() }\n  - join: customers\n    match: { customer: id }\n    as: c\n",
    }
    NOT_MONOTONE = "E0310" {
        title: "a loop whose rounds may take rows back",
        explanation: "A loop repeats its steps until nothing changes. That there is such an end, \
            and only one, is sure when a round can only add to what was found before. `group`, \
            `top`, and joins with `kind: anti` or `kind: left` over the rows of the loop do \
            more: a row that was found may go because another one came, and the rounds may \
            swing to and fro for ever. The same holds for a loop within a loop that merges by \
            `min` or `max`.\n\n\
            Over nodes outside of the loop all of these are allowed: do the work there, and join \
            the result. Where the rows after a number of rounds are meant, say so with \
            `rounds: n` and `exact: true`. In the general form, a loop all of whose variables \
            merge by `min` or `max` is taken at its word; if it does not come to rest within its \
            rounds, an error row says so.",
        wrong: "flow:\n  safe:\n    from: roots\n    do:\n      - loop:\n          - join: edges\n            match: { id: src }\n            as: e\n          - select: { id: e.dst }\n          - join: blocked\n            match: { id: id }\n            kind: anti\n    to: reached\n",
        mended: "flow:\n  open:\n    from: edges\n    do:\n      - join: blocked\n        match: { dst: id }\n        kind: anti\n  safe:\n    from: roots\n    do:\n      - loop:\n          - join: open\n            match: { id: src }\n            as: e\n          - select: { id: e.dst }\n    to: reached\n",
    }
    ORDER_LOST = "E0317" {
        title: "the order of events is lost",
        explanation: "Events become the state of a key when they go to a topic, or through a step, \
            that carries `full`: of the events of a key the last one in log order wins. Through \
            `where`, `select`, `with`, `drop`, `unnest`, `route` and unions each row keeps the \
            place of the event that it comes from. A `join`, `group`, `distinct` or `top` puts \
            events together, so that what it yields has no place in the log; and among events and \
            changes that are written to one topic there is no order either. Make the state first, \
            and join or group that.",
        wrong: "topics:\n  readings: { schema: Reading, edge: in }\n  last: { schema: Reading, carries: full, key: sensor, edge: out }\nflow:\n  a:\n    from: readings\n    do:\n      - distinct: all\n    to: last\n",
        mended: "topics:\n  readings: { schema: Reading, edge: in }\n  last: { schema: Reading, carries: full, key: sensor, edge: out }\nflow:\n  a:\n    from: readings\n    to: last\n",
    }
}
