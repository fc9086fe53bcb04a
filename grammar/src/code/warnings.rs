//! Warnings: what is allowed and probably not meant (Wxxxx).

codes! {
    UNUSED_TOPIC = "W0201" {
        title: "a topic that leads nowhere",
        explanation: "Nothing writes the topic, or nothing reads it: what clients publish there \
            goes nowhere, or what they subscribe to never comes.",
        wrong: "topics:\n  orders: { schema: Order, carries: full, key: id, edge: in }\n  old_orders: { schema: Order, carries: full, key: id, edge: in }\nflow:\n  all: { from: orders, to: totals }\n",
        mended: "topics:\n  orders: { schema: Order, carries: full, key: id, edge: in }\nflow:\n  all: { from: orders, to: totals }\n",
    }
    UNUSED_SCHEMA = "W0202" {
        title: "a schema that nothing uses",
        explanation: "No topic, schema or contract of the circuit has this schema.",
        wrong: "schemas:\n  Order: { id: int64 }\n  OldOrder: { id: int64 }\ntopics:\n  orders: { schema: Order }\n",
        mended: "schemas:\n  Order: { id: int64 }\ntopics:\n  orders: { schema: Order }\n",
    }
    UNUSED_FUNCTION = "W0203" {
        title: "a function that nothing calls",
        explanation: "No expression of the circuit calls this function.",
        wrong: "functions:\n  net(price, off): price * (1 - off)\nflow:\n  a: { from: t, to: u }\n",
        mended: "flow:\n  a: { from: t, to: u }\n",
    }
    UNUSED_PARAM = "W0204" {
        title: "a parameter that nothing reads",
        explanation: "No expression, schema or step of the circuit reads this parameter, so \
            `--set` cannot change anything with it.",
        wrong: "params: { N: 3 }\nflow:\n  a: { from: t, to: u }\n",
        mended: "params: { N: 3 }\nflow:\n  a:\n    from: t\n    do:\n      - where: 0 < x and x < N\n    to: u\n",
    }
    UNREAD_NODE = "W0205" {
        title: "a node that nobody reads",
        explanation: "The node computes rows that go nowhere: no node reads it, and it writes no \
            topic.",
        wrong: "flow:\n  paid:\n    from: orders\n    do:\n      - where: paid\n",
        mended: "flow:\n  paid:\n    from: orders\n    do:\n      - where: paid\n    to: paid_orders\n",
    }
    CROSS_PRODUCT = "W0206" {
        title: "every row beside every row",
        explanation: "`match: {}` joins each left row with each right row. That is what one wants \
            where one of the sides is a single row, as of `group: []`, which then stands beside \
            each row as a scalar would. Of two larger sides the result, and the work for every \
            change, grows with the product. Say what belongs together in `match`, or let `where` \
            say which pairs count.",
        wrong: "- join: customers\n  match: {}\n  as: c\n",
        mended: "- join: customers\n  match: { customer: id }\n  as: c\n",
    }
    FORGOTTEN_START = "W0207" {
        title: "a loop that forgets where it starts",
        explanation: "`let` says what a variable is before the first round; after that it is what \
            `next` says, and nothing else. Here no variable and no node of the loop reads anything \
            from outside again, so that rows last only as long as rounds bring them forth: in a \
            graph without cycles nothing is left at the end. Let `next` bring the start in again. \
            A loop whose last round is meant as the result (`exact: true`) is not asked for it.",
        wrong: "flow:\n  reach:\n    loop:\n      let: { node: roots }\n      flow:\n        step:\n          from: node\n          do:\n            - join: edges\n              match: { id: src }\n              as: e\n            - select: { id: e.dst }\n      next: { node: step }\n    out: node\n",
        mended: "flow:\n  reach:\n    loop:\n      let: { node: roots }\n      flow:\n        step:\n          from: node\n          do:\n            - join: edges\n              match: { id: src }\n              as: e\n            - select: { id: e.dst }\n      next: { node: [roots, step] }\n    out: node\n",
    }
    GROWING_TOPIC = "W0301" {
        title: "a topic that holds every event",
        explanation: "A topic that carries `delta` keeps its rows, so that a late subscriber can \
            be given a snapshot. Events are never retracted, so what is only computed from them \
            row by row grows for ever. Let the topic carry `events`, or give the events a bound: \
            `retain: 1h`.",
        wrong: "topics:\n  clicks: { schema: Click, edge: in }\n  long: { schema: Click, carries: delta, edge: out }\nflow:\n  filter: { from: clicks, to: long }\n",
        mended: "topics:\n  clicks: { schema: Click, edge: in }\n  long: { schema: Click, edge: out }\nflow:\n  filter: { from: clicks, to: long }\n",
    }
    IDLE_LATE = "W0302" {
        title: "a `late` that nothing heeds",
        explanation: "`late` says how long after the greatest event time so far a row of the topic \
            may still come. Only a `window` or a `within` asks for it, and only of a topic with a \
            `time` to which rows come from outside; rows that the flow writes were judged where \
            they came in.",
        wrong: "topics:\n  bids: { schema: Bid, late: 5s, edge: in }\n",
        mended: "topics:\n  bids: { schema: Bid, time: at, late: 5s, edge: in }\n",
    }
    NO_LIMITS = "W0501" {
        title: "an operator without limits",
        explanation: "Operators stand for work that costs something: hardware, energy, other \
            people's time. Without `limits` nothing keeps a fault in the circuit from sending \
            jobs as fast as they can be made.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\n",
        mended: "operators:\n  nvm:\n    contract: arqonbus.nvm@1\n    via: { sim: { builtin: nvm } }\n    limits: { parallel: 1, runs: 100/h }\n",
    }
    RETRY_WITHOUT_USE = "W0502" {
        title: "a part of `retry` that is never used",
        explanation: "`max` says how often a failed job is tried again, `backoff` how long to wait \
            before each attempt (the last one repeats), `when` for which reasons. More waiting \
            times than attempts, or waiting times without any attempt, are never reached.",
        wrong: "retry: { max: 1, backoff: [500ms, 2s] }\n",
        mended: "retry: { max: 2, backoff: [500ms, 2s] }\n",
    }
    CAPSULE_LIMITS = "W0503" {
        title: "a capsule without limits",
        explanation: "A capsule sees no clock, file or network, and may still run for as long and \
            take as much memory as the server lets any capsule. With `limits` its author says what \
            one row may cost, and a row that would cost more is an error row.",
        wrong: "- wasm: filters/denoise@2\n",
        mended: "- wasm: filters/denoise@2\n  limits: { fuel: 10M, memory: 16MiB }\n",
    }
    NOBODY_MAY_PUBLISH = "W0601" {
        title: "an edge topic that nobody may publish to",
        explanation: "Access is denied unless it is granted. The topic has `edge: in` or `both`, \
            and no role of the circuit has it under `publish`, so no token made from these roles \
            lets a client send to it. Files given with `--input` are not concerned.",
        wrong: "topics:\n  orders: { schema: Order, carries: full, key: id, edge: in }\naccess:\n  reader: { subscribe: [totals] }\n",
        mended: "topics:\n  orders: { schema: Order, carries: full, key: id, edge: in }\naccess:\n  reader: { subscribe: [totals] }\n  writer: { publish: [orders] }\n",
    }
    CAP_ABOVE_LIMIT = "W0602" {
        title: "a cap that the operator's own limit makes meaningless",
        explanation: "A role's cap on an operator holds beside the operator's own `limits`, and \
            the smaller one decides. A cap that is larger is never reached.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } }, limits: { runs: 100/h } }\naccess:\n  lab.science: { execute: [{ nvm: { runs: 200/h } }] }\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } }, limits: { runs: 100/h } }\naccess:\n  lab.science: { execute: [{ nvm: { runs: 20/h } }] }\n",
    }
    GRANTED_TWICE = "W0603" {
        title: "a role has the same right twice",
        explanation: "The same topic or operator stands twice under one right of a role. If caps \
            differ, it is not clear which was meant; the smaller ones hold.",
        wrong: "access:\n  shop.writer: { publish: [shop.orders, shop.orders] }\n",
        mended: "access:\n  shop.writer: { publish: [shop.orders] }\n",
    }
    ROLE_WITHOUT_RIGHTS = "W0604" {
        title: "a role that may do nothing",
        explanation: "A role with neither `publish` nor `subscribe` nor `execute` grants nothing: \
            its clients connect, and are refused whatever they ask.",
        wrong: "access:\n  shop.guest: {}\n",
        mended: "access:\n  shop.guest: { subscribe: [shop.revenue] }\n",
    }
}
