//! Expressions: how a value is computed (E01xx).

codes! {
    SYNTAX = "E0101" {
        title: "an expression that cannot be read",
        explanation: "The text is not an expression; the place shown is where reading could not \
            go on. Operators stand between two values, functions are called as `f(x, name=y)`, \
            texts stand in double quotes, and a condition is `if c then x else y`.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: price * > 3\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: price * 2 > 3\n    to: u\n",
    }
    TOO_LONG = "E0102" {
        title: "an expression longer than 64 KB",
        explanation: "An expression has at most 65,536 bytes. Long lists of values belong into a \
            topic that is joined; long computations into several `with` steps.",
        wrong: "(an expression of 70,000 bytes)",
        mended: "(two steps)",
    }
    TOO_DEEP = "E0103" {
        title: "an expression nested more than 128 deep",
        explanation: "Brackets, `if`s, lambdas and chains of operators other than `and` and `or` \
            nest at most 128 deep. Compute parts in a `with` step before.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((x))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: x\n    to: u\n",
    }
    AMPERSANDS = "E0104" {
        title: "`&&` is written `and`",
        explanation: "The logical operators are words: `and`, `or`, `not`. They need no quoting \
            in YAML.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: paid && amount > 0\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: paid and amount > 0\n    to: u\n",
    }
    BARS = "E0105" {
        title: "`||` is written `or`",
        explanation: "The logical operators are words: `and`, `or`, `not`. Texts and lists are \
            put end to end with `++`.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: paid || amount > 0\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: paid or amount > 0\n    to: u\n",
    }
    BANG = "E0106" {
        title: "`!x` is written `not x`",
        explanation: "The logical operators are words: `and`, `or`, `not`. YAML, moreover, reads \
            a value that begins with `!` as a tag.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: amount > 0 and !paid\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: amount > 0 and not paid\n    to: u\n",
    }
    SINGLE_EQUALS = "E0107" {
        title: "`=` is written `==`",
        explanation: "Two values are compared with `==`. A single `=` only names an argument of \
            a call, as in `sum(x, where=paid)`.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: amount = 3\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: amount == 3\n    to: u\n",
    }
    NULL = "E0108" {
        title: "`null` is written `none`",
        explanation: "There is no null. An `option<T>` holds a value or `none`; `x == none`, \
            `is_some(x)` and `x // default` handle it, and every comparison gives true or false.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: name != null\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: name != none\n    to: u\n",
    }
    SINGLE_QUOTES = "E0109" {
        title: "texts stand in double quotes",
        explanation: "In an expression a text stands in double quotes: `status == \"paid\"`. \
            Single quotes are YAML's: a value wholly in single quotes is still an expression, so \
            the text paid alone is `'\"paid\"'`.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: status == 'paid'\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: status == \"paid\"\n    to: u\n",
    }
    SPLIT = "E0110" {
        title: "a comma in `{ }` or `[ ]` cuts the expression",
        explanation: "Inside `{ … }` and `[ … ]` YAML ends a value at every comma and closing \
            bracket, also within a call. Put the expression in single quotes, or write the map \
            in block form, one entry a line.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - group: []\n        agg: { first: sum(x, where=paid) }\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - group: []\n        agg:\n          first: sum(x, where=paid)\n    to: u\n",
    }
    CUT_COMMENT = "E0111" {
        title: "` #` begins a comment and cuts the expression",
        explanation: "In YAML a `#` after a space begins a comment, also within a text of an \
            expression. Put the whole expression in single quotes.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: name == \"room #7\"\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: 'name == \"room #7\"'\n    to: u\n",
    }
    ANGLES = "E0112" {
        title: "`<>` is written `!=`",
        explanation: "Whether two values differ is asked with `!=`, which also works between \
            options: `none != none` is false.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: amount <> 3\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: amount != 3\n    to: u\n",
    }
    QUESTION_MARK = "E0113" {
        title: "`c ? x : y` is written `if c then x else y`",
        explanation: "A choice between two values is spelled out, because `? ` and `: ` have a \
            meaning of their own in YAML. `x // y` gives y where x is none.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - with:\n          big: 'amount > 9 ? 1 : 0'\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - with:\n          big: if amount > 9 then 1 else 0\n    to: u\n",
    }
    CHAINED_COMPARISON = "E0114" {
        title: "comparisons do not chain",
        explanation: "`1 < x < 9` would compare a truth value with 9. Write both comparisons, \
            joined by `and`; where a truth value is really meant, put brackets around it.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: 1 < amount < 9\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: 1 < amount and amount < 9\n    to: u\n",
    }
    LITERAL = "E0115" {
        title: "a number, duration, date or time that does not exist",
        explanation: "Whole numbers have at most 38 digits, durations at most 292 years; a date \
            is `d\"1995-03-15\"`, a time `t\"2026-01-01T00:00:00Z\"` with its zone, and both must \
            be in the calendar.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: day < d\"2026-02-30\"\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: day < d\"2026-02-28\"\n    to: u\n",
    }
    UNCLOSED_STRING = "E0116" {
        title: "a text without its closing quote, or with an unknown escape",
        explanation: "A text ends at the next `\"`. Within it `\\\"`, `\\\\`, `\\n`, `\\r`, `\\t` \
            and `\\u{e9}` are known; a backslash before anything else is refused rather than \
            guessed at.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: status == \"paid\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: status == \"paid\"\n    to: u\n",
    }
    NEEDS_NAME = "E0117" {
        title: "a computed field needs a name",
        explanation: "In a list of fields a bare path keeps its last name; anything computed has \
            none, so it is written with one: `{ total: price * amount }`.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - select: [id, price * amount]\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - select: [id, { total: price * amount }]\n    to: u\n",
    }
    QUOTED_START = "E0118" {
        title: "an expression that begins with `\"` goes in single quotes",
        explanation: "YAML takes a value that begins with `\"` for a quoted text, which ends at \
            the next `\"`; nothing may follow it. The whole expression in single quotes is one \
            value, and YAML's quotes are no part of it.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: \"paid\" == status\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: '\"paid\" == status'\n    to: u\n",
    }
    COLON = "E0119" {
        title: "`: ` inside an expression begins another value",
        explanation: "In YAML a colon with a space after it ends a key, also within a text of an \
            expression. Put the whole expression in single quotes.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: name == \"note: late\"\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: 'name == \"note: late\"'\n    to: u\n",
    }
    LIST_START = "E0120" {
        title: "an expression that begins with `[` goes in single quotes",
        explanation: "YAML takes a value that begins with `[` for a list of its own. The whole \
            expression in single quotes is one value.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - with:\n          pair: [amount, 0]\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - with:\n          pair: '[amount, 0]'\n    to: u\n",
    }
    UNQUOTED_TEXT = "E0121" {
        title: "YAML's quotes make no text of an expression",
        explanation: "A value in quotes is still an expression in an expression's place, since \
            YAML's quotes are no part of it: `\"paid\"` is the name paid. The text paid is \
            `'\"paid\"'`: single quotes for YAML around double quotes for the expression.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - with:\n          state: \"no data\"\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - with:\n          state: '\"no data\"'\n    to: u\n",
    }
    VARIABLE = "E0122" {
        title: "`${NAME}` is not replaced in an expression",
        explanation: "Variables of the environment are put into values that are text, such as a \
            url. What an expression computes does not depend on where it runs: declare a \
            parameter in `params:` and use its name; `--set NAME=value` gives it another value.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: region == \"${REGION}\"\n    to: u\n",
        mended: "params: { REGION: EU }\nflow:\n  a:\n    from: t\n    do:\n      - where: region == REGION\n    to: u\n",
    }
    ROUND_LIST = "E0123" {
        title: "a list stands in square brackets",
        explanation: "What `in` looks through is a list, and a list is `[a, b]`; round brackets \
            only group.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: status in (\"paid\", \"open\")\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: status in [\"paid\", \"open\"]\n    to: u\n",
    }
    SQL = "E0124" {
        title: "SQL has another word for it",
        explanation: "Expressions read much like those of SQL, with a few other words: a test for \
            no value is `x == none`, a choice is `if c then x else y`, a pattern is \
            `like(s, \"%a%\")`, a range is `low <= x and x <= high`, a cast is `int64(x)`.",
        wrong: "flow:\n  a:\n    from: t\n    do:\n      - where: name is not null\n    to: u\n",
        mended: "flow:\n  a:\n    from: t\n    do:\n      - where: name != none\n    to: u\n",
    }
}
