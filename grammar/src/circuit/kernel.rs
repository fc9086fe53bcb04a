//! `kernel:` and `wasm:`: numerical kernels and capsules as steps.

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use super::value::Computing;
use crate::ast::CapsuleLimits;
use crate::ast::Emit;
use crate::ast::Kernel;
use crate::ast::Mode;
use crate::ast::Wasm;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::name::NameRule;
use crate::quantity;
use crate::span::Spanned;
use crate::yaml::NodeId;

pub(crate) const MODES: &[(&str, Mode)] =
    &[("pass", Mode::Pass), ("itmd", Mode::Itmd), ("rr", Mode::Rr)];

pub(crate) const EMITS: &[(&str, Always)] = &[("changed", Always::Changed), ("all", Always::All)];

const EMIT_KEYS: &[&str] = &["pull", "eps"];
pub(crate) const PULL_KEYS: &[&str] = &["pull"];
pub(crate) const EPS_KEYS: &[&str] = &["eps"];
pub(crate) const BOUND_KEYS: &[&str] = &["error", "latency"];
pub(crate) const CAPSULE_LIMITS: &[&str] = &["fuel", "memory", "time", "output"];

/// A way to emit that needs nothing said beside it.
#[derive(Clone, Copy)]
pub(crate) enum Always {
    Changed,
    All,
}

