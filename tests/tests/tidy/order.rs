//! Reading order: a module uses only the modules above it; a pure room names no outside world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit;

/// The modules of a crate root in the order they are read, and what the root re-exports.
#[derive(Debug, Default)]
pub(crate) struct ReadingOrder {
    modules: Vec<String>,
    /// Re-exported name to the module it comes from, so that `crate::Name` is no way around.
    exports: BTreeMap<String, String>,
}

pub(crate) fn reading_order(crate_root: &str) -> syn::Result<ReadingOrder> {
    let file = syn::parse_file(crate_root)?;
    let mut order = ReadingOrder::default();
    for item in &file.items {
        match item {
            syn::Item::Mod(module) if !is_test(&module.attrs) => {
                order.modules.push(module.ident.to_string());
            }
            syn::Item::Use(import) => {
                let mut pairs = Vec::new();
                leaves(&import.tree, &mut Vec::new(), &mut pairs);
                for path in pairs {
                    let path = match path.split_first() {
                        Some((first, rest)) if first == "crate" || first == "self" => rest,
                        _ => &path[..],
                    };
                    if let ([module, ..], Some(name)) = (path, path.last()) {
                        order.exports.insert(name.clone(), module.clone());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(order)
}

/// The top-level module a file belongs to, from its path inside `src`.
pub(crate) fn module_of(inner: &Path) -> String {
    let first = inner.iter().next().map(|name| name.to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// `foo/tests.rs` and what stands below a `tests` folder is not production code.
pub(crate) fn is_test_module(inner: &Path) -> bool {
    inner.iter().any(|part| part == "tests.rs" || part == "tests")
}

/// Uses of modules that are read after `own`.
pub(crate) fn check(name: &str, own: &str, text: &str, order: &ReadingOrder) -> Vec<String> {
    let Some(at) = order.modules.iter().position(|module| module == own) else {
        return Vec::new();
    };
    let used = match pairs_of(text) {
        Ok(used) => used,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let used: BTreeSet<&String> = used
        .iter()
        .filter(|(first, _)| first == "crate")
        .map(|(_, second)| {
            // A module and a re-exported function may share a name; the module comes first.
            let is_module = order.modules.contains(second);
            order.exports.get(second).filter(|_| !is_module).unwrap_or(second)
        })
        .collect();
    order.modules[at + 1..]
        .iter()
        .filter(|later| used.contains(later))
        .map(|later| format!("{name}: `{own}` uses `{later}`, which is read after it"))
        .collect()
}

/// Uses of parts of the standard library that this room does without.
pub(crate) fn check_purity(name: &str, text: &str, absent: &[&str]) -> Vec<String> {
    let used = match pairs_of(text) {
        Ok(used) => used,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    absent
        .iter()
        .filter(|part| used.contains(&("std".to_owned(), (**part).to_owned())))
        .map(|part| format!("{name}: names `std::{part}` in a pure room"))
        .collect()
}

/// First two segments of every path in production code, imports and macro bodies included.
fn pairs_of(text: &str) -> syn::Result<BTreeSet<(String, String)>> {
    let mut pairs = Pairs::default();
    pairs.visit_file(&syn::parse_file(text)?);
    Ok(pairs.found)
}

#[derive(Default)]
struct Pairs {
    found: BTreeSet<(String, String)>,
}

impl<'ast> Visit<'ast> for Pairs {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let test = match item {
            syn::Item::Mod(item) => is_test(&item.attrs),
            syn::Item::Fn(item) => is_test(&item.attrs),
            syn::Item::Use(item) => is_test(&item.attrs),
            syn::Item::Impl(item) => is_test(&item.attrs),
            _ => false,
        };
        if !test {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut names = path.segments.iter().map(|segment| segment.ident.to_string());
        if let (Some(first), Some(second)) = (names.next(), names.next()) {
            self.found.insert((first, second));
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        let mut paths = Vec::new();
        leaves(&import.tree, &mut Vec::new(), &mut paths);
        for path in paths {
            if let [first, second, ..] = path.as_slice() {
                self.found.insert((first.clone(), second.clone()));
            }
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let body = call.tokens.to_string();
        let words: Vec<&str> = body.split_whitespace().collect();
        for window in words.windows(3) {
            if let [first @ ("crate" | "std"), "::", second] = window {
                self.found.insert(((*first).to_owned(), (*second).to_owned()));
            }
        }
        syn::visit::visit_macro(self, call);
    }
}

fn leaves(tree: &syn::UseTree, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let with = |above: &[String], name: String| [above, &[name]].concat();
    match tree {
        syn::UseTree::Path(path) => {
            above.push(path.ident.to_string());
            leaves(&path.tree, above, found);
            above.pop();
        }
        syn::UseTree::Name(name) if name.ident == "self" => found.push(above.clone()),
        syn::UseTree::Name(name) => found.push(with(above, name.ident.to_string())),
        syn::UseTree::Rename(rename) => found.push(with(above, rename.ident.to_string())),
        syn::UseTree::Glob(_) => found.push(above.clone()),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, above, found);
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        syn::Meta::Path(path) => path.is_ident("test"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "mod first;\nmod second;\npub use second::Late;\n#[cfg(test)]\nmod tests;\n";

    fn faults_of(own: &str, text: &str) -> Vec<String> {
        check("x.rs", own, text, &reading_order(ROOT).unwrap())
    }

    #[test]
    fn a_use_of_a_later_module_is_a_fault_in_every_form() {
        let wanted = ["x.rs: `first` uses `second`, which is read after it"];
        for text in [
            "use crate::second::Late;",
            "use crate::{other, second::{self, Late}};",
            "use crate::Late;",
            "fn f() -> crate::second::Late { todo() }",
            "fn f() { println!(\"{}\", crate::second::name()); }",
        ] {
            assert_eq!(faults_of("first", text), wanted, "{text}");
        }
    }

    #[test]
    fn uses_above_and_in_tests_are_no_fault() {
        for (own, text) in [
            ("second", "use crate::first::Early;"),
            ("first", "#[cfg(test)]\nmod tests { use crate::second::Late; }"),
            ("first", "// crate::second::Late is only spoken of\nfn f() {}"),
            ("first", "use crate::secondary::Thing;"),
        ] {
            assert_eq!(faults_of(own, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_pure_room_names_no_file() {
        for text in ["use std::{fs, io};", "fn f() { std::fs::read(\"x\"); }", "use std::fs::File;"]
        {
            let faults = check_purity("x.rs", text, &["fs", "net"]);
            assert_eq!(faults, ["x.rs: names `std::fs` in a pure room"], "{text}");
        }
        assert_eq!(check_purity("x.rs", "use std::fmt;", &["fs"]), Vec::<String>::new());
    }

    #[test]
    fn a_file_belongs_to_its_first_folder() {
        assert_eq!(module_of(Path::new("passes/fuse.rs")), "passes");
        assert_eq!(module_of(Path::new("epoch.rs")), "epoch");
        assert!(is_test_module(Path::new("passes/tests.rs")));
        assert!(!is_test_module(Path::new("passes/fuse.rs")));
    }
}
