//! Type text to type tree: `option<list<int64>>`, `enum<a|b>`, `tensor<NxDxf32>`.

use std::collections::BTreeMap;

use crate::ast::Dimension;
use crate::ast::TensorElement;
use crate::ast::TypeExpr;
use crate::ast::TypeKind;
use crate::code;
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::limits::TENSOR_DIMENSIONS_MAX;
use crate::limits::TYPE_DEPTH_MAX;
use crate::name::is_identifier;
use crate::span::Span;
use crate::span::Spanned;
use crate::type_habit::in_other_brackets;
use crate::type_habit::type_habit;
use crate::yaml::Offsets;

/// All words that name or build a type.
pub const TYPE_WORDS: &[&str] = &[
    "bool",
    "int64",
    "float32",
    "float64",
    "decimal",
    "string",
    "bytes",
    "timestamp",
    "duration",
    "date",
    "uuid",
    "enum",
    "list",
    "map",
    "option",
    "tensor",
];

/// Reads a type; what could not be read is [`TypeKind::Error`] and has been reported.
pub(crate) fn parse(text: &str, offsets: &Offsets, diagnostics: &mut Collector) -> TypeExpr {
    let mut parser = TypeParser { text, at: 0, offsets };
    let parsed = parser.ty(1).and_then(|ty| {
        parser.skip_blanks();
        match parser.rest().chars().next() {
            None => Ok(ty),
            Some('?') => Err(parser.optional(&ty)),
            Some(_) => Err(parser.trailing()),
        }
    });
    match parsed {
        Ok(ty) => ty,
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            TypeExpr { kind: TypeKind::Error, span: offsets.span(0, text.len()) }
        }
    }
}

type Parsed<T> = Result<T, Box<Diagnostic>>;

struct TypeParser<'a> {
    text: &'a str,
    at: usize,
    offsets: &'a Offsets,
}

impl<'a> TypeParser<'a> {
    fn ty(&mut self, depth: usize) -> Parsed<TypeExpr> {
        self.skip_blanks();
        let start = self.at;
        if TYPE_DEPTH_MAX < depth {
            return Err(self.fault_with(
                code::yaml::TYPE_LIMIT,
                start,
                start + 1,
                format!("types nest at most {TYPE_DEPTH_MAX} deep"),
            ));
        }
        let word = self.word();
        if word.is_empty() {
            let len = self.rest().chars().next().map_or(0, char::len_utf8);
            let fault = self.fault(start, start + len, "a type is expected here".to_owned());
            let is_struct = self.rest().starts_with('{');
            let help = "a struct within `<` `>` has a name: declare it under `schemas:`";
            return Err(if is_struct { Box::new(fault.help(help)) } else { fault });
        }
        let word_end = self.at;
        self.skip_blanks();
        if let Some(fault) = self.other_brackets(word, start) {
            return Err(fault);
        }
        let has_argument = self.rest().starts_with('<');
        let kind = match word {
            "enum" | "list" | "map" | "option" | "tensor" | "decimal" if !has_argument => {
                let example = match word {
                    "enum" => "enum<open|paid>",
                    "list" => "list<int64>",
                    "map" => "map<int64>",
                    "option" => "option<int64>",
                    "tensor" => "tensor<64xf32>",
                    _ => "decimal<2>",
                };
                let fault = self.fault(start, word_end, format!("`{word}` needs its argument"));
                return Err(Box::new(fault.help(format!("for example `{example}`"))));
            }
            "enum" => self.enumeration()?,
            "tensor" => self.tensor()?,
            "decimal" => self.decimal()?,
            "list" => TypeKind::List(self.argument(depth)?),
            "map" => TypeKind::Map(self.argument(depth)?),
            "option" => TypeKind::Option(self.argument(depth)?),
            _ if has_argument => {
                let message = format!("`{word}` takes no argument in `<` `>`");
                let fault = self.fault(start, word_end, message);
                let place = fault.primary.span;
                let lower = word.to_ascii_lowercase();
                let cased = TYPE_WORDS.iter().find(|known| **known == lower && lower != word);
                if let Some(known) = cased {
                    let title = format!("write `{known}`");
                    return Err(Box::new(fault.help(title.clone()).fix(place, *known, title)));
                }
                return Err(Box::new(match type_habit(word) {
                    Some(known) => match known.split_once('<') {
                        Some((known_word, _)) => fault.help(format!("write `{known}`")).fix(
                            place,
                            known_word,
                            format!("write `{known}`"),
                        ),
                        None => fault.help(format!("write `{known}`")),
                    },
                    None => *fault,
                }));
            }
            "bool" => TypeKind::Bool,
            "int64" => TypeKind::Int64,
            "float32" => TypeKind::Float32,
            "float64" => TypeKind::Float64,
            "string" => TypeKind::String,
            "bytes" => TypeKind::Bytes,
            "timestamp" => TypeKind::Timestamp,
            "duration" => TypeKind::Duration,
            "date" => TypeKind::Date,
            "uuid" => TypeKind::Uuid,
            _ if word.split('.').all(is_identifier) => TypeKind::Named(word.to_owned()),
            _ => return Err(self.fault(start, word_end, format!("`{word}` cannot name a type"))),
        };
        let end = if has_argument { self.at } else { word_end };
        Ok(TypeExpr { kind, span: self.offsets.span(start, end) })
    }

