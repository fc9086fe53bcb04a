//! The words of the language with what they mean, in a line each.

use arqon_grammar::Span;

/// What a verb does.
pub(crate) fn verb(name: &str) -> Option<&'static str> {
    Some(match name {
        "where" => "keeps the rows for which the condition is true",
        "select" => "keeps these fields, and no others",
        "with" => "adds fields, or replaces them, computed from the row",
        "drop" => "leaves fields out",
        "unnest" => "gives a row for each item of a list",
        "join" => "brings in the rows of another topic or node that match",
        "group" => "gives one row for each key, with aggregates of its rows",
        "distinct" => "keeps each row once",
        "top" => "keeps the first rows in an order",
        "over" => "computes over the rows before and after, in an order",
        "window" => "cuts the rows into windows of their time",
        "within" => "keeps the rows of a span of time",
        "loop" => "repeats steps until nothing changes",
        "route" => "sends each row to the first label whose condition is true",
        "call" => "hands each row to an operator as a job",
        "kernel" => "runs a kernel on arrays",
        "wasm" => "runs a capsule on the rows",
        "carries" => "says what the rows are from here on: events, full or delta",
        _ => return None,
    })
}

/// What a section of a circuit holds.
pub(crate) fn section(name: &str) -> Option<&'static str> {
    Some(match name {
        "arqon" => "the version of the language",
        "circuit" => "the circuit's name",
        "description" => "what the circuit is for",
        "namespace" => "the domain of its topics; the circuit's name if it is not written",
        "params" => "named constants and symbolic dimensions",
        "import" => "circuit files and protobuf files whose declarations are used",
        "schemas" => "record types",
        "functions" => "named expressions",
        "topics" => "named channels, each with schema and discipline",
        "operators" => "external compute: a contract and its implementations",
        "flow" => "the nodes: from, do, to",
        "routes" => "plain wiring: `a -> b when condition`",
        "limits" => "rates, state and cpu of the circuit",
        "access" => "what each role may publish, subscribe and execute",
        "profiles" => "named overrides",
        "tests" => "examples and laws",
        _ => return None,
    })
}

/// What a key of a topic says.
pub(crate) fn topic_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "schema" => "the type of its rows",
        "carries" => "events, full (the state of each key) or delta (signed changes)",
        "key" => "the field or fields that tell rows apart",
        "edge" => "which way clients may use it: in, out or both",
        "time" => "the field of event time",
        "late" => "how late a row may come",
        "queue" => "how many messages wait, and what happens to more",
        "retain" => "how long rows are kept",
        "control" => "an input of the next epoch, so that it may close a cycle",
        "shared" => "several may write it",
        "durable" => "its messages survive a restart",
        "check" => "`none` trusts the retractions of its publishers",
        _ => return None,
    })
}

/// What a key of a node says.
pub(crate) fn node_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "from" => "the topic, node or label that it reads; a list of them is a union",
        "do" => "its steps, one verb each",
        "to" => "the topic that its rows go to",
        "loop" => "what is repeated until nothing changes",
        "out" => "the variable of the loop whose rows the node goes on with",
        _ => return None,
    })
}

/// What a key within a loop says.
pub(crate) fn loop_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "do" => "the steps of each round",
        "let" => "the variables, and where they start",
        "flow" => "the nodes of each round",
        "next" => "what each variable is in the next round",
        "from" => "what the variable is in the next round",
        "merge" => "`distinct`, or the least or greatest row of each key",
        "rounds" => "how many rounds there are at most",
        "exact" => "whether the rows after `rounds` are meant as the result",
        _ => return None,
    })
}

/// What a key says within the map of the vocabulary that is so called.
pub(crate) fn key(about: &str, name: &str) -> Option<&'static str> {
    match about {
        "a circuit" => section(name),
        "a topic" => topic_key(name),
        "a node" => node_key(name),
        "a loop" | "a loop of nodes" | "the next round" => loop_key(name),
        "an operator" | "an implementation" => operator_key(name),
        "a timestamp that may be an integer" => field_key(name),
        "a step" => verb(name).or_else(|| companion(name)),
        _ => detail(about, name).or_else(|| companion(name)),
    }
}

