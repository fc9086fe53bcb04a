//! A node's steps before and after the passes of the compiler that change them, with what they are
//! expected to cost.

use arqon_compiler::{
    Backing, Cost, ELEMENTS, KEPT, MATCHED, Pass, ROUNDS, ROWS_PER_KEY, TOPIC_ROWS,
};
use arqon_plan::{DataflowPlan, Operator, StepId, step_text};
use serde_json::{Value, json};

use crate::console::{Console, Style};

/// What a pass left of a node.
#[derive(Debug)]
pub(super) struct Listing {
    pass: &'static str,
    /// Each as text, its own number and those of the node's other steps counted from 1, with its
    /// address and its cost.
    steps: Vec<(String, String, Cost)>,
    /// Addresses of steps that are one now, those of the node among them: the one that went, and
    /// the one that is left.
    twins: Vec<[String; 2]>,
}

impl Listing {
    /// The steps of a node, or the source of a topic.
    pub(super) fn of(pass: &Pass, node: &str) -> Self {
        let plan: &DataflowPlan = &pass.plan;
        let own: Vec<StepId> = (0_u32..)
            .map(StepId)
            .zip(&plan.steps)
            .filter(|(_, step)| *step.node == *node)
            .map(|(id, _)| id)
            .collect();
        // Places in the whole plan say nothing of the node, and move with every other one.
        let name = |id: StepId| match own.iter().position(|it| *it == id) {
            Some(at) => format!("#{}", at + 1),
            None => plan.steps[origin(plan, id).index()].address.to_string(),
        };
        let mut twins: Vec<[String; 2]> = Vec::new();
        for twin in &pass.twins {
            let of = &plan.steps[twin.of.index()];
            let both = [twin.address.to_string(), of.address.to_string()];
            if (*twin.node == *node || *of.node == *node) && !twins.contains(&both) {
                twins.push(both);
            }
        }
        let step = |id: &StepId| {
            let address = plan.steps[id.index()].address.to_string();
            (step_text(plan, *id, &name), address, pass.costs[id.index()])
        };
        Self { pass: pass.name, steps: own.iter().map(step).collect(), twins }
    }

    /// Whether the node has other steps than before, or does them for another one.
    fn differs(&self, before: &Self) -> bool {
        let texts = |it: &Self| it.steps.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
        !self.twins.is_empty() || texts(self) != texts(before)
    }

    fn total(&self, of: fn(&Cost) -> f64) -> f64 {
        self.steps.iter().map(|(_, _, cost)| of(cost)).sum()
    }

    fn held(&self) -> f64 {
        self.total(|cost| cost.held)
    }

    fn touched(&self) -> f64 {
        self.total(|cost| cost.touched)
    }

    /// As one document; `before` is what the pass began with.
    pub(super) fn json(&self, before: Option<&Self>) -> Value {
        let step = |(text, address, cost): &(String, String, Cost)| {
            json!({
                "address": address, "text": text, "rows": rounded(cost.rows),
                "holds": rounded(cost.held), "touches": rounded(cost.touched),
                "kept_in": cost.backing.map(backing_name),
            })
        };
        let twins = self.twins.iter().map(|[gone, left]| json!({ "step": gone, "with": left }));
        json!({
            "pass": self.pass,
            "changed": before.is_none_or(|before| self.differs(before)),
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "holds": rounded(self.held()), "touches": rounded(self.touched()),
            "shared": twins.collect::<Vec<_>>(),
        })
    }

    fn lines(&self, console: Console, lines: &mut Vec<String>) {
        if self.steps.is_empty() {
            lines.push("  none of its own".to_owned());
            self.twin_lines(lines);
            return;
        }
        lines.push(console.paint_out(Style::Dim, &format!("{:>9} {:>9}", "holds", "touches")));
        for (text, _, cost) in &self.steps {
            let mut texts = text.lines();
            let first = texts.next().unwrap_or_default();
            let held = if cost.held > 0.0 { number(cost.held) } else { String::new() };
            let kept_in = match cost.backing {
                Some(backing) => format!("  ({})", backing_name(backing)),
                None => String::new(),
            };
            lines.push(format!("{held:>9} {:>9}  {first}{kept_in}", number(cost.touched)));
            lines.extend(texts.map(|line| format!("{:>19}  {line}", "")));
        }
        if self.steps.len() > 1 {
            let (held, touched) = (number(self.held()), number(self.touched()));
            lines.push(format!("{held:>9} {touched:>9}  in all"));
        }
        self.twin_lines(lines);
    }

