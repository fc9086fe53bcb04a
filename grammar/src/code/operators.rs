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
            of its own name.",
        wrong: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: qml } } }\n",
        mended: "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }\n",
    }
}
