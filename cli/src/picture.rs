//! Pictures of a plan: what stands in a circuit and where rows go, for terminals, browsers,
//! Markdown and Graphviz.
//!
//! All of them draw the same [`sketch::Sketch`]: clients, topics, nodes with their steps, and
//! operators. Equal plans give equal pictures, to the byte.

mod sketch;
mod layout;
mod svg;
mod dot;
mod mermaid;
mod terminal;

use arqon_plan::Plan;

use sketch::Sketch;

/// A drawing for browsers and papers, complete in itself.
pub(crate) fn svg(plan: &Plan) -> String {
    svg::draw(&Sketch::of(plan))
}

/// Graphviz's language.
pub(crate) fn dot(plan: &Plan) -> String {
    dot::draw(&Sketch::of(plan))
}

/// Mermaid's language, which Markdown viewers draw.
pub(crate) fn mermaid(plan: &Plan) -> String {
    mermaid::draw(&Sketch::of(plan))
}

/// A drawing with box characters in so many columns; in 100 where nobody says.
pub(crate) fn terminal(plan: &Plan, columns: Option<usize>) -> String {
    terminal::draw(&Sketch::of(plan), columns.unwrap_or(terminal::COLUMNS_DEFAULT))
}

#[cfg(test)]
mod tests {
    use arqon_compiler::{Options, compile};

    use super::*;

    const SHOP: &str = "\
arqon: 1
circuit: shop.revenue
schemas:
  Customer: { id: int64, region: string }
  Order: { id: int64, customer: int64, amount: decimal<2>, note: string }
  Revenue: { region: string, revenue: decimal<2> }
topics:
  shop.customers: { schema: Customer, carries: full, key: id, edge: in }
  shop.orders: { schema: Order, carries: full, key: id, edge: in }
  shop.revenue: { schema: Revenue, carries: delta, key: region, edge: out }
  shop.rest: { schema: Order, carries: delta, edge: out }
flow:
  sized:
    from: shop.orders
    do:
      - where: note != \"<test> & \\\"more\\\"\"
      - route: { large: amount > 100, small: else }
    to: { small: shop.rest }
  revenue:
    from: sized.large
    do:
      - join: shop.customers
        match: { customer: id }
        as: c
      - group: [c.region]
        agg: { revenue: sum(amount) }
    to: shop.revenue
access:
  shop.writer: { publish: [shop.customers, shop.orders] }
  shop.board: { subscribe: [shop.revenue, shop.rest] }
";

    fn plan() -> Plan {
        let compiled = compile(SHOP, "shop.yaml", &Options::default());
        assert_eq!(compiled.diagnostics, []);
        compiled.plan.expect("the shop has a plan")
    }

    #[test]
    fn the_terminal_drawing_reads_from_left_to_right() {
        let expected = r#"shop.revenue

(shop.writer) ▶ publishes shop.customers, shop.orders

                              ╭────────────────────────────────╮
◉ shop.orders ─full──────────▶│ sized                          │──small: delta──▶ ◉ shop.rest
                              │ where note != "<test> & \"mor… │──large: delta──▶ ▢ revenue
                              │ route large, small             │
                              ╰────────────────────────────────╯
                              ╭─────────────────────╮
▢ sized ─large: delta────────▶│ revenue             │──delta──▶ ◉ shop.revenue
◉ shop.customers ─full───────▶│ join shop.customers │
                              │ group region        │
                              ╰─────────────────────╯
(shop.board) ◀ subscribes to shop.revenue, shop.rest
"#;
        assert_eq!(terminal(&plan(), None), expected);
    }

    #[test]
    fn the_svg_is_whole_and_says_everything_once() {
        let drawn = svg(&plan());
        assert_eq!(drawn, svg(&plan()), "equal plans give equal pictures");
        for element in ["svg", "title", "defs", "marker", "g", "text", "tspan"] {
            let opened = drawn.matches(&format!("<{element} ")).count()
                + drawn.matches(&format!("<{element}>")).count();
            let closed = drawn.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "{element}");
        }
        for text in [
            "shop.writer",
            "shop.board",
            "sized",
            "large: delta",
            "Order · full",
            ">key</tspan> id<",
        ] {
            assert!(drawn.contains(text), "{text}");
        }
        assert!(drawn.contains("&lt;test&gt; &amp;") && !drawn.contains("<test>"));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }

    #[test]
    fn shapes_do_not_overlap() {
        let sketch = Sketch::of(&plan());
        let heights = vec![40.0; sketch.shapes.len()];
        let layout = layout::layout(&sketch, &heights, 10.0);
        for (idx, column) in layout.columns.iter().enumerate() {
            for other in 0..idx {
                let between = (layout.middles[idx] - layout.middles[other]).abs();
                assert!(layout.columns[other] != *column || 49.9 < between, "{other} and {idx}");
            }
        }
        for arrow in sketch.arrows.iter().filter(|arrow| !arrow.delayed) {
            assert!(layout.columns[arrow.from] < layout.columns[arrow.to], "{arrow:?}");
        }
    }

    #[test]
    fn graphviz_and_mermaid_have_all_shapes_and_arrows() {
        let sketch = Sketch::of(&plan());
        let (dot, mermaid) = (dot(&plan()), mermaid(&plan()));
        assert_eq!(dot.matches("shape=").count(), sketch.shapes.len());
        assert_eq!(dot.matches(" -> ").count(), sketch.arrows.len());
        assert_eq!(mermaid.matches(" -->|").count(), sketch.arrows.len());
        assert!(dot.contains(r#"where note != \"<test> & \\\"mor…\l"#), "{dot}");
        assert!(mermaid.contains("#lt;test#gt;"), "{mermaid}");
    }

    /// A circuit of `circuits/demo`, and its picture.
    macro_rules! demo {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../circuits/demo/", $name, ".yaml")),
                include_str!(concat!("../../docs/pictures/", $name, ".svg")),
            )
        };
    }

    /// Drawn by `arqon graph circuits/demo/NAME.yaml --as svg`.
    #[test]
    fn the_pictures_of_the_demos_are_up_to_date() {
        let demos = [
            demo!("flights"),
            demo!("attention"),
            demo!("heat"),
            demo!("network"),
            demo!("paths"),
            demo!("projection"),
            demo!("regression"),
        ];
        for (name, text, kept) in demos {
            let compiled = compile(text, name, &Options::default());
            let plan = compiled.plan.expect("a demo has a plan");
            assert!(svg(&plan) == kept, "draw docs/pictures/{name}.svg anew");
        }
    }
}
