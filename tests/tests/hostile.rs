//! Seeded hostile circuits, a kind a test: each is refused with a code of its kind at a place of the
//! text, in bounded time, on a thread with little stack.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many and from which seed; `cargo xtask torture H01`,
//! `H02` and `H04` to `H09` set them. What one file of each kind does to the command itself, with
//! its memory bounded, is in `cli/tests/hostile.rs`.

#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use arqon_compiler::{Compiled, Options, compile, compile_with};
use arqon_grammar::{LoadFault, Loader, Main, decode};
use arqon_tests::corpus::{Circuit, circuits};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;

/// Everyday cases of a kind.
const CASES: u64 = 60;
/// The stack of the thread that reads a circuit; the development build's frames are larger.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 2 << 20 } else { 512 << 10 };

/// What must be refused.
struct Hostile {
    bytes: Vec<u8>,
    /// One of these is among the errors.
    codes: &'static [&'static str],
    what: String,
}

impl Hostile {
    fn new(text: String, codes: &'static [&'static str], what: impl Into<String>) -> Self {
        Self { bytes: text.into_bytes(), codes, what: what.into() }
    }
}

/// Longest time of one case, of which the development build takes many times as long.
fn time_max(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds) * if cfg!(debug_assertions) { 100 } else { 1 }
}

/// Makes as many cases as wanted, each from its seed, and judges them.
fn judge(name: &str, time_max: Duration, make: fn(&mut Random, &[Circuit]) -> Hostile) {
    let (cases, first) = (setting("ARQON_CASES", CASES), setting("ARQON_SEED", 1));
    let corpus = circuits();
    let mut slowest = (Duration::ZERO, String::new());
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first..first + cases {
        let hostile = make(&mut Random::new(seed), &corpus);
        let what = format!("seed {seed}, {}", hostile.what);
        let (time, found) = read(&hostile, time_max);
        let found = found.unwrap_or_else(|said| panic!("{what}: {said}"));
        *codes.entry(found).or_default() += 1;
        if time > slowest.0 {
            slowest = (time, what);
        }
    }
    #[expect(clippy::print_stdout, reason = "the long run says what it has done")]
    {
        let codes: Vec<String> = codes.iter().map(|(code, n)| format!("{code} {n}")).collect();
        let (time, what) = slowest;
        println!("{name}: {cases} from seed {first}, all refused: {}", codes.join(", "));
        println!("{name}: the slowest took {time:.1?}: {what}");
    }
}

/// How long it took to read a text, and its code; or what is wrong with the answer.
fn read(hostile: &Hostile, time_max: Duration) -> (Duration, Result<&'static str, String>) {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let reader = builder.spawn_scoped(scope, || {
            let answer = answer(hostile);
            (processor_time(), answer)
        });
        let (time, answer) = reader.unwrap().join().expect("no text is too much for the stack");
        let answer = if time > time_max { Err(format!("it took {time:?}")) } else { answer };
        (time, answer)
    })
}

/// What this thread has had of the processor, whatever else the machine did; nothing where the
/// kernel does not say.
fn processor_time() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = said.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn answer(hostile: &Hostile) -> Result<&'static str, String> {
    let (text, faults) = decode(&hostile.bytes);
    let mut said: Vec<&'static str> = faults.iter().map(|fault| fault.code.id()).collect();
    let mut is_placed = faults.iter().all(|fault| fault.primary.span.end as usize <= text.len());
    if faults.is_empty() {
        let options = Options { allow_unbounded: true, ..Options::default() };
        let compiled = compile(&text, "hostile.yaml", &options);
        said = errors(&compiled);
        let lines = compiled.sources.lines();
        is_placed = compiled.diagnostics.iter().all(|fault| {
            let (file, start, end) = lines.range(fault.primary.span);
            file == "hostile.yaml" && (start.line, start.column) <= (end.line, end.column)
        });
    }
    match said.iter().find(|code| hostile.codes.contains(code)) {
        Some(code) if is_placed => Ok(*code),
        Some(_) => Err("an error stands outside the text".to_owned()),
        None => Err(format!("{said:?}, and none of {:?}", hostile.codes)),
    }
}

fn errors(compiled: &Compiled) -> Vec<&'static str> {
    let errors = compiled.diagnostics.iter().filter(|fault| fault.is_error());
    errors.map(|fault| fault.code.id()).collect()
}

/// A number up to `most`, small ones as likely as great ones.
fn spread(random: &mut Random, least: usize, most: usize) -> usize {
    let most = random.below(most - least) + 1;
    least + random.below(most)
}

