//! `operators:`, `limits:`, `access:` and `profiles:`.

use smallvec::SmallVec;

use super::reader::Item;
use super::reader::Reader;
use super::value::Computing;
use crate::ast::Contract;
use crate::ast::Grant;
use crate::ast::Implementation;
use crate::ast::Limits;
use crate::ast::Operator;
use crate::ast::Profile;
use crate::ast::Restart;
use crate::ast::Retry;
use crate::ast::RetryReason;
use crate::ast::Role;
use crate::ast::Transport;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::name::NameRule;
use crate::quantity;
use crate::span::Spanned;
use crate::yaml::NodeId;

pub(crate) const OPERATOR_KEYS: &[&str] = &["contract", "via", "use", "limits", "retry"];
pub(crate) const TRANSPORT_KEYS: &[&str] = &["builtin", "remote", "http", "process"];
pub(crate) const CIRCUIT_LIMITS: &[&str] = &["messages", "bytes", "state", "cpu"];
pub(crate) const OPERATOR_LIMITS: &[&str] = &["parallel", "runtime", "runs", "energy"];
pub(crate) const MESSAGE_CAPS: &[&str] = &["messages", "bytes"];
pub(crate) const RETRY_KEYS: &[&str] = &["max", "backoff", "when"];
pub(crate) const RETRY_REASONS: &[(&str, RetryReason)] = &[
    ("unavailable", RetryReason::Unavailable),
    ("timeout", RetryReason::Timeout),
    ("failed", RetryReason::Failed),
];
pub(crate) const ROLE_KEYS: &[&str] = &["publish", "subscribe", "execute"];
pub(crate) const PROFILE_KEYS: &[&str] = &["use", "params", "limits"];
pub(crate) const JOB_CAPS: &[&str] = &["parallel", "runtime", "runs", "energy"];

/// What the entries of one right of a role are.
struct Right {
    key: &'static str,
    target: NameRule,
    what: &'static str,
    caps: &'static [&'static str],
    /// Caps that mean something for another right.
    elsewhere: &'static [&'static str],
}

const fn of_topics(key: &'static str) -> Right {
    Right { key, target: NameRule::Dotted, what: "topic", caps: MESSAGE_CAPS, elsewhere: JOB_CAPS }
}

const PUBLISH: Right = of_topics("publish");
const SUBSCRIBE: Right = of_topics("subscribe");
const EXECUTE: Right = Right {
    key: "execute",
    target: NameRule::Plain,
    what: "operator",
    caps: JOB_CAPS,
    elsewhere: MESSAGE_CAPS,
};

impl<'a> Reader<'a> {
    /// `operators:`.
    pub(crate) fn operators(&mut self, id: NodeId) -> Vec<Operator> {
        let items = self.expect_map(id, "a map of operators").unwrap_or_default();
        items.into_iter().map(|item| self.operator(item)).collect()
    }

    fn operator(&mut self, item: Item<'a>) -> Operator {
        let name = self.declared(item, NameRule::Plain, "operator");
        let Some(fields) = self.fields(item.value, "an operator", item.span, OPERATOR_KEYS) else {
            let span = self.span(item.value);
            let (via, selected, limits) = (Vec::new(), None, None);
            return Operator { name, contract: None, via, selected, limits, retry: None, span };
        };
        let contract = self.require(&fields, "contract").and_then(|item| self.contract(item));
        let via = match self.require(&fields, "via") {
            Some(via) => {
                let items = self.expect_map(via.value, "a map of implementations");
                if items.as_ref().is_some_and(SmallVec::is_empty) {
                    self.empty(via.span, "`via` names no implementation");
                }
                let items = items.unwrap_or_default();
                items.into_iter().map(|item| self.implementation(item)).collect()
            }
            None => Vec::new(),
        };
        let selected = fields
            .value("use")
            .and_then(|value| self.name(value, NameRule::Plain, "implementation"));
        let limits = fields
            .get("limits")
            .and_then(|item| self.limits(item, "limits of an operator", OPERATOR_LIMITS));
        let retry = fields.get("retry").and_then(|item| self.retry(item));
        Operator { name, contract, via, selected, limits, retry, span: fields.span }
    }

