//! Operators and contracts: external compute and what it takes and gives (E05xx).

codes! {
    UNKNOWN_OPERATOR = "E0501" {
        title: "an operator that the circuit does not declare",
        explanation: "`call:` names an entry of the circuit's `operators:`, and so do the keys \
            of `use:` in a profile and of `--use`.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\n# …\n- call: nmv\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\n# …\n- call: nvm\n",
    }
    UNKNOWN_CONTRACT = "E0502" {
        title: "a contract that is not known",
        explanation: "A contract fixes what a job and a result of an operator are. The known \
            ones are `arqonbus.nvm@1`, `arqonbus.bowlnet@1`, `arqonbus.qml@1` and \
            `arqonbus.helios@1`; a circuit may write its own as `{ job: Schema, result: Schema }`.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@9, via: { sim: { builtin: nvm } } }\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\n",
    }
    UNKNOWN_IMPLEMENTATION = "E0503" {
        title: "an implementation that the operator does not have",
        explanation: "`use:` names one of the operator's `via:`. The same holds for `use:` in a \
            profile and for `--use operator=implementation`.",
        wrong: "via: { sim: { builtin: nvm } }\nuse: simm\n",
        mended: "via: { sim: { builtin: nvm } }\nuse: sim\n",
    }
    NO_IMPLEMENTATION = "E0504" {
        title: "nothing says which implementation is used",
        explanation: "An operator with several implementations says with `use:` which one runs. \
            With one it may be left out.",
        wrong: "via: { sim: { builtin: nvm }, rig: { remote: { type: nvm } } }\n",
        mended: "via: { sim: { builtin: nvm }, rig: { remote: { type: nvm } } }\nuse: sim\n",
    }
    JOB_FIELD = "E0505" {
        title: "a job's fields are not those of the contract",
        explanation: "The fields of `job:` are those that the operator's contract names. Each is \
            required, save those that the contract makes an option. A literal is read by the \
            contract's type; `=expression` computes a value from the row.",
        wrong: "- call: qml\n  job: { feature: =frame }\n",
        mended: "- call: qml\n  job: { features: =frame }\n",
    }
    OTHER_CONTRACT = "E0506" {
        title: "an implementation of another contract",
        explanation: "Every entry of `via:` satisfies the operator's contract, so that choosing \
            another one cannot change a type. A built-in implementation satisfies the contract \
            of its own name, and so does a remote one that advertises a type; `generic` workers \
            take any contract.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: qml } } }\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\n",
    }
    REMOTE_KEY = "E0507" {
        title: "a remote implementation is asked for by words that nobody advertises",
        explanation: "An endpoint advertises its `type`, its `id`, its `hardware`, the engine \
            `modes` it has and whether it takes `delta_only` topics. `remote:` picks one by \
            these; by any other word none would ever match.",
        wrong: "via: { rig: { remote: { type: nvm, hardwear: fpga } } }\n",
        mended: "via: { rig: { remote: { type: nvm, hardware: fpga } } }\n",
    }
    WORKER_ADDRESS = "E0508" {
        title: "a worker's address that the shim cannot call",
        explanation: "An `http:` implementation is a worker behind the bus's own shim, which calls \
            an `http://` or `https://` address with a host. User names and passwords do not \
            stand in it, since a plan and its drawings are shown to people.",
        wrong: "via: { old: { http: { url: \"ftp://127.0.0.1/run\" } } }\n",
        mended: "via: { old: { http: { url: \"http://127.0.0.1:7443/run\" } } }\n",
    }
    CAPSULE_REFERENCE = "E0509" {
        title: "a capsule that cannot be found by this name",
        explanation: "A capsule is named by its path in the store and a version from 1, \
            `filters/denoise@2`, or by the hash of its bytes, `blake3:` and 64 hexadecimal digits. \
            A name without a version could mean another program tomorrow.",
        wrong: "- wasm: filters/denoise\n",
        mended: "- wasm: filters/denoise@2\n",
    }
    UNKNOWN_KERNEL = "E0510" {
        title: "a kernel that is not known",
        explanation: "`kernel:` names one of `transformer_attn`, `nystrom`, `dynamic_graph`, \
            `pde_solver` and `linear_transform`.",
        wrong: "- kernel: transformer_attention\n",
        mended: "- kernel: transformer_attn\n",
    }
    KERNEL_ARGUMENT = "E0511" {
        title: "an argument that the kernel does not take, or lacks",
        explanation: "Each kernel has its own arguments; those without a value of their own are \
            required. A literal is read by the argument's type; `=expression` computes with the \
            circuit's parameters, since a kernel is prepared once, before any row.",
        wrong: "- kernel: transformer_attn\n  args: { feature: 256 }\n",
        mended: "- kernel: transformer_attn\n  args: { features: 256 }\n",
    }
    KERNEL_PORT = "E0512" {
        title: "inputs that are not those of the kernel",
        explanation: "A kernel reads named ports, each from a topic or a node: attention reads \
            `q` and `kv`. They stand in the node's `from:`, and the kernel is the node's first \
            step. A kernel with one port takes it without its name as well.",
        wrong: "from: { q: attn.queries }\ndo:\n  - kernel: transformer_attn\n",
        mended: "from: { q: attn.queries, kv: attn.tokens }\ndo:\n  - kernel: transformer_attn\n",
    }
    KERNEL_FIELD = "E0513" {
        title: "rows that the kernel cannot read",
        explanation: "A kernel finds its numbers by the names of fields: attention reads `q` of \
            the queries, `k` and `v` of the tokens. They are tensors of matching dimensions or \
            plain numbers, as the kernel says; vectors of one name in its signature have one \
            length. Other fields come along.",
        wrong: "Token: { pos: int64, k: tensor<64xf32>, value: tensor<64xf32> }\n",
        mended: "Token: { pos: int64, k: tensor<64xf32>, v: tensor<64xf32> }\n",
    }
    KERNEL_MODE = "E0514" {
        title: "a mode that the kernel does not have, or may not take",
        explanation: "A kernel follows its inputs by `pass` (full application), `itmd` (exact \
            delta) and `rr` (reduced-rank reuse); not every kernel has all three. `rr` is \
            inexact, so it needs `bounds: { error: … }` to be allowed at all, and so does \
            `emit: { eps: … }`. It reuses what a full application has left, so it does not stand \
            alone.",
        wrong: "- kernel: transformer_attn\n  modes: [pass, itmd, rr]\n",
        mended: "- kernel: transformer_attn\n  modes: [pass, itmd, rr]\n  bounds: { error: 0.001 }\n",
    }
    KERNEL_TOPIC = "E0515" {
        title: "a topic beside a kernel that does not fit",
        explanation: "`emit: { pull: … }` names a topic of `full` or `delta` rows that have the key \
            of the kernel's answers: those are put out whose key stands there. `control:` names \
            a topic with a field `mode` of type `enum<auto|pass|itmd|rr>`, through which a \
            meta-controller asks for modes. `metrics:` names a topic whose \
            fields are among what a kernel tells of each step: `epoch`, `mode`, `churn`, \
            `changed`, `emitted`, `error_bound`, `latency`, `refreshed`, `violated`.",
        wrong: "schemas:\n  Mode: { wanted: string }\n",
        mended: "schemas:\n  Mode: { mode: enum<auto|pass|itmd|rr> }\n",
    }
    KERNEL_KEY = "E0516" {
        title: "a port of a kernel that reads rows without a key",
        explanation: "A kernel keeps its own state of every row and changes it by differences, so \
            a new row of a key takes the place of the one before. Without a proven key it cannot \
            tell a change from a second row: events have none, and what clients write to a `delta` \
            topic neither.",
        wrong: "attn.queries: { schema: Query, carries: delta, edge: in }\n",
        mended: "attn.queries: { schema: Query, carries: full, key: pos, edge: in }\n",
    }
    KERNEL_BOUNDS = "E0517" {
        title: "bounds that no mode of the kernel can keep",
        explanation: "`bounds: { error, latency }` say how far an output may be off and how long \
            one step may take; the kernel takes the cheapest mode that keeps them. The eps of \
            `emit`, and the tolerance of an argument, are part of the error, so neither lies \
            above the bound; answers that are exact have no eps.",
        wrong: "- kernel: transformer_attn\n  emit: { eps: 0.01 }\n  bounds: { error: 0.001 }\n",
        mended: "- kernel: transformer_attn\n  emit: { eps: 0.001 }\n  bounds: { error: 0.001 }\n",
    }
    CAPSULE_LIMIT = "E0518" {
        title: "a limit under which no capsule runs",
        explanation: "`limits:` of a `wasm` step say what the capsule may use for one row: `fuel` \
            in instructions or so, `memory` (a page of 64 KiB at least), `time`, and the bytes of \
            its `output`. A capsule that reaches one is stopped, and the row is an error row.",
        wrong: "- wasm: filters/denoise@2\n  limits: { memory: 4KiB }\n",
        mended: "- wasm: filters/denoise@2\n  limits: { memory: 16MiB }\n",
    }
}
