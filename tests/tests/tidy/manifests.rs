//! Floors, homes and absences, read from the manifests and the lock file.

use std::collections::{BTreeMap, BTreeSet};

/// What a crate's manifest says, as far as the house cares.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) package: String,
    /// Names under `[dependencies]` and `[build-dependencies]`: what tests import binds nobody.
    pub(crate) dependencies: BTreeSet<String>,
}

/// The tables a set of manifests is held against.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) floors: &'a [(&'a str, u32)],
    pub(crate) homes: &'a [(&'a str, &'a [&'a str])],
    pub(crate) absences: &'a [(&'a str, &'a [&'a str])],
    /// Package name to the names it depends on, from the lock file.
    pub(crate) lock: &'a BTreeMap<String, Vec<String>>,
    /// Name used in our manifests to the package's real name.
    pub(crate) renames: &'a BTreeMap<String, String>,
}

/// Faults of all manifests together; the key of `manifests` is the crate's folder.
pub(crate) fn check(manifests: &BTreeMap<&str, Manifest>, rules: &Rules<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for (folder, floor) in rules.floors {
        let manifest = &manifests[folder];
        for name in &manifest.dependencies {
            let other = rules.floors.iter().find(|(at, _)| manifests[at].package == *name);
            if let Some((other, other_floor)) = other
                && floor <= other_floor
            {
                faults.push(format!("{folder}: floor {floor} imports {other} on {other_floor}"));
            }
            let home = rules.homes.iter().find(|(foreign, _)| foreign == name);
            if let Some((foreign, homes)) = home
                && !homes.contains(folder)
            {
                faults.push(format!("{folder}: `{foreign}` lives in {}", homes.join(", ")));
            }
        }
    }
    for (folder, absent) in rules.absences {
        let reached = reach(&manifests[folder], manifests, rules);
        for name in absent.iter().filter(|name| reached.contains(**name)) {
            faults.push(format!("{folder}: reaches `{name}`, which it must not know"));
        }
    }
    faults
}

/// The workspace's members and the table of floors name the same crates.
pub(crate) fn check_members(root_manifest: &str, floors: &[(&str, u32)]) -> Vec<String> {
    let members: BTreeSet<&str> = root_manifest
        .lines()
        .skip_while(|line| !line.starts_with("members = ["))
        .skip(1)
        .take_while(|line| !line.starts_with(']'))
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
        .collect();
    let known: BTreeSet<&str> = floors.iter().map(|(folder, _)| *folder).collect();
    let unknown = members.difference(&known).map(|name| format!("{name}: stands on no floor"));
    let gone = known.difference(&members).map(|name| format!("{name}: is not a member"));
    unknown.chain(gone).collect()
}

pub(crate) fn parse(manifest: &str) -> Manifest {
    let mut parsed = Manifest::default();
    let mut section = String::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
            for table in ["dependencies.", "build-dependencies."] {
                if let Some(name) = section.strip_prefix(table) {
                    parsed.dependencies.insert(name.to_owned());
                }
            }
            continue;
        }
        let Some(name) = line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty()) else {
            continue;
        };
        if name.starts_with('#') {
            continue;
        }
        match section.as_str() {
            "package" if name == "name" => {
                line.split('"').nth(1).unwrap_or_default().clone_into(&mut parsed.package);
            }
            "dependencies" | "build-dependencies" => {
                parsed.dependencies.insert(name.to_owned());
            }
            _ => {}
        }
    }
    parsed
}

/// Package to dependencies. Versions are left out: a name that is reached in any version counts.
pub(crate) fn parse_lock(lock: &str) -> BTreeMap<String, Vec<String>> {
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for block in lock.split("[[package]]").skip(1) {
        let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
        let Some(name) = block.lines().find(|line| line.starts_with("name = ")).and_then(quoted)
        else {
            continue;
        };
        let dependencies = block
            .lines()
            .filter(|line| line.starts_with(" \""))
            .filter_map(quoted)
            .filter_map(|entry| entry.split(' ').next().map(str::to_owned));
        packages.entry(name).or_default().extend(dependencies);
    }
    packages
}

