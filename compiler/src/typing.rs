//! Typing: every expression gets a type, every step a row, every node its place in the order.

mod scope;
mod symbols;
mod typer;
mod fault;
mod dimensions;
mod habit;
mod expression;
mod call;
mod step;
mod join;
mod over;
mod window;
mod job;
mod kernel;
mod wasm;
mod sink;
mod reads;
mod rows;
mod looped;
mod node;
mod chain;

pub(crate) use node::{Flow, type_flow};
pub(crate) use scope::Scope;
pub(crate) use typer::Typer;
