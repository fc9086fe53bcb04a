//! What the profiles of a circuit bring about, beside what is wrong with it as it is written.

use arqon_grammar::Diagnostic;
use arqon_grammar::diagnostic::sort;

/// The diagnostics of a circuit as it is written, `plain`, with those that one of its profiles
/// alone brings about, each told with the profile's name; in the order of the files.
///
/// # Errors
/// Whatever `diagnose`, which compiles the circuit with a profile, fails with.
pub fn with_profiles<E>(
    plain: Vec<Diagnostic>,
    profiles: &[String],
    mut diagnose: impl FnMut(&str) -> Result<Vec<Diagnostic>, E>,
) -> Result<Vec<Diagnostic>, E> {
    let mut all = plain;
    for profile in profiles {
        for mut found in diagnose(profile)? {
            let is_known = all
                .iter()
                .any(|known| known.code == found.code && known.primary.span == found.primary.span);
            if !is_known {
                found.notes.push(format!("with the profile `{profile}`"));
                all.push(found);
            }
        }
    }
    sort(&mut all);
    Ok(all)
}
