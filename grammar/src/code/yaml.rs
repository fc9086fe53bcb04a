//! YAML and shape: what a circuit file is made of (E00xx).

codes! {
    SYNTAX = "E0001" {
        title: "the file is not YAML",
        explanation: "The text breaks the rules of YAML, so its structure is unknown and nothing \
            else can be checked. The place shown is where the reader could not go on; the cause \
            often stands just before it: an unclosed bracket or quote, a line indented too far or \
            not far enough, or an expression that YAML takes for something else. An expression \
            that begins with `\"` or `[`, or holds `: ` or ` #`, goes in single quotes.",
        wrong: "arqon: 1\ncircuit: shop.revenue\nschemas:\n  Order: { id: int64, amount: decimal<2>\n",
        mended: "arqon: 1\ncircuit: shop.revenue\nschemas:\n  Order: { id: int64, amount: decimal<2> }\n",
    }
    FORBIDDEN_CHARACTER = "E0002" {
        title: "a character that a circuit may not contain",
        explanation: "Control characters (all below U+0020 but tab, line feed and carriage return \
            before a line feed), and the characters that turn the direction of text around, are \
            refused everywhere, also in comments and strings: they make a file read differently \
            from what it means. In a double-quoted string write the escape instead, `\\x00`.",
        wrong: "arqon: 1\ncircuit: shop\ndescription: \"a\u{202e}b\"\n",
        mended: "arqon: 1\ncircuit: shop\ndescription: \"a b\"\n",
    }
    ENCODING = "E0003" {
        title: "the file is not UTF-8",
        explanation: "Circuit files are UTF-8 text. A file in UTF-16, or one with bytes that \
            encode no character, is refused at the first such byte. Save the file as UTF-8; a \
            byte order mark at its beginning is allowed.",
        wrong: "(a file saved as UTF-16)",
        mended: "(the same file saved as UTF-8)",
    }
    ANCHOR = "E0004" {
        title: "anchors, aliases and merge keys are not part of the language",
        explanation: "`&name`, `*name` and `<<` let one place of a file stand for another. They \
            make small files huge and diffs misleading, so circuits do without them: name a \
            schema, a function or a parameter, and use the name.",
        wrong: "arqon: 1\ncircuit: shop\nschemas:\n  A: &a { id: int64 }\n  B: *a\n",
        mended: "arqon: 1\ncircuit: shop\nschemas:\n  A: { id: int64 }\n  B: { id: int64 }\n",
    }
    TAG = "E0005" {
        title: "tags are not part of the language",
        explanation: "`!tag` and `!!type` say how a reader should take a value. A circuit's own \
            schemas say that, so tags are refused. A text that begins with `!` goes in quotes.",
        wrong: "arqon: 1\ncircuit: shop\nparams: { D: !!int 64 }\n",
        mended: "arqon: 1\ncircuit: shop\nparams: { D: 64 }\n",
    }
    DOCUMENTS = "E0006" {
        title: "a file holds one circuit, and nothing else",
        explanation: "A file is one YAML document whose top is a map. An empty file, a second \
            document after `---`, and directives (`%YAML`) are refused.",
        wrong: "arqon: 1\ncircuit: shop\n---\narqon: 1\ncircuit: other\n",
        mended: "arqon: 1\ncircuit: shop\n",
    }
    TOO_LARGE = "E0007" {
        title: "the file is larger than a circuit may be",
        explanation: "A circuit file has at most 16 MB and 2,000,000 YAML nodes, each of its \
            sections at most 50,000 entries, and all but `tests` together at most 3 MB. Data does \
            not belong into the circuit: read it with `--input`, or publish it. A larger flow is \
            several circuits, which share topics.",
        wrong: "(a file of 17 MB)",
        mended: "(a smaller file)",
    }
    TOO_DEEP = "E0008" {
        title: "lists and maps are nested too deeply",
        explanation: "Lists and maps nest at most 64 deep. Nothing in the language needs more \
            than a dozen levels.",
        wrong: "params: { a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1\
            ]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] }\n",
        mended: "params: { a: 1 }\n",
    }
    DUPLICATE_KEY = "E0009" {
        title: "a key stands twice in one map",
        explanation: "Every named thing is a map entry, so a second entry of the same name would \
            silently replace the first. The second one is shown; rename or remove it.",
        wrong: "arqon: 1\ncircuit: shop\ncircuit: bazaar\n",
        mended: "arqon: 1\ncircuit: shop\n",
    }
    KEY_SHAPE = "E0010" {
        title: "a map's key is not a plain text",
        explanation: "Keys are single texts. A list or a map as a key, and a value without a \
            key, have no meaning in a circuit.",
        wrong: "arqon: 1\ncircuit: shop\nschemas: { [a, b]: int64 }\n",
        mended: "arqon: 1\ncircuit: shop\nschemas: { A: { a: int64 } }\n",
    }
    UNKNOWN_KEY = "E0011" {
        title: "a key that has no meaning here",
        explanation: "Each place of a circuit has its own keys; the help lists them or names the \
            nearest one; in a step of a flow they are the verbs. Unknown keys are refused, because \
            a misspelt key that is ignored is a check that silently does not happen.",
        wrong: "arqon: 1\ncircuit: shop\ntopic: {}\n",
        mended: "arqon: 1\ncircuit: shop\ntopics: {}\n",
    }
    MISSING_KEY = "E0012" {
        title: "a required key is missing",
        explanation: "The map shown lacks a key without which it has no meaning, such as the \
            `schema` of a topic or the `match` of a join.",
        wrong: "arqon: 1\ncircuit: shop\ntopics:\n  shop.orders: { edge: in }\n",
        mended: "arqon: 1\ncircuit: shop\ntopics:\n  shop.orders: { schema: Order, edge: in }\n",
    }
    WRONG_SHAPE = "E0013" {
        title: "a map, a list or a text stands where another is expected",
        explanation: "The value has another shape than its key asks for: a list where a map of \
            names is expected, nothing where a value is needed. Named things are map entries \
            (`name: { … }`), never lists of `- id:`.",
        wrong: "arqon: 1\ncircuit: shop\ntopics: [shop.orders]\n",
        mended: "arqon: 1\ncircuit: shop\ntopics:\n  shop.orders: { schema: Order }\n",
    }
    UNKNOWN_WORD = "E0014" {
        title: "a value that is not one of those allowed",
        explanation: "Some keys take one word out of a few, such as `carries: events | full | \
            delta` or `edge: in | out | both`. The help lists them.",
        wrong: "arqon: 1\ncircuit: shop\ntopics:\n  shop.orders: { schema: Order, carries: deltas }\n",
        mended: "arqon: 1\ncircuit: shop\ntopics:\n  shop.orders: { schema: Order, carries: delta }\n",
    }
    QUANTITY = "E0015" {
        title: "a number, duration, size or rate that cannot be read",
        explanation: "Whole numbers are digits (`64`, `1_000`); durations are digits with ns, us, \
            ms, s, m, h or d (`2s`, `1h30m`); sizes end in B, KB, MB, GB, KiB, MiB or GiB; rates \
            are a count, with k or M if wanted, or a size, per s, m, h or d (`5k/s`, `40MiB/s`); \
            energies end in mJ, J or kJ.",
        wrong: "arqon: 1\ncircuit: shop\nlimits: { messages: 5k per second }\n",
        mended: "arqon: 1\ncircuit: shop\nlimits: { messages: 5k/s }\n",
    }
    NAME_SHAPE = "E0016" {
        title: "a name that does not follow the rule for names",
        explanation: "Circuits, topics and roles have dot-separated names whose parts begin with \
            a small letter and go on with small letters, digits and `_`. Nodes, ports, labels and \
            operators have one such part, without a dot. Schemas, fields and parameters may use \
            capitals. Words of the expression language (`and`, `in`, `none`, …) name no field. \
            A name has at most 128 characters.",
        wrong: "arqon: 1\ncircuit: Shop-Revenue\n",
        mended: "arqon: 1\ncircuit: shop_revenue\n",
    }
    RESERVED_NAME = "E0017" {
        title: "names under `system.` belong to the bus",
        explanation: "Topics and circuits whose name is `system`, or begins with `system.`, are \
            the bus's own: its metrics, its audit, its catalogue. A circuit may read them, and \
            may not declare them.",
        wrong: "arqon: 1\ncircuit: system.shop\n",
        mended: "arqon: 1\ncircuit: shop\n",
    }
    LANGUAGE_VERSION = "E0018" {
        title: "the file does not begin with a language version that is known",
        explanation: "`arqon: 1` is the first key of every circuit, so that a later version of \
            the language can change without breaking it. This version reads 1.",
        wrong: "arqon: 2\ncircuit: shop\n",
        mended: "arqon: 1\ncircuit: shop\n",
    }
    STEP_VERB = "E0020" {
        title: "a step has exactly one verb",
        explanation: "Every step of `do` is a map with one verb (`where`, `select`, `join`, …) \
            and the companions of that verb. Two verbs are two steps; their order matters.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - select: [x]\n        drop: [y]\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - select: [x]\n      - drop: [y]\n    to: u\n",
    }
    TYPE_SYNTAX = "E0021" {
        title: "a type that cannot be read",
        explanation: "Types are bool, int64, float32, float64, decimal<S>, string, bytes, \
            timestamp, duration, date, uuid, enum<a|b>, list<T>, map<T>, option<T>, \
            tensor<NxDxf32>, the name of a schema, or a nested map of fields.",
        wrong: "arqon: 1\ncircuit: shop\nschemas:\n  Order: { id: list<int64 }\n",
        mended: "arqon: 1\ncircuit: shop\nschemas:\n  Order: { id: list<int64> }\n",
    }
    TYPE_LIMIT = "E0022" {
        title: "a type that is larger than types may be",
        explanation: "Types nest at most 16 deep, a schema has at most 1,000 fields, and a \
            decimal at most 38 digits after the point.",
        wrong: "arqon: 1\ncircuit: shop\nschemas:\n  Order: { amount: decimal<39> }\n",
        mended: "arqon: 1\ncircuit: shop\nschemas:\n  Order: { amount: decimal<38> }\n",
    }
    ROUTE_SYNTAX = "E0023" {
        title: "a route that cannot be read",
        explanation: "A route is one chain of arrows between topics or nodes, and may end in a \
            condition: `nvm.results -> audit.log when snr < 10`.",
        wrong: "arqon: 1\ncircuit: lab\nroutes:\n  - input.audio => lab.audio\n",
        mended: "arqon: 1\ncircuit: lab\nroutes:\n  - input.audio -> lab.audio\n",
    }
    MISSING_VARIABLE = "E0024" {
        title: "a `${NAME}` that has no value",
        explanation: "`${NAME}` in a text value is replaced by a variable given to the compiler. \
            A variable that is not given is a fault rather than an empty text. `$${` writes `${`.",
        wrong: "operators:\n  nvm:\n    contract: arqonbus.nvm@1\n    via:\n      old: { http: { url: \"http://${NVM_HOST}/run\" } }\n",
        mended: "operators:\n  nvm:\n    contract: arqonbus.nvm@1\n    via:\n      old: { http: { url: \"http://127.0.0.1:7443/run\" } }\n",
    }
    EMPTY = "E0025" {
        title: "an empty list or map where something is needed",
        explanation: "A union of nothing, a projection to no fields or a route without labels \
            says nothing. Where empty has a meaning (`group: []`, `match: {}`), it is allowed.",
        wrong: "flow:\n  a: { from: [], to: u }\n",
        mended: "flow:\n  a: { from: [t], to: u }\n",
    }
}