    /// `word(…)` and `word[…]`, where a type is known by the word.
    fn other_brackets(&self, word: &str, start: usize) -> Option<Box<Diagnostic>> {
        let close = match self.rest().chars().next()? {
            '(' => ')',
            '[' => ']',
            _ => return None,
        };
        let len = self.rest().find(close)?;
        let argument = &self.rest()[1..len];
        let end = self.at + len + 1;
        if argument.is_empty() && close == ']' {
            let written = &self.text[start..self.at];
            return Some(self.meant(
                (start, end),
                "a list type is not written with `[]`".to_owned(),
                format!("list<{}>", written.trim()),
            ));
        }
        let meant = in_other_brackets(word, argument)?;
        let message = if meant.contains('<') {
            "a type's argument stands in `<` `>`".to_owned()
        } else {
            format!("`{word}` takes no argument")
        };
        Some(self.meant((start, end), message, meant))
    }

    /// A fault in a part of the text that is certainly meant to be another.
    fn meant(
        &self,
        (start, end): (usize, usize),
        message: String,
        meant: String,
    ) -> Box<Diagnostic> {
        let fault = self.fault(start, end, message);
        let (place, title) = (fault.primary.span, format!("write `{meant}`"));
        Box::new(fault.help(title.clone()).fix(place, meant, title))
    }

    /// `<T>`.
    fn argument(&mut self, depth: usize) -> Parsed<Box<TypeExpr>> {
        let open = self.at;
        self.at += 1;
        let ty = self.ty(depth + 1)?;
        self.skip_blanks();
        if self.rest().starts_with('>') {
            self.at += 1;
            return Ok(Box::new(ty));
        }
        if self.rest().starts_with('?') {
            return Err(self.optional(&ty));
        }
        let fault = self.fault(open, open + 1, "this `<` is not closed by a `>`".to_owned());
        // A type that ends here can only lack its bracket.
        if self.rest().is_empty() {
            let end = self.offsets.span(self.at, self.at);
            return Err(Box::new(fault.fix(end, ">", "close the bracket")));
        }
        Err(fault)
    }

    /// The text between `<` and the next `>`, and where it begins.
    fn raw_argument(&mut self) -> Parsed<(&'a str, usize)> {
        let open = self.at;
        let Some(len) = self.rest().find('>') else {
            let message = "this `<` is not closed by a `>`".to_owned();
            return Err(self.fault(open, open + 1, message));
        };
        self.at = open + len + 1;
        Ok((&self.text[open + 1..open + len], open + 1))
    }