/// A circuit of the corpus with `more` as its last section.
fn with_section(random: &mut Random, corpus: &[Circuit], more: &str) -> String {
    let text = &random.pick(corpus).text;
    format!("{}\n{more}\n", text.trim_end())
}

/// A circuit with these fields, sections and condition.
fn small(fields: &str, sections: &str, condition: &str) -> String {
    let condition = condition.replace('\'', "''");
    format!(
        "arqon: 1\ncircuit: odd\nschemas:\n  Row: {{ {fields} }}\n{sections}topics:\n  \
         rows: {{ schema: Row, carries: full, key: id, edge: in }}\n  \
         out: {{ schema: Row, carries: delta, key: id, edge: out }}\nflow:\n  node:\n    \
         from: rows\n    do:\n      - where: '{condition}'\n    to: out\n"
    )
}

#[test]
fn aliases_do_not_multiply() {
    judge("H01", time_max(50), |random, corpus| {
        let (levels, width) = (2 + random.below(15), 2 + random.below(15));
        let style = random.below(3);
        let mut bomb = "laughs:\n  l0: &l0 lol\n".to_owned();
        for level in 1..=levels {
            let below = format!("*l{}", level - 1);
            write!(bomb, "  l{level}: &l{level}").unwrap();
            match style {
                0 => writeln!(bomb, " [{}]", vec![below; width].join(", ")).unwrap(),
                1 => {
                    let entries: Vec<String> =
                        (0..width).map(|at| format!("k{at}: {below}")).collect();
                    writeln!(bomb, " {{ {} }}", entries.join(", ")).unwrap();
                }
                _ => writeln!(bomb, "\n    - {}", vec![below; width].join("\n    - ")).unwrap(),
            }
        }
        let what = format!("{levels} levels of {width}, style {style}");
        Hostile::new(with_section(random, corpus, &bomb), &["E0004"], what)
    });
}

#[test]
fn nesting_ends_at_its_limit() {
    judge("H02", time_max(500), |random, corpus| {
        let depth = spread(random, 70, 100_000);
        let open = *random.pick(&["[", "{a: ", "- ", "[{a: ", "? ", "- - a: "]);
        let mut deep = if open.starts_with(['[', '{']) {
            format!("deep: {}", open.repeat(depth))
        } else {
            format!("deep:\n  {}x", open.repeat(depth))
        };
        if random.chance(20) {
            // A line a level: the text grows with the square of the depth.
            let lines: Vec<String> =
                (1..=depth.min(2_000)).map(|at| format!("{:at$}a:", "")).collect();
            deep = format!("deep:\n{}", lines.join("\n"));
        }
        let what = format!("{depth} times `{open}`");
        // What is not a collection in a collection is no YAML, and may be told first.
        Hostile::new(with_section(random, corpus, &deep), &["E0008", "E0001", "E0010"], what)
    });
}

#[test]
fn what_yaml_would_guess_is_refused() {
    judge("H04", time_max(500), |random, corpus| {
        let circuit = random.pick(corpus);
        let text = circuit.text.trim_end();
        let name = text.lines().find(|line| line.starts_with("circuit:")).unwrap().to_owned();
        let guesses = ["no", "on", "~", "010", "0x1", "1_000", ".inf", "1e3", "2026-01-01", "1:30"];
        let (more, codes): (String, &[&str]) = match random.below(8) {
            0 => (format!("{text}\n{name}\n"), &["E0009"]),
            1 => {
                let tagged = random.pick(&["circuit: !!str ", "circuit: !x "]);
                (text.replace("circuit: ", tagged), &["E0005"])
            }
            2 => (format!("{text}\n? [a]\n: b\n"), &["E0010"]),
            3 => (format!("{text}\n? {{ a: b }}\n: c\n"), &["E0010"]),
            4 => (format!("{text}\n<<: {{}}\n"), &["E0004"]),
            5 => (format!("{text}\nwat: {}\n", random.pick(&guesses)), &["E0011"]),
            6 => {
                let version = format!("arqon: {}", random.pick(&guesses));
                (
                    text.replacen("arqon: 1", &version, 1),
                    &["E0012", "E0013", "E0015", "E0016", "E0018"],
                )
            }
            _ => {
                let twice: Vec<String> =
                    (0..spread(random, 2, 20_000)).map(|at| format!("k{}: 1", at % 2)).collect();
                (format!("{text}\nwat:\n  {}\n", twice.join("\n  ")), &["E0009", "E0011"])
            }
        };
        let last = more.lines().last().unwrap_or_default().chars().take(60).collect::<String>();
        Hostile::new(more, codes, format!("{}, ends with `{last}`", circuit.name))
    });
}