impl<'a> Reader<'a> {
    /// `kernel:` and its companions.
    pub(crate) fn kernel(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Kernel> {
        let name = self.name(item.value, NameRule::Plain, "kernel");
        let (args, args_span) = match fields.get("args") {
            Some(args) => {
                self.expect_map(args.value, "the map of a kernel's arguments");
                (self.value_map(args.value, Computing::Allowed), self.span(args.value))
            }
            None => (Vec::new(), item.span),
        };
        let modes = fields.get("modes").map(|modes| self.modes(modes));
        let emit = fields.get("emit").and_then(|emit| self.emit(emit));
        let (mut error_bound, mut latency_bound) = (None, None);
        if let Some(bounds) = fields.get("bounds") {
            let bounds = self.fields(bounds.value, "`bounds`", bounds.span, BOUND_KEYS);
            if let Some(bounds) = bounds {
                error_bound = bounds.value("error").and_then(|value| self.tolerance(value));
                latency_bound = bounds.value("latency").and_then(|value| self.duration(value));
            }
        }
        let mut topic = |key: &str| {
            let value = fields.value(key)?;
            self.name(value, NameRule::Dotted, "topic")
        };
        let (control, metrics) = (topic("control"), topic("metrics"));
        Some(Kernel {
            name: name?,
            args,
            args_span,
            modes,
            emit,
            error_bound,
            latency_bound,
            control,
            metrics,
        })
    }

    fn modes(&mut self, item: Item<'a>) -> Spanned<Vec<Spanned<Mode>>> {
        let span = self.span(item.value);
        let mut modes: Vec<Spanned<Mode>> = Vec::new();
        let items = self.items(item.value);
        if items.is_empty() {
            self.empty(item.span, "`modes` names no mode");
        }
        for id in items {
            let Some(mode) = self.word(id, "a mode", MODES) else { continue };
            if let Some(first) = modes.iter().find(|first| first.node == mode.node) {
                let message = "the same mode twice";
                self.report(
                    Diagnostic::new(code::yaml::DUPLICATE_KEY, mode.span, message)
                        .secondary(first.span, "the first one")
                        .help("leave one of them away"),
                );
                continue;
            }
            modes.push(mode);
        }
        Spanned::new(modes, span)
    }

    /// `changed`, `all`, `{ pull: topic }`, or `{ eps: 0.001 }`.
    fn emit(&mut self, item: Item<'a>) -> Option<Spanned<Emit>> {
        if self.map(item.value).is_none() {
            let word = self.word(item.value, "a way to emit", EMITS)?;
            return Some(word.map(|word| match word {
                Always::Changed => Emit::Changed,
                Always::All => Emit::All,
            }));
        }
        let fields = self.fields(item.value, "a way to emit", item.span, EMIT_KEYS)?;
        if let (Some(pull), Some(eps)) = (fields.get("pull"), fields.get("eps")) {
            self.report(
                Diagnostic::new(
                    code::yaml::UNKNOWN_KEY,
                    eps.span,
                    "`eps` has no meaning beside `pull`: a kernel emits one way",
                )
                .secondary(pull.span, "it is asked for its rows here")
                .help("leave one of them away"),
            );
            return None;
        }
        if let Some(pull) = fields.value("pull") {
            let topic = self.name(pull, NameRule::Dotted, "topic")?;
            let span = topic.span;
            return Some(Spanned::new(Emit::Pull(topic), span));
        }
        let eps = fields.get("eps");
        if eps.is_none() && !self.has_stray(&fields) {
            let message = "a way to emit needs `pull` or `eps`";
            self.report(
                Diagnostic::new(code::yaml::MISSING_KEY, fields.owner, message)
                    .help("write `emit: { eps: 0.001 }` or `emit: { pull: TOPIC }`"),
            );
        }
        let eps = self.tolerance(eps?.value)?;
        Some(Spanned::new(Emit::Eps(eps.node), eps.span))
    }

    /// A number above 0.
    fn tolerance(&mut self, id: NodeId) -> Option<Spanned<f64>> {
        let read = |text: &str| {
            let value = text.parse::<f64>().ok()?;
            (value.is_finite() && 0.0 < value).then_some(value)
        };
        self.quantity(id, TOLERANCE, read)
    }

    /// `wasm:` and its companions.
    pub(crate) fn wasm(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Wasm> {
        let written = self.expect_text(item.value, CAPSULE)?;
        let returns = fields.get("returns").map(|it| self.type_at(it.value, it.span, 1));
        let limits = fields.get("limits").and_then(|limits| self.capsule_limits(limits));
        let capsule = Spanned::new(self.substitute(written.node, item.value), written.span);
        if !is_capsule(&capsule.node) {
            self.report(
                Diagnostic::new(
                    code::operators::CAPSULE_REFERENCE,
                    capsule.span,
                    format!("`{}` is not {CAPSULE}", capsule.node),
                )
                .help("a version follows the path after `@`; a hash is 64 hexadecimal digits"),
            );
        }
        Some(Wasm { capsule, returns, limits })
    }

    fn capsule_limits(&mut self, item: Item<'a>) -> Option<CapsuleLimits> {
        let fields = self.fields(item.value, "`limits`", item.span, CAPSULE_LIMITS)?;
        let size = "a size, as in `16MiB`";
        Some(CapsuleLimits {
            fuel: fields.value("fuel").and_then(|value| self.fuel(value)),
            memory: fields
                .value("memory")
                .and_then(|value| self.quantity(value, size, quantity::bytes)),
            time: fields.value("time").and_then(|value| self.duration(value)),
            output: fields
                .value("output")
                .and_then(|value| self.quantity(value, size, quantity::bytes)),
        })
    }

    fn fuel(&mut self, id: NodeId) -> Option<Spanned<u64>> {
        self.quantity(id, "an amount of fuel, as in `500k` or `10M`", quantity::count)
    }
}

/// `path/of/capsule@2`, or `blake3:` and the hash of its bytes.
fn is_capsule(text: &str) -> bool {
    if let Some(hash) = text.strip_prefix("blake3:") {
        return hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let Some((path, version)) = text.split_once('@') else { return false };
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
            && part != ".."
            && part != "."
    };
    path.split('/').all(is_part) && quantity::whole(version).is_some_and(|version| 0 < version)
}

/// What a capsule's reference is called in messages.
const CAPSULE: &str = "a capsule, as in `filters/denoise@2` or `blake3:…`";

/// What a tolerance is called in messages.
const TOLERANCE: &str = "a number above 0, as in `0.001`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capsules_are_named_by_path_or_hash() {
        assert!(is_capsule("filters/denoise@2"));
        assert!(is_capsule(&format!("blake3:{}", "0f".repeat(32))));
        for wrong in ["denoise", "denoise@", "denoise@0", "../x@1", "a//b@1", "blake3:12", "@1"] {
            assert!(!is_capsule(wrong), "{wrong}");
        }
    }
}
