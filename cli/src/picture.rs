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

/// A drawing with box characters, at most 100 columns wide.
pub(crate) fn terminal(plan: &Plan) -> String {
    terminal::draw(&Sketch::of(plan))
}
