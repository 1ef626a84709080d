//! The place of the attribute in its file. The compiler hands a macro the function and nothing around it, so the file is read
//! and its braces are counted. The result only makes an error clearer that would follow anyway: nothing is generated from
//! it, and if a macro or an unknown attribute may have moved the function, nothing is found.

#[cfg(test)]
mod tests;

use proc_macro2::Span;
use syn::Ident;
use syn::ext::IdentExt;

/// The facts about the place of a function that are certain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) scope: Scope,
    /// A module beside the function has its name.
    pub(crate) beside_a_module: bool,
}

/// The item that directly contains the function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scope {
    /// A file or a module.
    Module,
    Function,
    /// The definition of a trait.
    Trait,
    Impl {
        of_a_trait: bool,
        /// The type, if it holds a borrow that is not `'static`.
        borrowing: Option<String>,
    },
}

/// The place of the attribute that is expanded, which stands above the function `name`. Known since Rust 1.88, and if the
/// function was not written by a macro.
pub(crate) fn of(name: &Ident) -> Option<Place> {
    let (span, name) = (Span::call_site(), name.unraw().to_string());
    let source = std::fs::read_to_string(span.local_file()?).ok()?;
    let start = span.start();
    // Most functions: there is nothing to find.
    if start.column == 0 && !declares_module(&source, &name) {
        return None;
    }
    find(&source, offset(&source, start.line, start.column)?, &name)
}

fn declares_module(source: &str, name: &str) -> bool {
    source.contains(&format!("mod {name}"))
}

/// The offset of a line, counted from 1, and a column, counted from 0.
fn offset(source: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = source.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let chars = source.get(before..)?.char_indices();
    chars.map(|(at, _)| before + at).nth(column)
}

/// The place of the function `name`, whose attribute is at `offset`.
fn find(source: &str, offset: usize, name: &str) -> Option<Place> {
    let declares = format!("fn {name}");
    let rest = source.get(offset..)?;
    if !rest.starts_with("#[") || !rest.contains(&declares) {
        return None;
    }
    let mut outline = Outline::default();
    outline.read(source.get(..offset)?, None);
    let scopes: Option<Vec<Scope>> = outline.open.iter().map(|open| open.scope.clone()).collect();
    let scope = scopes?.pop().unwrap_or(Scope::Module);
    // What stands above the attribute may have moved the function too.
    attributes(&outline.head).filter(|item| item.rest.is_empty())?;
    let depth = outline.open.len();
    if declares_module(source, name) {
        outline.read(rest, Some(depth));
    }
    let beside_a_module = outline.modules_at(depth).iter().any(|module| module == name);
    Some(Place { scope, beside_a_module })
}

/// The outline of a file up to a place in it.
#[derive(Default)]
struct Outline {
    /// The braces around the place. One without a scope is that of a macro, of an expression, or of anything else.
    open: Vec<Open>,
    /// The code since the last item ended, without comments, strings and line breaks.
    head: String,
    /// The modules without `cfg` in the file itself.
    modules: Vec<String>,
}

struct Open {
    bracket: char,
    scope: Option<Scope>,
    /// The code before a bracket or parenthesis.
    before: String,
    modules: Vec<String>,
}

impl Outline {
    /// Reads on; if `level` is given, up to the end of the braces at that depth.
    fn read(&mut self, source: &str, level: Option<usize>) {
        for char in Code(source) {
            match char {
                '{' | '(' | '[' => self.open(char),
                '}' | ')' | ']' if level == Some(self.open.len()) => return,
                '}' | ')' | ']' => self.close(char),
                ';' if self.open.last().is_none_or(|open| open.bracket == '{') => {
                    self.declare();
                    self.head.clear();
                }
                _ if char.is_whitespace() => self.head.push(' '),
                _ => self.head.push(char),
            }
        }
    }

    fn modules_at(&self, depth: usize) -> &[String] {
        depth
            .checked_sub(1)
            .and_then(|index| self.open.get(index))
            .map_or(&self.modules, |open| &open.modules)
    }

    fn open(&mut self, bracket: char) {
        let mut open = Open { bracket, scope: None, before: String::new(), modules: Vec::new() };
        if bracket == '{' {
            self.declare();
            open.scope = scope(&self.head);
            self.head.clear();
        } else {
            open.before = std::mem::take(&mut self.head);
        }
        self.open.push(open);
    }

    fn close(&mut self, bracket: char) {
        let Some(Open { bracket: opened, before, .. }) = self.open.pop() else { return };
        let inner = std::mem::take(&mut self.head);
        if opened != '{' {
            self.head = format!("{before}{opened}{inner}{bracket}");
        }
    }

    /// Notes the module of the head, if that is one.
    fn declare(&mut self) {
        let Some(item) = attributes(&self.head).filter(|item| !item.has_cfg) else { return };
        let words: Vec<&str> = item.rest.split_whitespace().collect();
        if let ["mod", name] | [_, "mod", name] = words[..] {
            let name = name.to_owned();
            let place = self.open.last_mut().map_or(&mut self.modules, |open| &mut open.modules);
            place.push(name);
        }
    }
}

/// An item without the attributes above it.
struct Item<'a> {
    rest: &'a str,
    has_cfg: bool,
}