#[test]
fn odd_characters_are_refused_where_they_stand() {
    judge("H05", time_max(500), |random, corpus| {
        let circuit = random.pick(corpus);
        let text = &circuit.text;
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = *random.pick(&places);
        let wrongs = [b"\xff".as_slice(), b"\xc0\xaf", b"\x80"];
        let wrong = random.pick(&wrongs);
        let within = |odd: &[u8]| [&text.as_bytes()[..at], odd, &text.as_bytes()[at..]].concat();
        let units =
            |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (bytes, codes, what): (Vec<u8>, &'static [&'static str], &str) = match random.below(6) {
            0 => {
                let odd = *random.pick(&["\0", "\u{1}", "\u{1b}", "\u{7f}", "\u{9f}"]);
                (within(odd.as_bytes()), &["E0002"], "a control character")
            }
            1 => {
                let odd =
                    *random.pick(&["\u{202e}", "\u{202d}", "\u{2066}", "\u{2067}", "\u{202a}"]);
                (within(odd.as_bytes()), &["E0002"], "a turn of direction")
            }
            2 => (within(b"\xED\xA0\x80"), &["E0003"], "a lone surrogate"),
            3 => (within(wrong), &["E0003"], "no UTF-8"),
            4 => (
                [b"\xFF\xFE".as_slice(), &units(u16::to_le_bytes)].concat(),
                &["E0003"],
                "UTF-16 LE",
            ),
            _ => (
                [b"\xFE\xFF".as_slice(), &units(u16::to_be_bytes)].concat(),
                &["E0003"],
                "UTF-16 BE",
            ),
        };
        Hostile { bytes, codes, what: format!("{}, {what} at byte {at}", circuit.name) }
    });
}

#[test]
fn expressions_end_at_their_limits() {
    judge("H06", time_max(50), |random, _| {
        let n = spread(random, 140, 20_000);
        let nested =
            |open: &str, close: &str| format!("{}id{} > 0", open.repeat(n), close.repeat(n));
        let (condition, codes): (String, &[&str]) = match random.below(10) {
            0 => (nested("(", ")"), &["E0103", "E0102"]),
            1 => (nested("abs(", ")"), &["E0103", "E0102"]),
            2 => (nested("-", ""), &["E0103", "E0102"]),
            3 => (nested("[", "]"), &["E0103", "E0102"]),
            4 => (nested("(", ""), &["E0103", "E0102", "E0101"]),
            5 => (format!("{}true", "not ".repeat(n)), &["E0103", "E0102"]),
            6 => (vec!["id"; n].join(" + "), &["E0103", "E0102"]),
            7 => (vec!["id > 1"; n + 10_000].join(" and "), &["E0102"]),
            8 => (format!("text == \"{}\"", "x".repeat((1 << 16) + 50 * n)), &["E0102"]),
            _ => (format!("id > {}", "9".repeat(n.min(60_000))), &["E0115", "E0102"]),
        };
        let what = condition.chars().take(40).collect::<String>();
        Hostile::new(
            small("id: int64, text: string", "", &condition),
            codes,
            format!("{n} of {what}"),
        )
    });
}

#[test]
fn patterns_end_at_their_limits() {
    judge("H07", time_max(500), |random, _| {
        let n = spread(random, 1_000, 60_000);
        let (pattern, codes): (String, &[&str]) = match random.below(5) {
            0 => (format!("(a{{{n}}}){{{n}}}"), &["E0240"]),
            1 => (format!("{}a{}", "(".repeat(n), ")".repeat(n)), &["E0240", "E0102"]),
            2 => (format!("{}a", "(a|".repeat(n / 3)), &["E0240", "E0102"]),
            3 => ("(a*)\\\\1".to_owned(), &["E0240"]),
            _ => (format!("(?=a){}", "a".repeat(n % 100)), &["E0240"]),
        };
        let what = pattern.chars().take(40).collect::<String>();
        let condition = format!("matches(text, \"{pattern}\")");
        Hostile::new(
            small("id: int64, text: string", "", &condition),
            codes,
            format!("{n} of {what}"),
        )
    });
}

/// Files that name each other, of which nothing outside is ever asked for.
struct Files(BTreeMap<String, String>);

impl Loader for Files {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        let is_within =
            !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let is_drive = path.get(1..2) == Some(":");
        assert!(is_within && !is_drive && !path.contains(['\\', '\0']), "`{path}` is asked for");
        self.0.get(path).cloned().ok_or(LoadFault::Missing { near: Vec::new() })
    }
}

