//! Files that a circuit imports: whether they are there, and what they declare (E003x).

codes! {
    IMPORT_MISSING = "E0030" {
        title: "an import that is not there",
        explanation: "`import:` lists files by their paths from the folder of the file that \
            imports. Each must be a file that can be read, and be UTF-8.",
        wrong: "import: [lab/schema.yaml]\n",
        mended: "import: [lab/schemas.yaml]\n",
    }
    IMPORT_PATH = "E0031" {
        title: "an import that is no path of a circuit or protobuf file",
        explanation: "An import is a path from the folder of the file that imports, with `/` \
            between folders, and ends in `.yaml`, `.yml` or `.proto`. Absolute paths and addresses \
            are refused: a circuit means the same wherever its folder lies.",
        wrong: "import: [/home/ada/lab/schemas.yaml]\n",
        mended: "import: [lab/schemas.yaml]\n",
    }
    IMPORT_OUTSIDE = "E0032" {
        title: "an import that leads out of the root",
        explanation: "A circuit reads nothing outside its root: neither by `..` nor over a link. \
            The root is the folder of the circuit that is compiled, or the one that `--root` \
            names.",
        wrong: "import: [../../secrets/schemas.yaml]\n",
        mended: "import: [lab/schemas.yaml]\n",
    }
    IMPORT_CYCLE = "E0033" {
        title: "files that import each other in a circle",
        explanation: "A file that imports another needs its declarations, and the other way \
            round there would be no first one. What both need belongs into a third file.",
        wrong: "# a.yaml\nimport: [b.yaml]\n# b.yaml\nimport: [a.yaml]\n",
        mended: "# a.yaml\nimport: [b.yaml, common.yaml]\n# b.yaml\nimport: [common.yaml]\n",
    }
    IMPORT_LIMIT = "E0034" {
        title: "more imports than a circuit may have",
        explanation: "A circuit imports at most 256 files, nested at most 16 deep; a file has at \
            most 16 MiB, and all together have at most 64 MiB.",
        wrong: "import: [huge.yaml]\n",
        mended: "import: [the_part_that_is_used.yaml]\n",
    }
    PROTO_SYNTAX = "E0035" {
        title: "a protobuf file that cannot be read",
        explanation: "Imported `.proto` files are read by the rules of `proto2` and `proto3`.",
        wrong: "message Frame { int64 id 1; }\n",
        mended: "message Frame { int64 id = 1; }\n",
    }
    PROTO_TYPE = "E0036" {
        title: "a protobuf type without a counterpart",
        explanation: "Messages of imported `.proto` files become schemas. Numbers, texts, bytes, \
            enums, messages, `repeated`, `optional`, `oneof`, maps with text keys, and \
            `google.protobuf.Timestamp`, `Duration` and the wrappers such as `StringValue` have \
            counterparts; groups, maps with other keys, `Any`, `Struct` and types that no file \
            declares have none. A comment `// arqon: timestamp` behind a field says which type of \
            circuits it carries, and must be one that it can.",
        wrong: "message Frame { map<int32, string> names = 1; }\n",
        mended: "message Frame { map<string, string> names = 1; }\n",
    }
    DUPLICATE_DECLARATION = "E0037" {
        title: "one name, declared in two files",
        explanation: "The schemas, functions, operators and parameters of a circuit and of all \
            that it imports share their names: each is declared once. Messages of protobuf count \
            without their package, and one within another as `Outer_Inner`.",
        wrong: "import: [lab/schemas.yaml]      # declares Order\nschemas:\n  Order: { id: int64 }\n",
        mended: "import: [lab/schemas.yaml]      # declares Order\nschemas:\n  Offer: { id: int64 }\n",
    }
}