/// `head` without its attributes, if those leave an item in its place.
fn attributes(head: &str) -> Option<Item<'_>> {
    const INERT: &[&str] =
        &["allow", "cfg", "clippy", "deny", "doc", "expect", "forbid", "must_use", "rustfmt", "warn"];
    let mut rest = head.trim();
    let mut has_cfg = false;
    while let Some(attribute) = rest.strip_prefix("#[").or_else(|| rest.strip_prefix("#![")) {
        let name: String = attribute.trim_start().chars().take_while(|char| is_word(*char)).collect();
        if !INERT.contains(&name.as_str()) {
            return None;
        }
        has_cfg |= name == "cfg";
        rest = attribute.get(end(attribute, '[', ']')?..)?.trim_start();
    }
    Some(Item { rest, has_cfg })
}

/// Behind the bracket that closes the one which is open at the start of `text`.
fn end(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 1;
    let mut last = ' ';
    for (at, char) in text.char_indices() {
        // `->` closes nothing.
        match char {
            _ if char == open => depth += 1,
            _ if char == close && last != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + char.len_utf8());
        }
        last = char;
    }
    None
}

/// The scope of the braces behind `head`, if it is certain.
fn scope(head: &str) -> Option<Scope> {
    let item = attributes(head)?.rest;
    let (first, rest) = word(item)?;
    match first {
        "pub" => {
            let rest = rest.trim_start();
            match rest.strip_prefix('(') {
                Some(restricted) => scope(restricted.get(end(restricted, '(', ')')?..)?),
                None => scope(rest),
            }
        }
        "unsafe" | "default" | "const" | "async" | "auto" => scope(rest),
        "mod" => Some(Scope::Module),
        "trait" => Some(Scope::Trait),
        "fn" => Some(Scope::Function),
        "impl" => scope_of_impl(rest),
        _ => None,
    }
}

fn scope_of_impl(rest: &str) -> Option<Scope> {
    let mut header = rest.trim();
    if let Some(parameters) = header.strip_prefix('<') {
        header = parameters.get(end(parameters, '<', '>')?..)?.trim_start();
    }
    let words: Vec<&str> = header.split(' ').collect();
    let clause = words.iter().position(|word| *word == "where").unwrap_or(words.len());
    let header = words.get(..clause)?;
    let of = header.iter().position(|word| *word == "for");
    let ty = header.get(of.map_or(0, |at| at + 1)..)?.join(" ").trim().to_owned();
    let borrowing = holds_borrow(&ty).then_some(ty);
    Some(Scope::Impl { of_a_trait: of.is_some(), borrowing })
}

/// Whether a type is written with a lifetime other than `'static`. Those of `Fn(&T)` are not the type's own.
fn holds_borrow(ty: &str) -> bool {
    if ty.contains('(') {
        return false;
    }
    let short = |(at, _): (usize, &str)| !ty.get(at + 1..).is_some_and(|rest| rest.starts_with("static"));
    ty.match_indices('\'').any(short) || ty.match_indices('&').any(|(at, _)| !ty[at + 1..].starts_with('\''))
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(|char| !is_word(char)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The characters of a program without its comments, and with empty strings.
struct Code<'a>(&'a str);

impl Code<'_> {
    fn skip_to(&mut self, end: &str) {
        self.0 = self.0.find(end).map_or("", |at| &self.0[at + end.len()..]);
    }

    fn skip_comment(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            let Some(at) = self.0.find(['*', '/']) else { break };
            let rest = &self.0[at..];
            let step = match rest.get(..2) {
                Some("*/") => (2, depth - 1),
                Some("/*") => (2, depth + 1),
                _ => (1, depth),
            };
            self.0 = &rest[step.0..];
            depth = step.1;
        }
        if depth > 0 {
            self.0 = "";
        }
    }

    /// To the end of a string with escapes.
    fn skip_string(&mut self) {
        while let Some(at) = self.0.find(['"', '\\']) {
            let escape = self.0[at..].starts_with('\\');
            let rest = &self.0[at + 1..];
            self.0 =
                if escape { rest.char_indices().nth(1).map_or("", |(next, _)| &rest[next..]) } else { rest };
            if !escape {
                return;
            }
        }
        self.0 = "";
    }

    /// Over the rest of a character literal, if this is one and no lifetime.
    fn skip_character(&mut self) -> bool {
        if let Some(escaped) = self.0.strip_prefix('\\') {
            let behind = escaped.char_indices().nth(1).map_or("", |(next, _)| &escaped[next..]);
            self.0 = behind;
            self.skip_to("'");
            return true;
        }
        let mut chars = self.0.chars();
        chars.next();
        let is_character = chars.next() == Some('\'');
        if is_character {
            self.0 = chars.as_str();
        }
        is_character
    }
}

impl Iterator for Code<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let text = self.0;
        let char = text.chars().next()?;
        self.0 = &text[char.len_utf8()..];
        match char {
            '/' if self.0.starts_with('/') => {
                self.skip_to("\n");
                return Some(' ');
            }
            '/' if self.0.starts_with('*') => {
                self.0 = &self.0[1..];
                self.skip_comment();
                return Some(' ');
            }
            '"' => self.skip_string(),
            '\'' if self.skip_character() => return Some('"'),
            'r' => {
                let hashes = self.0.len() - self.0.trim_start_matches('#').len();
                if self.0[hashes..].starts_with('"') {
                    self.0 = &self.0[hashes + 1..];
                    self.skip_to(&format!("\"{}", "#".repeat(hashes)));
                    return Some('"');
                }
            }
            _ => {}
        }
        Some(char)
    }
}
