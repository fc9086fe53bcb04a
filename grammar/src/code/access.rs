//! Access: what roles may do (E06xx).

codes! {
    UNKNOWN_TOPIC = "E0601" {
        title: "a role names a topic that does not exist",
        explanation: "`publish` and `subscribe` list topics of the circuit, `<node>.errors` and \
            `<operator>.results` among them. A name that stands for nothing would grant nothing, \
            and nobody would notice.",
        wrong: "topics:\n  shop.orders: { schema: Order, carries: full, key: id, edge: in }\naccess:\n  writer: { publish: [shop.order] }\n",
        mended: "topics:\n  shop.orders: { schema: Order, carries: full, key: id, edge: in }\naccess:\n  writer: { publish: [shop.orders] }\n",
    }
    DIRECTION = "E0602" {
        title: "a role uses a topic in a direction that it does not have",
        explanation: "Clients publish to topics with `edge: in` or `both`, and subscribe to \
            topics with `edge: out` or `both`. The role's entry is wrong, or the topic's `edge` \
            is. (A topic without any `edge` is not for clients at all: that is `E0401`.)",
        wrong: "topics:\n  shop.revenue: { schema: Revenue, carries: delta, edge: out }\naccess:\n  writer: { publish: [shop.revenue] }\n",
        mended: "topics:\n  shop.revenue: { schema: Revenue, carries: delta, edge: out }\naccess:\n  writer: { subscribe: [shop.revenue] }\n",
    }
    CAP_OF_ANOTHER_RIGHT = "E0603" {
        title: "a cap that means nothing for this right",
        explanation: "A role's entry may carry caps. Publishing and subscribing move messages, so \
            `messages` and `bytes` cap them; executing starts jobs, so `parallel`, `runtime`, \
            `runs` and `energy` do. A cap of the other kind would never be reached, and whoever \
            wrote it would believe in it.",
        wrong: "access:\n  lab.mic: { publish: [{ shots: { runs: 20/h } }] }\n",
        mended: "access:\n  lab.mic: { publish: [{ shots: { messages: 20/h } }] }\n",
    }
    LIMIT_OF_NOTHING = "E0604" {
        title: "a limit that lets nothing through",
        explanation: "A limit or cap of 0 refuses every message or job. Who is to have no access \
            is not granted any: leave the entry out. An operator that is to do nothing is taken \
            out of the flow.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } }, limits: { parallel: 0 } }\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } }, limits: { parallel: 1 } }\n",
    }
}