fn imported(text: &str, files: BTreeMap<String, String>) -> Vec<&'static str> {
    let mut files = Files(files);
    errors(&compile_with(Main::alone("main.yaml", text), &mut files, &Options::default()))
}

#[test]
fn imports_stay_within_and_end() {
    let (cases, first) = (setting("ARQON_CASES", CASES), setting("ARQON_SEED", 1));
    let plain = small("id: int64", "", "id > 0");
    let mut n_cycles = 0;
    for seed in first..first + cases {
        let mut random = Random::new(seed);
        let parts = ["..", ".", "a", "etc", "passwd", "", "C:", "~", "%2e%2e", "a\\..\\b", "file:"];
        let path: Vec<&str> = (0..=random.below(6)).map(|_| *random.pick(&parts)).collect();
        let path = format!("{}{}", random.pick(&["", "/", "//", "../"]), path.join("/"));
        let ending = random.pick(&[".yaml", ".proto", ""]);
        let text = plain.replace("schemas:", &format!("import: ['{path}{ending}']\nschemas:"));
        let said = imported(&text, BTreeMap::new());
        assert!(said.iter().any(|code| code.starts_with("E003")), "seed {seed}: {path}: {said:?}");

        // Files that import each other at random: refused for a cycle just when there is one.
        let n_files = 1 + random.below(8);
        let edges: Vec<Vec<usize>> =
            (0..n_files).map(|_| (0..n_files).filter(|_| random.chance(20)).collect()).collect();
        let files = edges.iter().enumerate().map(|(at, next)| {
            let imports: Vec<String> = next.iter().map(|to| format!("f{to}.yaml")).collect();
            let schema = format!("schemas:\n  Own{at}: {{ id: int64 }}\n");
            let text = format!("arqon: 1\nimport: [{}]\n{schema}", imports.join(", "));
            (format!("f{at}.yaml"), text)
        });
        let text = plain.replace("schemas:", "import: [f0.yaml]\nschemas:");
        let said = imported(&text, files.collect());
        let is_cycle = cycles(&edges);
        n_cycles += u64::from(is_cycle);
        assert_eq!(said.contains(&"E0033"), is_cycle, "seed {seed}: {edges:?}: {said:?}");
    }
    #[expect(clippy::print_stdout, reason = "the long run says what it has done")]
    {
        println!(
            "H08: {cases} paths from seed {first}, none loaded; {n_cycles} cycles of files, each told"
        );
    }
}

/// Whether a cycle can be reached from the first file.
fn cycles(edges: &[Vec<usize>]) -> bool {
    fn visit(
        at: usize,
        edges: &[Vec<usize>],
        open: &mut Vec<usize>,
        done: &mut Vec<usize>,
    ) -> bool {
        if open.contains(&at) {
            return true;
        }
        if done.contains(&at) {
            return false;
        }
        open.push(at);
        let found = edges[at].iter().any(|to| visit(*to, edges, open, done));
        open.pop();
        done.push(at);
        found
    }
    visit(0, edges, &mut Vec::new(), &mut Vec::new())
}

#[test]
fn types_end_at_their_limits() {
    judge("H09", time_max(500), |random, _| {
        let n = spread(random, 20, 20_000);
        let mut schemas = String::new();
        let (fields, codes): (String, &[&str]) = match random.below(6) {
            0 => (format!("id: int64, x: {}int64{}", "list<".repeat(n), ">".repeat(n)), &["E0022"]),
            1 => (format!("id: int64, x: {}int64{}", "map<".repeat(n), ">".repeat(n)), &["E0022"]),
            2 => {
                (format!("id: int64, x: {}int64", "list<".repeat(n)), &["E0020", "E0021", "E0022"])
            }
            3 => {
                let fields: Vec<String> =
                    (0..1_000 + n).map(|at| format!(", f{at}: int64")).collect();
                (format!("id: int64{}", fields.concat()), &["E0022"])
            }
            4 => {
                let n = n.min(500);
                for at in 0..n {
                    writeln!(schemas, "  S{at}: {{ next: S{} }}", (at + 1) % n).unwrap();
                }
                (format!("id: int64, x: S{}", random.below(n)), &["E0215"])
            }
            _ => {
                let n = n.clamp(30, 500);
                schemas = "  S0: { x: int64 }\n".to_owned();
                for at in 1..=n {
                    writeln!(schemas, "  S{at}: {{ a: S{0}, b: S{0} }}", at - 1).unwrap();
                }
                (format!("id: int64, x: S{n}"), &["E0217", "E0022"])
            }
        };
        let what = format!("{n} of {}", fields.chars().take(40).collect::<String>());
        Hostile::new(small(&fields, &schemas, "id > 0"), codes, what)
    });
}
