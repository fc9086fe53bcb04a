//! What editors ask about circuits, and the language server that answers them.
//!
//! The rooms up to `layout` are pure: a text, what is known of it, and a place in it give an
//! answer. `rpc` frames the messages and `server` holds the open documents; it is the only room
//! with a thread. What files an import means, and what the environment holds, the caller says
//! through a [`Workspace`].
//!
//! **Invariant:** no message ends the server but `exit` and the end of its input: what it does not
//! understand it refuses, and a broken text is served as far as it can be read.

mod text;
mod uri;
mod words;
mod shape;
mod values;
mod cursor;
mod names;
mod fields;
mod locals;
mod analysis;
mod describe;
mod rows;
mod reference;
mod diagnostics;
mod navigation;
mod hover;
mod completion;
mod calls;
mod folding;
mod tokens;
mod selection;
mod rename;
mod hints;
mod outline;
mod symbols;
mod actions;
mod layout;
mod rpc;
mod workspace;
mod documents;
mod everywhere;
mod protocol;
mod server;

pub use diagnostics::message;
pub use server::{Ending, serve};
pub use workspace::{ImportRoot, Workspace};
