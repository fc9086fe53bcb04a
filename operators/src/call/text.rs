//! Typing of calls whose texts are little languages: patterns, formats of times, templates. A
//! text that is a constant is checked here, at its place; one that is computed, row by row.

use arqon_types::{Type, Value};

use super::{CIVIL, Call, TRUNC_UNITS};
use crate::conversion::{has_cast, retype};
use crate::expr::{BinaryOp, Expr, ExprKind};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::function::Function;
use crate::pattern::{self, PatternFault};
use crate::template;
use crate::time_format::{self, FormatFault};
use crate::typing::binary;

impl Call<'_, '_> {
    /// `matches`, `regex_extract`, `regex_replace`.
    pub(super) fn with_pattern(&mut self, function: Function) -> Typed<(Vec<Expr>, Type)> {
        let mut args = vec![self.of_type(&Type::String)?, self.of_type(&Type::String)?];
        let n_groups = match constant_text(&args[1]) {
            None => None,
            Some(text) => match pattern::count_groups(text) {
                Ok(n_groups) => Some(n_groups),
                Err(fault) => {
                    let help = pattern_help(&fault);
                    return Err(TypeFault::new(FaultKind::Pattern, args[1].place, fault.message)
                        .at_operand(1)
                        .within(text, fault.within)
                        .with_help(help));
                }
            },
        };
        match function {
            Function::RegexExtract if !self.args.is_empty() => {
                args.push(self.group(n_groups)?);
            }
            Function::RegexReplace => {
                let to = self.of_type(&Type::String)?;
                if let (Some(pattern), Some(text)) = (constant_text(&args[1]), constant_text(&to))
                    && let Some(within) = pattern::unknown_group(pattern, text)
                {
                    return Err(no_group(&to, text, within, n_groups));
                }
                args.push(to);
            }
            _ => {}
        }
        let ty = match function {
            Function::Matches => Type::Bool,
            Function::RegexExtract => Type::String.optional(),
            _ => Type::String,
        };
        Ok((args, ty))
    }

    /// The number of a group: one of those that a constant pattern has.
    fn group(&mut self, n_groups: Option<usize>) -> Typed {
        let most = n_groups.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
        let (group, expr) = self.constant_int(i64::MIN, i64::MAX)?;
        if (0..=most).contains(&group) {
            return Ok(expr);
        }
        let message = format!("the pattern has no group {group}");
        let help = match most {
            0 => "it has no groups: a group is a part in round brackets, and 0 is the whole match"
                .to_owned(),
            i64::MAX => "groups count from 1, and 0 is the whole match".to_owned(),
            most => format!("its groups are 1 to {most}, and 0 is the whole match"),
        };
        Err(TypeFault::new(FaultKind::OutOfRange, expr.place, message)
            .at_operand(2)
            .with_help(help))
    }

    /// `like`, whose pattern is never wrong but may be too long.
    pub(super) fn like(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let args = vec![self.of_type(&Type::String)?, self.of_type(&Type::String)?];
        if constant_text(&args[1]).is_some_and(|text| !pattern::is_like_pattern(text)) {
            let most = pattern::LIKE_BYTES_MAX;
            let message = format!("a pattern of `like` has at most {most} bytes");
            return Err(TypeFault::new(FaultKind::OutOfRange, args[1].place, message).at_operand(1));
        }
        Ok((args, Type::Bool))
    }

    /// `diff(to, from, "month")`.
    pub(super) fn diff(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let to = self.of_class(CIVIL)?;
        let ty = to.ty.required().clone();
        let from = self.of_type(&ty)?;
        let (idx, unit) = self.value()?;
        if *unit.ty.required() != Type::String {
            return Err(TypeFault::mismatch(&unit, idx, self.what(), "a unit like \"month\""));
        }
        let Some(text) = constant_text(&unit) else {
            return Err(self.not_constant(idx, unit.place));
        };
        if !TRUNC_UNITS.contains(&text) {
            let message = format!("`{text}` is no unit of diff(…)");
            return Err(TypeFault::new(FaultKind::OutOfRange, unit.place, message)
                .at_operand(idx)
                .with_help(format!("the units are {}", TRUNC_UNITS.join(", ")))
                .with_candidates(text, TRUNC_UNITS.map(str::to_owned).to_vec()));
        }
        Ok((vec![to, from, unit], Type::Int64))
    }