    /// `<2>`.
    fn decimal(&mut self) -> Parsed<TypeKind> {
        let (digits, start) = self.raw_argument()?;
        let trimmed = digits.trim();
        match trimmed.parse::<u8>() {
            Ok(scale) if scale <= DECIMAL_SCALE_MAX => Ok(TypeKind::Decimal { scale }),
            _ if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit()) => Err(self
                .fault_with(
                    code::yaml::TYPE_LIMIT,
                    start,
                    start + digits.len(),
                    format!("decimals have at most {DECIMAL_SCALE_MAX} digits after the point"),
                )),
            _ => Err(Box::new(
                self.fault(
                    start,
                    start + digits.len(),
                    format!("`{digits}` is not a number of digits"),
                )
                .help("write the digits after the point: `decimal<2>`"),
            )),
        }
    }

    /// `<open|paid|void>`.
    fn enumeration(&mut self) -> Parsed<TypeKind> {
        let (inner, start) = self.raw_argument()?;
        let mut variants: Vec<Spanned<String>> = Vec::new();
        let mut places: BTreeMap<&str, Span> = BTreeMap::new();
        let mut at = start;
        for part in inner.split('|') {
            let lead = part.len() - part.trim_start().len();
            let variant = part.trim();
            let (from, to) = (at + lead, at + lead + variant.len());
            at += part.len() + 1;
            if variant.is_empty() {
                let message = "an enum's variant is missing here".to_owned();
                return Err(Box::new(
                    self.fault(from, to, message).help("for example `enum<a|b>`"),
                ));
            }
            if variant.contains(['<', ',', '"', '\'']) {
                let message = format!("`{variant}` cannot be a variant of an enum");
                return Err(Box::new(
                    self.fault(from, to, message).help("variants are separated by `|`"),
                ));
            }
            let span = self.offsets.span(from, to);
            if let Some(first) = places.insert(variant, span) {
                let message = format!("the variant `{variant}` stands twice");
                let fault = self.fault(from, to, message);
                return Err(Box::new(fault.secondary(first, "the first one")));
            }
            variants.push(Spanned::new(variant.to_owned(), span));
        }
        Ok(TypeKind::Enum(variants))
    }

    /// `<NxDxf32>`.
    fn tensor(&mut self) -> Parsed<TypeKind> {
        let (inner, start) = self.raw_argument()?;
        let mut dims = Vec::new();
        let mut at = 0;
        loop {
            let rest = &inner[at..];
            let elements = [
                ("f32", TensorElement::F32),
                ("f64", TensorElement::F64),
                ("i64", TensorElement::I64),
                ("u8", TensorElement::U8),
                ("bool", TensorElement::Bool),
            ];
            if let Some((_, element)) = elements.iter().find(|(word, _)| rest.trim_end() == *word) {
                let span = self.offsets.span(start + at, start + inner.trim_end().len());
                return Ok(TypeKind::Tensor { dims, element: Spanned::new(*element, span) });
            }
            let len = rest
                .bytes()
                .take_while(|b| b.is_ascii_digit() || b.is_ascii_uppercase() || *b == b'_')
                .count();
            let word = &rest[..len];
            let is_symbol = word.starts_with(|c: char| c.is_ascii_uppercase());
            let dimension = match word {
                "_" => Some(Dimension::Unknown),
                _ if is_symbol => Some(Dimension::Symbol(word.to_owned())),
                _ => word.parse().ok().map(Dimension::Fixed),
            };
            match dimension {
                Some(dimension) if rest[len..].starts_with('x') => {
                    if dims.len() == TENSOR_DIMENSIONS_MAX {
                        let message =
                            format!("tensors have at most {TENSOR_DIMENSIONS_MAX} dimensions");
                        let end = start + inner.trim_end().len();
                        let limit = code::yaml::TYPE_LIMIT;
                        return Err(self.fault_with(limit, start + at, end, message));
                    }
                    let span = self.offsets.span(start + at, start + at + len);
                    dims.push(Spanned::new(dimension, span));
                    at += len + 1;
                }
                _ => {
                    let message = format!("`{rest}` is not a dimension or an element type");
                    let fault = self.fault(start + at, start + inner.len(), message);
                    return Err(Box::new(fault.help(
                        "dimensions are numbers, capitals or `_`, each followed by `x`; elements \
                         are f32, f64, i64, u8 or bool: `tensor<NxDxf32>`",
                    )));
                }
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn word(&mut self) -> &'a str {
        let len = self
            .rest()
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
            .count();
        let word = &self.rest()[..len];
        self.at += len;
        word
    }

    fn fault(&self, start: usize, end: usize, message: String) -> Box<Diagnostic> {
        self.fault_with(code::yaml::TYPE_SYNTAX, start, end, message)
    }

    fn fault_with(&self, code: Code, start: usize, end: usize, message: String) -> Box<Diagnostic> {
        let span = self.offsets.span(start.min(self.text.len()), end.min(self.text.len()));
        Box::new(Diagnostic::new(code, span, message))
    }

    /// `T?`.
    fn optional(&self, ty: &TypeExpr) -> Box<Diagnostic> {
        let at = self.offsets.span(self.at, self.at + 1);
        let written = self.text[..self.at].trim_end();
        let start = written.len().saturating_sub(ty.span.len() as usize);
        let inner = written.get(start..).unwrap_or(written).trim();
        let whole = Span::new(ty.span.start, at.end);
        Box::new(
            Diagnostic::new(
                code::yaml::TYPE_SYNTAX,
                at,
                "a value that may be missing is an `option<T>`",
            )
            .fix(whole, format!("option<{inner}>"), "write `option<…>`"),
        )
    }

    fn trailing(&self) -> Box<Diagnostic> {
        let rest = self.rest().trim_end();
        let message = format!("`{rest}` does not belong to a type");
        let fault = self.fault(self.at, self.at + rest.len(), message);
        let written = self.text[..self.at].trim();
        let words: Vec<String> = rest.split_whitespace().map(str::to_ascii_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["not", "null"] => {
                let end = self.at + rest.len();
                let start = self.text[..self.at].trim_end().len();
                let place = self.offsets.span(start, end);
                Box::new(fault.help("only an `option<T>` may lack its value").fix(
                    place,
                    "",
                    format!("leave `{rest}` out"),
                ))
            }
            ["null"] | ["|" | "or", "null" | "none"] => {
                let place = self.offsets.span(0, self.text.trim_end().len());
                Box::new(fault.help("a value that may be missing is an `option<T>`").fix(
                    place,
                    format!("option<{written}>"),
                    "write `option<…>`",
                ))
            }
            _ => fault,
        }
    }
}

/// Most digits after the point of a decimal.
const DECIMAL_SCALE_MAX: u8 = 38;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut diagnostics = Collector::default();
        let ty = parse(text, &Offsets::Shifted(0), &mut diagnostics);
        let diagnostics = diagnostics.finish();
        let out = match diagnostics.first() {
            Some(diagnostic) => diagnostic.brief(text),
            None => draw(&ty, text),
        };
        assert_eq!(out, expected, "{text}");
    }

    fn draw(ty: &TypeExpr, text: &str) -> String {
        let written = ty.span.slice(text);
        match &ty.kind {
            TypeKind::List(inner) | TypeKind::Map(inner) | TypeKind::Option(inner) => {
                format!("{written} of {}", draw(inner, text))
            }
            TypeKind::Enum(variants) => {
                let names: Vec<&str> = variants.iter().map(|v| v.span.slice(text)).collect();
                format!("enum of {}", names.join(" "))
            }
            TypeKind::Tensor { dims, element } => {
                let dims: Vec<&str> = dims.iter().map(|dim| dim.span.slice(text)).collect();
                format!("tensor of {} {:?}", dims.join(" "), element.node)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn types_are_read() {
        check("int64", "Int64");
        check(" decimal< 2 > ", "Decimal { scale: 2 }");
        check("option<list< int64 >>", "option<list< int64 >> of list< int64 > of Int64");
        check("enum<open|DELIVER IN PERSON| 1-URGENT >", "enum of open DELIVER IN PERSON 1-URGENT");
        check("tensor<NxDx64x_xf32>", "tensor of N D 64 _ F32");
        check("tensor<f64>", "tensor of  F64");
        check("Customer", "Named(\"Customer\")");
        check("itmd.Mode", "Named(\"itmd.Mode\")");
    }

    #[test]
    fn faults_have_their_place() {
        check(
            "list<int64",
            "1:5-6 error[E0021]: this `<` is not closed by a `>`\n  \
             fix 1:11-11: close the bracket -> >",
        );
        check(
            "list",
            "1:1-5 error[E0021]: `list` needs its argument\n  help: for example `list<int64>`",
        );
        check(
            "decimal<39>",
            "1:9-11 error[E0022]: decimals have at most 38 digits after the point",
        );
        check(
            "array<int64>",
            "1:1-6 error[E0021]: `array` takes no argument in `<` `>`\n  help: write `list<T>`\n  \
             fix 1:1-6: write `list<T>` -> list",
        );
        check(
            "enum<a|a>",
            "1:8-9 error[E0021]: the variant `a` stands twice\n  1:6-7: the first one",
        );
        check(
            "enum<a|>",
            "1:8-8 error[E0021]: an enum's variant is missing here\n  help: for example `enum<a|b>`",
        );
        check(
            "string?",
            "1:7-8 error[E0021]: a value that may be missing is an `option<T>`\n  fix 1:1-8: write `option<…>` -> option<string>",
        );
        check("int64 x", "1:7-8 error[E0021]: `x` does not belong to a type");
        let deep = format!("{}int64{}", "list<".repeat(5_000), ">".repeat(5_000));
        check(&deep, "1:81-82 error[E0022]: types nest at most 16 deep");
    }
}
