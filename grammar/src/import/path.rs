//! The path of an import: from the importing file's folder to a file under the root.

/// Why a text is no path of an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathFault {
    /// Nothing, or longer than any path.
    Length,
    /// `/etc/x.yaml`, `C:/x.yaml`, `~/x.yaml`.
    Absolute,
    /// `https://…`.
    Url,
    /// `lab\schemas.yaml`, or a control character.
    Character,
    /// Neither a circuit nor protobuf.
    Ending,
    /// `..` beyond the root.
    Outside,
}

/// Longest path that is looked at, in bytes.
const PATH_BYTES_MAX: usize = 1024;

/// The path from the root of what `importer`, itself such a path, calls `written`.
pub(super) fn resolve(importer: &str, written: &str) -> Result<String, PathFault> {
    if written.is_empty() || PATH_BYTES_MAX < written.len() {
        return Err(PathFault::Length);
    }
    if written.contains("://") {
        return Err(PathFault::Url);
    }
    if written.starts_with(['/', '~']) || written.starts_with("\\\\") || is_drive(written) {
        return Err(PathFault::Absolute);
    }
    if written.contains(|c: char| c == '\\' || c.is_control()) {
        return Err(PathFault::Character);
    }
    if !is_circuit(written) && !is_proto(written) {
        return Err(PathFault::Ending);
    }
    let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(written.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(PathFault::Outside)?;
            }
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    // Also behind a `./`: where there are drives, such a path leaves every root.
    if is_drive(&path) { Err(PathFault::Absolute) } else { Ok(path) }
}

fn is_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Whether a path is that of a circuit file.
pub(super) fn is_circuit(path: &str) -> bool {
    has_ending(path, &["yaml", "yml"])
}

/// Whether a path is that of a protobuf file.
pub(super) fn is_proto(path: &str) -> bool {
    has_ending(path, &["proto"])
}

fn has_ending(path: &str, endings: &[&str]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.')
        .is_some_and(|(stem, ending)| !stem.is_empty() && endings.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_importing_file_and_stay_under_the_root() {
        let cases: &[(&str, &str, Result<&str, PathFault>)] = &[
            ("a.yaml", "b.yaml", Ok("b.yaml")),
            ("a.yaml", "./lab//b.yml", Ok("lab/b.yml")),
            ("lab/a.yaml", "b.proto", Ok("lab/b.proto")),
            ("lab/a.yaml", "../b.yaml", Ok("b.yaml")),
            ("lab/a.yaml", "x/../../lab/b.yaml", Ok("lab/b.yaml")),
            ("a.yaml", "../b.yaml", Err(PathFault::Outside)),
            ("lab/a.yaml", "../../top/lab/b.yaml", Err(PathFault::Outside)),
            ("a.yaml", "/etc/b.yaml", Err(PathFault::Absolute)),
            ("a.yaml", "C:/b.yaml", Err(PathFault::Absolute)),
            ("a.yaml", "./C:/b.yaml", Err(PathFault::Absolute)),
            ("lab/a.yaml", "../c:b.yaml", Err(PathFault::Absolute)),
            ("a.yaml", "\\\\host\\b.yaml", Err(PathFault::Absolute)),
            ("a.yaml", "~/b.yaml", Err(PathFault::Absolute)),
            ("a.yaml", "file:///etc/b.yaml", Err(PathFault::Url)),
            ("a.yaml", "lab\\b.yaml", Err(PathFault::Character)),
            ("a.yaml", "b\0.yaml", Err(PathFault::Character)),
            ("a.yaml", "b.json", Err(PathFault::Ending)),
            ("a.yaml", "lab/.yaml", Err(PathFault::Ending)),
            ("a.yaml", "passwd", Err(PathFault::Ending)),
            ("a.yaml", "", Err(PathFault::Length)),
        ];
        for (importer, written, wanted) in cases {
            let found = resolve(importer, written);
            assert_eq!(found.as_deref().map_err(|fault| *fault), *wanted, "{importer} {written}");
        }
    }
}