    fn twin_lines(&self, lines: &mut Vec<String>) {
        let twins = self.twins.iter();
        lines.extend(twins.map(|[gone, left]| format!("  {gone} does what {left} does, once")));
    }
}

/// The step whose rows these are, if only columns were left out on the way.
fn origin(plan: &DataflowPlan, id: StepId) -> StepId {
    let step = &plan.steps[id.index()];
    match &step.operator {
        Operator::Map(map) if map.only_moves() => origin(plan, step.inputs[0]),
        _ => id,
    }
}

/// The steps as written, and after each pass that changed them.
pub(super) fn pass_lines(passes: &[Listing], console: Console, lines: &mut Vec<String>) {
    let Some((written, passes)) = passes.split_first() else { return };
    lines.extend([String::new(), console.paint_out(Style::Cyan, "steps as written")]);
    written.lines(console, lines);
    let mut before = written;
    let mut idle = Vec::new();
    for pass in passes {
        if !pass.differs(before) {
            idle.push(format!("`{}`", pass.pass));
            continue;
        }
        let title = console.paint_out(Style::Cyan, &format!("steps after `{}`", pass.pass));
        lines.extend([String::new(), title]);
        pass.lines(console, lines);
        before = pass;
    }
    lines.push(String::new());
    if let Some((last, rest)) = idle.split_last() {
        let rest =
            if rest.is_empty() { String::new() } else { format!("{} and ", rest.join(", ")) };
        let verb = if rest.is_empty() { "changes" } else { "change" };
        lines.push(format!("{rest}{last} {verb} nothing here"));
    }
    footnotes(before, lines);
}

fn footnotes(last: &Listing, lines: &mut Vec<String>) {
    let is_kept = |backing| last.steps.iter().any(|(_, _, cost)| cost.backing == Some(backing));
    if is_kept(Backing::Hash) {
        lines.push(
            "hash: tables by key, since an epoch is over before the next one here".to_owned(),
        );
    }
    if is_kept(Backing::Arrangements) {
        lines.push(
            "arrangements: a history by key, since a loop has rounds of several epochs under way"
                .to_owned(),
        );
    }
    lines.push(format!(
        "holds: rows in memory; touches: rows read, matched and put out when a row of each topic\n\
         changes; by rule of thumb: {} rows a topic, {} a key that is not declared or proven,\n\
         one of {} left by each part of a condition",
        number(TOPIC_ROWS),
        number(ROWS_PER_KEY),
        number(1.0 / KEPT),
    ));
}

/// What the costs are reckoned with.
pub(super) fn assumptions() -> Value {
    json!({
        "topic_rows": TOPIC_ROWS, "rows_per_key": ROWS_PER_KEY, "kept_by_condition": KEPT,
        "elements_of_list": ELEMENTS, "left_rows_matched": MATCHED, "rounds_of_loop": ROUNDS,
    })
}

fn backing_name(backing: Backing) -> &'static str {
    match backing {
        Backing::Hash => "hash",
        Backing::Arrangements => "arrangements",
    }
}

/// To a tenth.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// `1,333`, `4.3`: whole from ten on.
fn number(number: f64) -> String {
    let text = if number < 9.95 { format!("{number:.1}") } else { format!("{number:.0}") };
    let (whole, rest) = text.split_once('.').map_or((&*text, ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() || rest == "0" { grouped } else { format!("{grouped}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let shown = [0.0, 1.0, 4.333, 9.96, 1333.3, 1_000_000.0].map(number);
        assert_eq!(shown, ["0", "1", "4.3", "10", "1,333", "1,000,000"]);
    }
}