    /// `parse_time(s, format)`.
    pub(super) fn parse_time(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let args = vec![self.of_type(&Type::String)?, self.of_type(&Type::String)?];
        if let Some(format) = constant_text(&args[1])
            && let Err(fault) = time_format::check_parse_format(format)
        {
            return Err(format_fault(&args[1], format, fault));
        }
        Ok((args, Type::Timestamp))
    }

    /// `format_time(at, format)`.
    pub(super) fn format_time(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let args = vec![self.of_class(CIVIL)?, self.of_type(&Type::String)?];
        if let Some(format) = constant_text(&args[1])
            && let Err(fault) = time_format::check_format(format, args[0].ty.required())
        {
            return Err(format_fault(&args[1], format, fault));
        }
        Ok((args, Type::String))
    }

    /// `format("{} of {}", a, b)`, which is `string(a) ++ " of " ++ string(b)`.
    pub(super) fn format(mut self) -> Typed {
        let (_, template) = self.value()?;
        let Some(text) = constant_text(&template) else {
            if template.ty == Type::String {
                return Err(self.not_constant(0, template.place));
            }
            return Err(TypeFault::mismatch(&template, 0, self.what(), "a text with {}"));
        };
        let parts = template::parts(text).map_err(|within| {
            let message = "a brace of a template stands alone".to_owned();
            let fault = TypeFault::new(FaultKind::Format, template.place, message).at_operand(0);
            fault.within(text, Some(within)).with_help(
                "the place of a value is {}, and a brace of the text is doubled: {{ or }}",
            )
        })?;
        let (n_places, n_values) = (parts.len() - 1, self.args.len());
        if n_places != n_values {
            let places = if n_places == 1 { "place" } else { "places" };
            let message =
                format!("the template has {n_places} {places}, and there are {n_values} values");
            return Err(TypeFault::new(FaultKind::ArgumentCount, self.place, message));
        }
        let place = self.place;
        let constant =
            |text: &String| Expr { place, ..Expr::literal(Value::string(text), Type::String) };
        let mut whole = constant(&parts[0]);
        for part in &parts[1..] {
            let (idx, value) = self.value()?;
            if !has_cast(value.ty.required(), &Type::String) {
                return Err(TypeFault::mismatch(&value, idx, self.what(), "a scalar"));
            }
            let value = retype(value, &Type::String);
            let is_empty =
                matches!(&whole.kind, ExprKind::Literal(Value::String(text)) if text.is_empty());
            whole = if is_empty { value } else { binary(BinaryOp::Concat, whole, value, place)? };
            if !part.is_empty() {
                whole = binary(BinaryOp::Concat, whole, constant(part), place)?;
            }
        }
        Ok(whole)
    }
}

fn constant_text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// A reference of `regex_replace` to a group that there is not.
fn no_group(
    to: &Expr,
    text: &str,
    within: std::ops::Range<usize>,
    n_groups: Option<usize>,
) -> Box<TypeFault> {
    let written = &text[within.clone()];
    let name = &written[1..];
    let n_digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    let help = if 0 < n_digits && n_digits < name.len() {
        let (group, rest) = name.split_at(n_digits);
        format!("letters behind the digits belong to the name: write `${{{group}}}{rest}`")
    } else {
        match n_groups {
            Some(0) | None => "it has no groups, and a dollar sign is `$$`".to_owned(),
            Some(n) => format!("its groups are $1 to ${n}, and a dollar sign is `$$`"),
        }
    };
    let message = format!("the pattern has no group `{written}`");
    TypeFault::new(FaultKind::Pattern, to.place, message)
        .at_operand(2)
        .within(text, Some(within))
        .with_help(help)
}

fn pattern_help(fault: &PatternFault) -> &'static str {
    if fault.within.is_none() {
        "make it shorter, or its repetitions fewer"
    } else if fault.message.contains("look-around") || fault.message.contains("backreference") {
        "say it by two conditions, such as `matches(…) and not matches(…)`"
    } else {
        "a character that stands for itself has two backslashes before it, as in \"\\\\(\""
    }
}

fn format_fault(format: &Expr, text: &str, fault: FormatFault) -> Box<TypeFault> {
    TypeFault::new(FaultKind::Format, format.place, fault.message)
        .at_operand(1)
        .within(text, fault.within)
        .with_help("such as \"%Y-%m-%d %H:%M:%S\"; `arqon explain E0241` lists the parts")
}