    /// `name@version`, or `{ job, result }`.
    fn contract(&mut self, item: Item<'a>) -> Option<Spanned<Contract>> {
        let span = self.inner_span(item.value);
        if self.map(item.value).is_some() {
            let fields = self.fields(item.value, "a contract", item.span, &["job", "result"])?;
            let mut part = |key| {
                let found = self.require(&fields, key)?;
                Some(self.type_at(found.value, found.span, 1))
            };
            let (job, result) = (part("job"), part("result"));
            return Some(Spanned::new(Contract::Own { job, result }, span));
        }
        let text = self.expect_text(item.value, "a contract, as in `arqonbus.nvm@1`")?;
        let (name, version) = text.node.split_once('@').unwrap_or((text.node, ""));
        let name = self.check_name(NameRule::Dotted, "contract", name, text.span)?;
        let Some(version) = quantity::whole(version) else {
            self.report(
                Diagnostic::new(
                    code::yaml::QUANTITY,
                    text.span,
                    format!("the contract `{}` lacks its version", text.node),
                )
                .help(format!("write `{}@1`", name.node)),
            );
            return None;
        };
        Some(Spanned::new(Contract::Named { name: name.node, version }, text.span))
    }

    fn implementation(&mut self, item: Item<'a>) -> Implementation {
        let name = self.declared(item, NameRule::Plain, "implementation");
        let span = self.span(item.value);
        let transport = self.transport(item).map(|transport| Spanned::new(transport, span));
        Implementation { name, transport }
    }

