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
}