/// What a key says in one of the small maps.
fn detail(about: &str, name: &str) -> Option<&'static str> {
    Some(match (about, name) {
        ("a queue", "max") => "how many messages wait at most",
        ("a queue", "full") => "what happens to more: `block`, `reject` or `drop_oldest`",
        ("a retry", "max") => "how often it is tried again at most",
        ("a retry", "backoff") => "how long to wait first, and at most",
        ("a retry", "when") => "after what: `unavailable`, `timeout`, `failed`",
        ("what a role may do", "publish") => "the topics that it may write",
        ("what a role may do", "subscribe") => "the topics that it may read",
        ("what a role may do", "execute") => "the operators whose jobs it may ask for",
        ("a profile", "use") => "which implementation of an operator runs",
        ("a profile", "params") => "other values of parameters",
        ("a profile", "limits") => "other limits of the circuit",
        ("a step of a test", "send") => "the rows that come in, by topic, all in one epoch",
        ("a step of a test", "expect") => "the changes that come of it, by topic",
        ("a step of a test", "cost") => "how many changes it may take",
        ("a step of a test", "law") => "what holds for any inputs, which are generated",
        ("a step of a test", "within") => "how far apart floats may be",
        ("a step of a test", "mocks") => {
            "what operators, kernels and capsules answer, for this test"
        }
        ("a step of a test", "time") => "when the rows come in",
        ("a cost", "updates") => "a bound of the changes, as in `<= 8`",
        ("an answer of an operator", "job") => {
            "the job that is answered; without it all that no other mock answers"
        }
        ("an answer of an operator", "result") => "what comes back",
        ("an answer of an operator", "fail") => "the words with which the job fails",
        ("an answer of an operator", "id") => "the id of the job",
        ("an answer of a capsule", "row") => "the row that comes to it",
        ("an answer of a capsule", "returns") => "the rows that come back",
        ("a merge", "min") => "keeps the row of each key with the least of this field",
        ("a merge", "max") => "keeps the row of each key with the greatest of this field",
        ("a merge", "by") => "the key",
        ("the latest row", "time") => "the time of the row",
        ("the latest row", "within") => "how far back it may be",
        ("a way to emit", "pull") => "the topic whose keys are asked for",
        ("a way to emit", "eps") => "changes smaller than this are kept back",
        ("bounds of a kernel", "error") => "how far off its result may be",
        ("bounds of a kernel", "latency") => "how late it may be",
        ("limits of a capsule", "fuel") => "how many steps of its machine a row may take",
        ("limits of a capsule", "memory") => "how much memory it may have",
        ("limits of a capsule", "time") => "how long a row may take",
        ("limits of a capsule", "output") => "how large what it gives for a row may be",
        (_, "messages") => "how many messages in a time, as in `5k/s`",
        (_, "bytes") => "how many bytes in a time, as in `40MiB/s`",
        (_, "state") => "how much it may keep, as in `256MiB`",
        (_, "cpu") => "how many cores it may use",
        (_, "parallel") => "how many jobs run at a time",
        (_, "runtime") => "how long a job may take",
        (_, "runs") => "how many jobs in a time, as in `100/h`",
        (_, "energy") => "how much energy a job may take, as in `50J`",
        _ => return None,
    })
}

/// What a key beside or within a verb says.
pub(crate) fn companion(name: &str) -> Option<&'static str> {
    Some(match name {
        "match" => "the pairs that are equal: `{ left expression: right expression }`",
        "as" => "what the row of the other side is called",
        "kind" => "inner, left, full, semi or anti",
        "where" => "a condition; of a join a part of the match, of a group one on its result",
        "asof" => "takes the latest row at or before a time",
        "agg" => "the aggregates of each group",
        "by" => "the order",
        "per" => "the fields that each have their own",
        "with" => "the values along the order, a call each",
        "offset" => "how many rows are passed over first",
        "ties" => "`cut` to the number, or `all` that are as good as the last",
        "rank" => "a field for the place in the order",
        "tumble" => "windows of this length, one behind the other",
        "hop" => "windows of this length that overlap",
        "every" => "from the beginning of one window to the next",
        "session" => "windows that end when nothing comes for this long",
        "time" => "the event time; the topic's own if it is not written",
        "final" => "whether a window comes once, when it closes",
        "last" => "how long a row stays",
        "of" => "the time of the other side",
        "within" => "how far back it may be",
        "merge" | "rounds" | "exact" => return loop_key(name),
        "job" => "what the operator is asked",
        "keep" => "the fields that stay beside the result",
        "errors" => "the topic of what fails",
        "args" => "what the kernel computes with",
        "modes" => "how it may be computed",
        "bounds" => "how far off and how late it may be",
        "emit" => "which of its changes come out",
        "control" => "the topic that chooses the mode",
        "metrics" => "the topic of its own measures",
        "limits" => "how much it may use",
        "returns" => "the fields of the rows that it gives",
        _ => return None,
    })
}

/// What a key of a field with a unit says.
pub(crate) fn field_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "type" => "a timestamp, or an option, list or map of them",
        "unit" => "what an integer counts where a timestamp is read",
        _ => return None,
    })
}

/// What a key of an operator says.
pub(crate) fn operator_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "contract" => "the types of its jobs and results",
        "via" => "its implementations",
        "use" => "the implementation that runs",
        "limits" => "how much of it runs",
        "retry" => "how often a failed job is tried again",
        "builtin" => "runs inside the server",
        "remote" => "whoever advertises this",
        "http" => "a worker behind a URL",
        "process" => "a program that is started",
        _ => return None,
    })
}

/// What a word of a closed set says, behind its key.
pub(crate) fn word(key: &str, name: &str) -> Option<&'static str> {
    Some(match (key, name) {
        ("carries", "events") => "facts that are appended, and never taken back",
        ("carries", "full") => "the whole state of one key, by its last row; null deletes the key",
        ("carries", "delta") => "changes only: rows that come and go",
        ("edge", "in") => "clients may publish it",
        ("edge", "out") => "clients may subscribe to it",
        ("edge", "both") => "clients may publish it and subscribe to it",
        ("kind", "inner") => "rows with a match",
        ("kind", "left") => "all rows of the left, with none where there is no match",
        ("kind", "full") => "all rows of both sides, with none where there is no match",
        ("kind", "semi") => "rows with a match, and nothing of the other side",
        ("kind", "anti") => "rows without a match",
        ("ties", "cut") => "no more rows than asked for, by the fields that are left",
        ("ties", "all") => "all rows that are as good as the last one",
        ("full", "block") => "publishers wait",
        ("full", "reject") => "more messages are refused",
        ("full", "drop_oldest") => "the oldest message is dropped, and counted",
        ("merge", "distinct") => "each row once",
        _ => return None,
    })
}

/// The word around an offset.
pub(crate) fn word_at(text: &str, offset: u32) -> Option<Span> {
    let offset = offset as usize;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before = text.get(..offset)?;
    let start = before.trim_end_matches(is_word).len();
    let rest = &text[offset..];
    let end = offset + rest.len() - rest.trim_start_matches(is_word).len();
    let number = |at: usize| u32::try_from(at).ok();
    (start < end).then_some(Span::new(number(start)?, number(end)?))
}
