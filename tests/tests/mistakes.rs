//! Seeded mistakes: what people write wrong, and whether they are told where, what and how to go on.
//!
//! `circuits/mistakes/NAME.yaml` is a circuit without faults; each line of `NAME.txt` is one
//! mistake in it. All places must be right, 95 % of the codes, and 90 % of the help; where a change
//! is proposed that a machine may make, it is made, and the circuit must have no fault then.

use std::fs;
use std::path::PathBuf;

use arqon_compiler::{Options, compile_with};
use arqon_grammar::{Diagnostic, LoadFault, Loader, Main, apply_fixes};

struct Mistake {
    line: String,
    code: String,
    find: String,
    replace: String,
    place: String,
    help: String,
}

/// The files beside the circuits.
struct Files;

impl Loader for Files {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        let near = ["units.yaml"].map(str::to_owned).to_vec();
        fs::read_to_string(folder().join(path)).map_err(|_| LoadFault::Missing { near })
    }
}

/// How a mistake was told.
#[derive(Default)]
struct Told {
    place: bool,
    code: bool,
    help: bool,
    /// Whether the change that a machine may make mends it; none if there is no such change.
    fix: Option<bool>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../circuits/mistakes")
}

fn mistakes(name: &str) -> Vec<Mistake> {
    let table = fs::read_to_string(folder().join(format!("{name}.txt"))).expect("the table");
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<String> =
                line.split(" | ").map(|part| part.replace('~', "\n").replace('⇥', "\t")).collect();
            let [code, find, replace, place, help] = parts.try_into().unwrap_or_else(|_| {
                panic!("{name}.txt: five parts a line: {line}");
            });
            Mistake { line: line.to_owned(), code, find, replace, place, help }
        })
        .collect()
}

fn errors(text: &str) -> Vec<Diagnostic> {
    let main = Main::alone("mistake.yaml", text);
    let compiled = compile_with(main, &mut Files, &Options::default());
    compiled.diagnostics.into_iter().filter(Diagnostic::is_error).collect()
}

/// Whether the diagnostic's primary place is the one that the table names: within the changed
/// text where that holds it, else wherever it stands.
fn is_at(fault: &Diagnostic, text: &str, mistake: &Mistake, at: usize) -> bool {
    let span = fault.primary.span;
    let (start, end) = (span.start as usize, span.end as usize);
    if text.get(start..end) != Some(mistake.place.as_str()) {
        return false;
    }
    let changed = at..at + mistake.replace.len();
    let holds = mistake.replace.contains(&mistake.place);
    !holds || (changed.start <= start && end <= changed.end)
}

fn helps(fault: &Diagnostic, wanted: &str) -> bool {
    let fix = fault.fix.iter().map(|fix| &fix.title);
    let labels = fault.secondary.iter().map(|label| &label.message);
    let all = fault.help.iter().chain(&fault.notes).chain(fix).chain(labels);
    all.chain([&fault.message]).any(|line| line.contains(wanted))
}

/// Whether the text has no fault after the change that a diagnostic proposes, and the changes that
/// are proposed then.
fn mends(text: &str, fault: &Diagnostic) -> bool {
    let mut text = apply_fixes(text, std::slice::from_ref(fault)).text;
    for _ in 0..ROUNDS_MAX {
        let faults = errors(&text);
        if faults.is_empty() {
            return true;
        }
        text = apply_fixes(&text, &faults).text;
    }
    false
}

/// Most rounds of changes; two texts in one expression are two of them.
const ROUNDS_MAX: usize = 4;

