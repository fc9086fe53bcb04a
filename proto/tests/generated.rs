//! The committed wire code and descriptors are what the `.proto` files say.
//!
//! `UPDATE_EXPECT=1 cargo test -p arqon-proto --test generated` writes them anew.

#![allow(clippy::disallowed_methods, reason = "the rewrite is asked for by the environment")]

use std::fs;
use std::path::Path;

use prost::Message as _;

const HEADER: &str = "//! Messages of `arqonbus/v1/*.proto`, generated: `cargo xtask proto`.\n\n";

#[test]
fn wire_code_is_what_the_proto_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["control", "delta", "envelope"].map(|file| format!("arqonbus/v1/{file}.proto"));
    let descriptors = protox::compile(files, [folder]).expect("the .proto files compile");
    let bytes = descriptors.encode_to_vec();

    let out = tempfile::tempdir().expect("a temporary folder");
    let mut config = prost_build::Config::new();
    config.out_dir(out.path()).bytes(["."]).btree_map(["."]);
    config.compile_fds(descriptors).expect("code is generated");
    let code = fs::read_to_string(out.path().join("arqonbus.v1.rs")).expect("one package");
    let code = format!("{HEADER}{code}");

    let (code_path, bytes_path) = (folder.join("src/wire.rs"), folder.join("src/descriptor.bin"));
    if std::env::var("UPDATE_EXPECT").is_ok() {
        fs::write(&code_path, &code).expect("the checkout is writable");
        fs::write(&bytes_path, &bytes).expect("the checkout is writable");
    }
    let committed = fs::read_to_string(&code_path).expect("src/wire.rs is committed");
    // Line ends may differ after a checkout, nothing else.
    assert!(committed.lines().eq(code.lines()), "src/wire.rs is stale: run `cargo xtask proto`");
    assert_eq!(fs::read(&bytes_path).expect("src/descriptor.bin is committed"), bytes);
}
