//! Topology: no way past the bus (E04xx).

codes! {
    CLIENT_PAST_EDGE = "E0401" {
        title: "clients where no edge topic stands",
        explanation: "Clients enter and leave a circuit through topics with `edge: in`, `out` or \
            `both`, and nowhere else: there the Shield admits them, and the Spine counts, orders \
            and records what they send. A role that names a node, or a topic without `edge`, would \
            pass by all of it. Let the node write a topic with `edge: out`, and grant that.",
        wrong: "flow:\n  sums: { from: orders, to: totals }\naccess:\n  dashboard: { subscribe: [sums] }\n",
        mended: "flow:\n  sums: { from: orders, to: totals }\naccess:\n  dashboard: { subscribe: [totals] }\n",
    }
    CLIENT_TO_OPERATOR = "E0402" {
        title: "clients at an operator without a topic between",
        explanation: "An operator works on jobs, and jobs come from its topic `<operator>.jobs`, \
            where they are counted against quotas, recorded and can be replayed. A role that \
            publishes or subscribes at the operator itself would reach it past the bus. \
            `execute` lets a role send jobs; results are read from `<operator>.results`.",
        wrong: "access:\n  lab: { publish: [nvm], subscribe: [nvm] }\n",
        mended: "access:\n  lab: { execute: [nvm], subscribe: [nvm.results] }\n",
    }
    FLOW_TO_OPERATOR = "E0403" {
        title: "an operator wired into the flow without a topic",
        explanation: "An operator reads its topic `<operator>.jobs` and writes its topic \
            `<operator>.results`, and nothing else. A node or route that reads from it or writes \
            to it directly would carry jobs past quotas, audit and replay. A `call` step sends \
            one job per row and goes on with the result.",
        wrong: "routes:\n  - input.audio -> nvm\n",
        mended: "flow:\n  pulses:\n    from: input.audio\n    do:\n      - call: nvm\n        job: { program_ref: programs/sweep@3, input_data: =pcm }\n",
    }
    OPERATOR_TO_OPERATOR = "E0404" {
        title: "an operator wired to an operator",
        explanation: "Between two operators stands a topic, so that what one tells the other is \
            seen, counted and recorded. Chain two `call` steps: the first one's result is the \
            second one's job.",
        wrong: "routes:\n  - nvm -> qml\n",
        mended: "flow:\n  labels:\n    from: pulses\n    do:\n      - call: nvm\n        job: { program_ref: programs/sweep@3, input_data: =pcm }\n      - call: qml\n        job: { features: =result.frame }\n",
    }
    UNDECLARED_OPERATOR = "E0405" {
        title: "an operator that the circuit does not declare",
        explanation: "Whatever takes jobs stands under `operators`, with its contract, its \
            implementations and its limits. An operator that is only named cannot be checked, \
            limited or replaced.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\naccess:\n  lab: { execute: [nmv] }\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\naccess:\n  lab: { execute: [nvm] }\n",
    }
    SECOND_WRITER = "E0406" {
        title: "a second writer of a topic",
        explanation: "A topic has one writer: a node, a route, or the clients of an `edge: in` \
            topic. Two writers who do not know of each other overwrite each other's keys, and \
            nobody can say who wrote a row. Bring the rows together in one node with \
            `from: [a, b]`; or say with `shared: true` that several writers are meant.",
        wrong: "flow:\n  a: { from: orders, to: totals }\n  b: { from: returns, to: totals }\n",
        mended: "flow:\n  all: { from: [orders, returns], to: totals }\n",
    }
}
