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
}