/// `serde_yaml = { package = "…" }` in the workspace's table: our name to the real one.
pub(crate) fn parse_renames(root_manifest: &str) -> BTreeMap<String, String> {
    root_manifest
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" = ")?;
            let real = rest.split("package = \"").nth(1)?.split('"').next()?;
            Some((name.to_owned(), real.to_owned()))
        })
        .collect()
}

/// Every package name reached from a crate's production dependencies.
fn reach(
    from: &Manifest,
    manifests: &BTreeMap<&str, Manifest>,
    rules: &Rules<'_>,
) -> BTreeSet<String> {
    let ours: BTreeMap<&str, &Manifest> =
        manifests.values().map(|manifest| (manifest.package.as_str(), manifest)).collect();
    let mut reached = BTreeSet::new();
    let mut stack: Vec<String> = from.dependencies.iter().cloned().collect();
    while let Some(name) = stack.pop() {
        let name = rules.renames.get(&name).cloned().unwrap_or(name);
        if !reached.insert(name.clone()) {
            continue;
        }
        // The lock file mixes in what tests import, so our own crates go by their manifests.
        match ours.get(name.as_str()) {
            Some(manifest) => stack.extend(manifest.dependencies.iter().cloned()),
            None => stack.extend(rules.lock.get(&name).into_iter().flatten().cloned()),
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(core: &str, shell: &str) -> Vec<String> {
        let manifests = BTreeMap::from([("core", parse(core)), ("shell", parse(shell))]);
        let lock = parse_lock(
            "[[package]]\nname = \"web\"\ndependencies = [\n \"net 1.0.0\",\n]\n\n\
             [[package]]\nname = \"net\"\n",
        );
        let renames = parse_renames("nice = { package = \"web\", version = \"1\" }\n");
        let rules = Rules {
            floors: &[("core", 0), ("shell", 1)],
            homes: &[("web", &["shell"])],
            absences: &[("core", &["net"])],
            lock: &lock,
            renames: &renames,
        };
        check(&manifests, &rules)
    }

    #[test]
    fn sound_manifests_have_no_fault() {
        let shell = "[package]\nname = \"s\"\n[dependencies]\nc.workspace = true\nweb = \"1\"\n";
        assert_eq!(faults_of("[package]\nname = \"c\"\n", shell), Vec::<String>::new());
    }

    #[test]
    fn an_import_from_above_is_a_fault() {
        let core = "[package]\nname = \"c\"\n[dependencies]\ns.workspace = true\n";
        let faults = faults_of(core, "[package]\nname = \"s\"\n");
        assert_eq!(faults, ["core: floor 0 imports shell on 1"]);
    }

    #[test]
    fn a_crate_away_from_home_is_a_fault_and_so_is_what_it_brings() {
        let core = "[package]\nname = \"c\"\n[dependencies.web]\nversion = \"1\"\n";
        let faults = faults_of(core, "[package]\nname = \"s\"\n");
        let wanted = ["core: `web` lives in shell", "core: reaches `net`, which it must not know"];
        assert_eq!(faults, wanted);
    }

    #[test]
    fn a_renamed_crate_is_still_found() {
        let core = "[package]\nname = \"c\"\n[dependencies]\nnice.workspace = true\n";
        let faults = faults_of(core, "[package]\nname = \"s\"\n");
        assert_eq!(faults, ["core: reaches `net`, which it must not know"]);
    }

    #[test]
    fn what_tests_import_binds_nobody() {
        let core = "[package]\nname = \"c\"\n[dev-dependencies]\nweb = \"1\"\n";
        assert_eq!(faults_of(core, "[package]\nname = \"s\"\n"), Vec::<String>::new());
    }

    #[test]
    fn members_and_floors_are_one_list() {
        let root = "members = [\n    \"core\",\n    \"attic\",\n]\n";
        let faults = check_members(root, &[("core", 0), ("cellar", 0)]);
        assert_eq!(faults, ["attic: stands on no floor", "cellar: is not a member"]);
    }
}
