//! The committed wire code and descriptors are what the `.proto` files say.
//!
//! `UPDATE_EXPECT=1 cargo test -p arqon-proto --test generated` writes them anew.

#![allow(clippy::disallowed_methods, reason = "the rewrite is asked for by the environment")]

use std::fs;
use std::path::Path;

use prost::Message as _;

#[test]
fn wire_code_is_what_the_proto_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let frames = ["control", "delta", "envelope"].map(|file| format!("arqonbus/v1/{file}.proto"));
    let jobs =
        ["job", "metrics", "mode", "result"].map(|it| format!("arqonbus/itmd/v1/{it}.proto"));
    let files = frames.into_iter().chain(jobs);
    let descriptors = protox::compile(files, [folder]).expect("the .proto files compile");
    let bytes = descriptors.encode_to_vec();

    let out = tempfile::tempdir().expect("a temporary folder");
    let mut config = prost_build::Config::new();
    config.out_dir(out.path()).bytes(["."]).btree_map(["."]);
    config.compile_fds(descriptors).expect("code is generated");
    for (package, file) in [("arqonbus.v1", "wire.rs"), ("arqonbus.itmd.v1", "itmd/wire.rs")] {
        let code = fs::read_to_string(out.path().join(format!("{package}.rs"))).expect("a package");
        let folder_of = package.replace('.', "/");
        let header =
            format!("//! Messages of `{folder_of}/*.proto`, generated: `cargo xtask proto`.");
        let code = format!("{header}\n\n{code}");
        let path = folder.join("src").join(file);
        if is_rewritten() {
            fs::write(&path, &code).expect("the checkout is writable");
        }
        let committed = fs::read_to_string(&path).expect("wire code is committed");
        // Line ends may differ after a checkout, nothing else.
        assert!(committed.lines().eq(code.lines()), "src/{file} is stale: run `cargo xtask proto`");
    }
    let path = folder.join("src/descriptor.bin");
    if is_rewritten() {
        fs::write(&path, &bytes).expect("the checkout is writable");
    }
    assert_eq!(fs::read(&path).expect("src/descriptor.bin is committed"), bytes);
}

fn is_rewritten() -> bool {
    std::env::var("UPDATE_EXPECT").is_ok()
}