fn judge(circuit: &str, mistake: &Mistake, misses: &mut Vec<String>) -> Told {
    let places: Vec<usize> = circuit.match_indices(&mistake.find).map(|(at, _)| at).collect();
    let [at] = places.as_slice() else {
        panic!("`{}` stands {} times: {}", mistake.find, places.len(), mistake.line);
    };
    let text = circuit.replacen(&mistake.find, &mistake.replace, 1);
    let faults = errors(&text);
    let here: Vec<&Diagnostic> =
        faults.iter().filter(|fault| is_at(fault, &text, mistake, *at)).collect();
    let told = Told {
        place: !here.is_empty(),
        code: here.iter().any(|fault| fault.code.id() == mistake.code),
        help: here.iter().any(|fault| helps(fault, &mistake.help)),
        fix: here.iter().find(|fault| fault.fix.is_some()).map(|fault| mends(&text, fault)),
    };
    if !(told.place && told.code && told.help) || told.fix == Some(false) {
        let found: Vec<String> = faults.iter().map(|fault| fault.brief(&text)).collect();
        misses.push(format!("{}\n{}\n", mistake.line, found.join("\n")));
    }
    told
}

#[test]
#[expect(clippy::print_stdout, reason = "`--nocapture` shows the figures")]
fn mistakes_are_told_where_what_and_how_to_mend_them() {
    let mut misses = Vec::new();
    let (mut n_all, mut n_places, mut n_codes, mut n_helps) = (0, 0, 0, 0);
    let (mut n_fixes, mut n_mending) = (0, 0);
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    for name in &names {
        let file = folder().join(format!("{name}.yaml"));
        let circuit = fs::read_to_string(file).expect("the circuit");
        let faults = errors(&circuit);
        assert!(faults.is_empty(), "{name}.yaml: {:?}", faults.first().map(|it| &it.message));
        for mistake in mistakes(name) {
            let told = judge(&circuit, &mistake, &mut misses);
            n_all += 1;
            n_places += usize::from(told.place);
            n_codes += usize::from(told.code);
            n_helps += usize::from(told.help);
            n_fixes += usize::from(told.fix.is_some());
            n_mending += usize::from(told.fix == Some(true));
        }
    }
    let misses = misses.join("\n");
    println!("{misses}\n{n_all} mistakes: place {n_places}, code {n_codes}, help {n_helps}");
    println!("{n_fixes} changes by machine: {n_mending} mend the circuit");
    assert!(n_all >= 550, "only {n_all} mistakes");
    assert_eq!(n_places, n_all, "every place is right:\n{misses}");
    assert!(n_fixes >= 100 && n_mending * 100 >= n_fixes * 95, "{n_mending} of {n_fixes} mend");
    assert!(n_codes * 100 >= n_all * 95, "{n_codes} of {n_all} codes");
    assert!(n_helps * 100 >= n_all * 90, "{n_helps} of {n_all} helps");
}

#[test]
fn several_mistakes_in_one_file_are_all_told() {
    let circuit = fs::read_to_string(folder().join("shop.yaml")).expect("the circuit");
    let seeds = [
        ("schema: Item,", "schema: Itme,", "Itme"),
        ("status == \"paid\" and", "status == \"payed\" and", "\"payed\""),
        ("by: [amount desc, customer]", "by: [amout desc, customer]", "amout"),
        ("upper(i.title //", "uper(i.title //", "uper"),
        ("- join: shop.customers", "- join: shop.customer", "shop.customer"),
        ("publish: [shop.customers,", "publish: [shop.custmers,", "shop.custmers"),
        ("key: region, edge: out", "key: region, egde: out", "egde"),
        ("big: weight > 10.0", "big: wight > 10.0", "wight"),
    ];
    let text = seeds.iter().fold(circuit, |text, (find, replace, _)| {
        assert_eq!(text.matches(find).count(), 1, "{find}");
        text.replace(find, replace)
    });
    let told: Vec<&str> = errors(&text)
        .iter()
        .map(|fault| &text[fault.primary.span.start as usize..fault.primary.span.end as usize])
        .collect();
    for (.., place) in seeds {
        assert!(told.contains(&place), "`{place}` is not told: {told:?}");
    }
    assert_eq!(told.len(), seeds.len(), "nothing else is told: {told:?}");
}