    fn transport(&mut self, item: Item<'a>) -> Option<Transport> {
        let fields = self.fields(item.value, "an implementation", item.span, TRANSPORT_KEYS)?;
        let found: Vec<(&str, Item<'a>)> =
            TRANSPORT_KEYS.iter().filter_map(|key| Some((*key, fields.get(key)?))).collect();
        let [(word, kind)] = found.as_slice() else {
            let span = found.get(1).map_or(item.span, |(_, second)| second.span);
            self.report(
                Diagnostic::new(
                    code::yaml::MISSING_KEY,
                    span,
                    "an implementation is reached in exactly one way",
                )
                .help("write one of `builtin`, `remote`, `http`, `process`"),
            );
            return None;
        };
        match *word {
            "builtin" => self.name(kind.value, NameRule::Dotted, "builtin").map(Transport::Builtin),
            "remote" => {
                self.expect_map(kind.value, "a map of what the endpoint advertises")?;
                Some(Transport::Remote(self.value_map(kind.value, Computing::NotHere)))
            }
            "http" => {
                let fields =
                    self.fields(kind.value, "an http endpoint", kind.span, &["url", "timeout"])?;
                let url = self.require(&fields, "url");
                Some(Transport::Http {
                    url: url.and_then(|url| self.substituted(url.value, "a URL")),
                    timeout: fields.value("timeout").and_then(|value| self.duration(value)),
                })
            }
            _ => self.process(*kind),
        }
    }

    fn process(&mut self, item: Item<'a>) -> Option<Transport> {
        let fields = self.fields(item.value, "a process", item.span, &["command", "restart"])?;
        let command = self.require(&fields, "command")?;
        let words = self.expect_list(command.value, "a list of the command and its arguments")?;
        let command: Vec<Spanned<String>> =
            words.iter().filter_map(|word| self.substituted(*word, "an argument")).collect();
        let restart = fields.value("restart").and_then(|value| {
            let words = [
                ("on-failure", Restart::OnFailure),
                ("always", Restart::Always),
                ("never", Restart::Never),
            ];
            self.word(value, "a rule for restarts", &words)
        });
        Some(Transport::Process { command, restart })
    }

    fn retry(&mut self, item: Item<'a>) -> Option<Retry> {
        let fields = self.fields(item.value, "a retry", item.span, RETRY_KEYS)?;
        let max = fields.value("max").and_then(|value| self.whole(value));
        let mut backoff = Vec::new();
        for id in self.items_under(&fields, "backoff") {
            backoff.extend(self.duration(id));
        }
        let mut when = Vec::new();
        for id in self.items_under(&fields, "when") {
            when.extend(self.word(id, "a reason to try again", RETRY_REASONS));
        }
        Some(Retry { max, backoff, when })
    }

    /// `limits:` of a circuit.
    pub(crate) fn circuit_limits(&mut self, item: Item<'a>) -> Option<Limits> {
        self.limits(item, "limits of a circuit", CIRCUIT_LIMITS)
    }

    fn limits(&mut self, item: Item<'a>, what: &'static str, known: &[&str]) -> Option<Limits> {
        let fields = self.fields(item.value, what, item.span, known)?;
        let mut limits = Limits { span: fields.span, ..Limits::default() };
        for key in known {
            let Some(value) = fields.value(key) else { continue };
            match *key {
                "messages" => limits.messages = self.count_rate(value),
                "runs" => limits.runs = self.count_rate(value),
                "bytes" => {
                    let what = "bytes per time, as in `40MiB/s`";
                    limits.bytes = self.quantity(value, what, quantity::byte_rate);
                }
                "state" => {
                    let what = "a size, as in `256MiB`";
                    limits.state = self.quantity(value, what, quantity::bytes);
                }
                "cpu" => {
                    let what = "a number of cores, as in `1` or `0.5`";
                    limits.cpu_milli = self.quantity(value, what, quantity::cores);
                }
                "parallel" => limits.parallel = self.whole(value),
                "runtime" => limits.runtime = self.duration(value),
                _ => {
                    let what = "an energy, as in `50J`";
                    limits.energy_millijoules = self.quantity(value, what, quantity::energy);
                }
            }
        }
        Some(limits)
    }

    fn count_rate(&mut self, id: NodeId) -> Option<Spanned<crate::ast::Rate>> {
        self.quantity(id, "a count per time, as in `5k/s` or `100/h`", quantity::count_rate)
    }

    /// `access:`.
    pub(crate) fn access(&mut self, id: NodeId) -> Vec<Role> {
        let items = self.expect_map(id, "a map of roles").unwrap_or_default();
        items.into_iter().filter_map(|item| self.role(item)).collect()
    }

    fn role(&mut self, item: Item<'a>) -> Option<Role> {
        let name = self.declared(item, NameRule::Dotted, "role");
        let fields = self.fields(item.value, "a role", item.span, ROLE_KEYS)?;
        let mut grants = |right: &Right| {
            let mut grants = Vec::new();
            for id in self.items_under(&fields, right.key) {
                self.grants(id, right, &mut grants);
            }
            grants
        };
        let (publish, subscribe, execute) =
            (grants(&PUBLISH), grants(&SUBSCRIBE), grants(&EXECUTE));
        Some(Role { name, publish, subscribe, execute })
    }

    /// `topic`, or `{ topic: { caps } }`.
    fn grants(&mut self, id: NodeId, right: &Right, grants: &mut Vec<Grant>) {
        let Some(items) = self.map(id) else {
            let target = self.name(id, right.target, right.what);
            grants.extend(target.map(|target| Grant { target, caps: None }));
            return;
        };
        for item in items {
            let target = self.key_name(item, right.target, right.what);
            let caps = self.caps(item, right);
            grants.extend(target.map(|target| Grant { target, caps }));
        }
    }

    /// Caps of one entry; those of another right are told apart from words that mean nothing.
    fn caps(&mut self, item: Item<'a>, right: &Right) -> Option<Limits> {
        let written = self.map(item.value).unwrap_or_default();
        for cap in written.iter().filter(|cap| right.elsewhere.contains(&cap.key)) {
            let own: Vec<String> = right.caps.iter().map(|cap| format!("`{cap}`")).collect();
            self.report(
                Diagnostic::new(
                    code::access::CAP_OF_ANOTHER_RIGHT,
                    cap.span,
                    format!("`{}` does not cap what `{}` allows", cap.key, right.key),
                )
                .help(format!(
                    "the caps of `{}` are {}",
                    right.key,
                    own.join(", ")
                )),
            );
        }
        let known: Vec<&str> = right.caps.iter().chain(right.elsewhere).copied().collect();
        self.limits(item, "caps of a grant", &known)
    }

    /// `profiles:`.
    pub(crate) fn profiles(&mut self, id: NodeId) -> Vec<Profile> {
        let items = self.expect_map(id, "a map of profiles").unwrap_or_default();
        items.into_iter().filter_map(|item| self.profile(item)).collect()
    }

    fn profile(&mut self, item: Item<'a>) -> Option<Profile> {
        let name = self.declared(item, NameRule::Plain, "profile");
        let fields = self.fields(item.value, "a profile", item.span, PROFILE_KEYS)?;
        let mut uses = Vec::new();
        if let Some(value) = fields.value("use") {
            let items = self.expect_map(value, "a map, `{ operator: implementation }`");
            for item in items.unwrap_or_default() {
                let operator = self.key_name(item, NameRule::Plain, "operator");
                let selected = self.name(item.value, NameRule::Plain, "implementation");
                uses.extend(operator.zip(selected));
            }
        }
        let params = fields.value("params").map(|value| self.params(value)).unwrap_or_default();
        let limits = fields.get("limits").and_then(|item| self.circuit_limits(item));
        Some(Profile { name, uses, params, limits })
    }
}
