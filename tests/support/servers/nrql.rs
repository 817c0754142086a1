//! A small grammar of NRQL: what the program sends has to be in it, and the server answers by it.

use std::collections::BTreeMap;

/// One query, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Nrql {
    pub select: Vec<Column>,
    pub from: Vec<String>,
    pub condition: Condition,
    pub facets: Vec<String>,
    pub since: i64,
    pub until: i64,
    /// Width of a bucket, milliseconds.
    pub step: Option<i64>,
    pub limit: usize,
}

/// `percentile(duration, 95) AS 'p'`
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub function: String,
    pub attribute: String,
    pub numbers: Vec<f64>,
    pub alias: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Always,
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    In(String, Vec<String>),
    Like(String, String),
    Null(String),
    Compare(String, String, String),
}

impl Condition {
    /// Tells whether a row fits; `Compare` with numbers always does.
    pub fn holds(&self, row: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Always => true,
            Self::And(all) => all.iter().all(|one| one.holds(row)),
            Self::Or(all) => all.iter().any(|one| one.holds(row)),
            Self::Not(one) => !one.holds(row),
            Self::In(name, list) => row.get(name).is_some_and(|value| list.contains(value)),
            Self::Like(name, pattern) => row.get(name).is_some_and(|value| like(value, pattern)),
            Self::Null(name) => !row.contains_key(name),
            Self::Compare(name, sign, value) => match sign.as_str() {
                "=" => row.get(name) == Some(value),
                "!=" => row.get(name) != Some(value),
                _ => true,
            },
        }
    }
}

fn like(value: &str, pattern: &str) -> bool {
    match pattern.split_once('%') {
        None => value == pattern,
        Some((start, "")) => value.starts_with(start),
        Some((start, rest)) => value.strip_prefix(start).is_some_and(|value| {
            (0..=value.len()).filter(|at| value.is_char_boundary(*at)).any(|at| like(&value[at..], rest))
        }),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(String),
}

const FUNCTIONS: [&str; 10] =
    ["count", "average", "sum", "percentile", "earliest", "latest", "uniques", "max", "min", "numeric"];
const CLAUSES: [&str; 8] = ["FROM", "WHERE", "FACET", "SINCE", "UNTIL", "TIMESERIES", "LIMIT", "AS"];

/// Takes a query apart. `Err` says where it stops being NRQL.
pub fn parse(text: &str) -> Result<Nrql, String> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0 };
    reader.word("SELECT")?;
    let select = reader.list(Reader::column)?;
    reader.word("FROM")?;
    let from = reader.list(Reader::name)?;
    let condition = if reader.is("WHERE") { reader.any_of()? } else { Condition::Always };
    let facets = if reader.is("FACET") { reader.list(Reader::name)? } else { Vec::new() };
    if facets.len() > 5 {
        return Err("more than five facets".to_owned());
    }
    reader.word("SINCE")?;
    let since = reader.number()? as i64;
    reader.word("UNTIL")?;
    let until = reader.number()? as i64;
    let step = if reader.is("TIMESERIES") { Some(reader.step()?) } else { None };
    let limit = if reader.is("LIMIT") { reader.limit()? } else { 10 };
    if reader.at < reader.tokens.len() {
        return Err(format!("left over: {:?}", &reader.tokens[reader.at..]));
    }
    if until <= since {
        return Err(format!("an empty window: {since} to {until}"));
    }
    Ok(Nrql { select, from, condition, facets, since, until, step, limit })
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            ' ' => {}
            '\'' | '`' => {
                let mut value = String::new();
                loop {
                    match signs.next().ok_or("a quotation is not closed")? {
                        '\\' if sign == '\'' => value.push(signs.next().ok_or("nothing after a backslash")?),
                        end if end == sign => break,
                        other => value.push(other),
                    }
                }
                tokens.push(if sign == '`' { Token::Word(value) } else { Token::Text(value) });
            }
            '(' | ')' | ',' | '*' | '/' | '=' => tokens.push(Token::Sign(sign.to_string())),
            '>' | '<' | '!' => {
                let more = signs.next_if_eq(&'=').map(String::from).unwrap_or_default();
                tokens.push(Token::Sign(format!("{sign}{more}")));
            }
            _ if sign.is_ascii_digit() => {
                let mut value = sign.to_string();
                while let Some(next) = signs.next_if(|next| next.is_ascii_digit() || *next == '.') {
                    value.push(next);
                }
                tokens.push(Token::Number(value.parse().map_err(|_| format!("{value} is no number"))?));
            }
            _ if sign.is_ascii_alphabetic() => {
                let mut value = sign.to_string();
                while let Some(next) = signs.next_if(|next| next.is_ascii_alphanumeric() || matches!(next, '.' | '_')) {
                    value.push(next);
                }
                tokens.push(Token::Word(value));
            }
            other => return Err(format!("the sign {other:?} has no place in NRQL")),
        }
    }
    Ok(tokens)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Result<Token, String> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().ok_or_else(|| "it stops in the middle".to_owned())
    }

    /// Takes a word or sign if it is the next one.
    fn is(&mut self, wanted: &str) -> bool {
        let fits = match self.tokens.get(self.at) {
            Some(Token::Word(word)) => word == wanted,
            Some(Token::Sign(sign)) => sign == wanted,
            _ => false,
        };
        self.at += usize::from(fits);
        fits
    }

    fn word(&mut self, wanted: &str) -> Result<(), String> {
        if self.is(wanted) { Ok(()) } else { Err(format!("{wanted} expected, found {:?}", self.tokens.get(self.at))) }
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut list = vec![one(self)?];
        while self.is(",") {
            list.push(one(self)?);
        }
        Ok(list)
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Word(word) if !CLAUSES.contains(&word.as_str()) => Ok(word),
            other => Err(format!("a name expected, found {other:?}")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            other => Err(format!("a quoted text expected, found {other:?}")),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        match self.next()? {
            Token::Number(number) => Ok(number),
            other => Err(format!("a number expected, found {other:?}")),
        }
    }

    fn column(&mut self) -> Result<Column, String> {
        let mut function = self.name()?;
        self.word("(")?;
        let mut column =
            Column { function: String::new(), attribute: String::new(), numbers: vec![], alias: String::new() };
        if function == "filter" {
            let inner = self.name()?;
            self.word("(")?;
            column.attribute = self.name()?;
            self.word(")")?;
            self.word(",")?;
            self.word("WHERE")?;
            self.any_of()?;
            if !FUNCTIONS.contains(&inner.as_str()) {
                return Err(format!("unknown function {inner}"));
            }
        } else {
            if !FUNCTIONS.contains(&function.as_str()) {
                return Err(format!("unknown function {function}"));
            }
            column.attribute = if self.is("*") { "*".to_owned() } else { self.name()? };
            while self.is(",") {
                column.numbers.push(self.number()?);
            }
        }
        self.word(")")?;
        self.word("AS")?;
        column.alias = self.text()?;
        std::mem::swap(&mut column.function, &mut function);
        Ok(column)
    }

    fn any_of(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.all_of()?];
        while self.is("OR") {
            all.push(self.all_of()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Or(all) })
    }

    fn all_of(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.one()?];
        while self.is("AND") {
            all.push(self.one()?);
        }
        Ok(Condition::And(all))
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.is("NOT") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.is("(") {
            let inner = self.any_of()?;
            self.word(")")?;
            return Ok(inner);
        }
        let mut name = self.name()?;
        if name == "numeric" {
            self.word("(")?;
            name = self.name()?;
            self.word(")")?;
        }
        if self.is("IN") {
            self.word("(")?;
            let list = self.list(Self::text)?;
            self.word(")")?;
            return Ok(Condition::In(name, list));
        }
        if self.is("LIKE") {
            return Ok(Condition::Like(name, self.text()?));
        }
        if self.is("NOT") {
            self.word("LIKE")?;
            return Ok(Condition::Not(Box::new(Condition::Like(name, self.text()?))));
        }
        if self.is("IS") {
            let is_not = self.is("NOT");
            self.word("NULL")?;
            let null = Condition::Null(name);
            return Ok(if is_not { Condition::Not(Box::new(null)) } else { null });
        }
        let sign = match self.next()? {
            Token::Sign(sign) if matches!(sign.as_str(), "=" | "!=" | ">" | "<" | ">=" | "<=") => sign,
            other => return Err(format!("a comparison expected, found {other:?}")),
        };
        let value = match self.next()? {
            Token::Text(text) => text,
            Token::Number(number) => number.to_string(),
            other => return Err(format!("a value expected, found {other:?}")),
        };
        Ok(Condition::Compare(name, sign, value))
    }

    fn step(&mut self) -> Result<i64, String> {
        let count = self.number()? as i64;
        let unit = match self.name()?.as_str() {
            "minute" | "minutes" => 60_000,
            "hour" | "hours" => 3_600_000,
            other => return Err(format!("unknown unit {other}")),
        };
        Ok(count * unit)
    }

    fn limit(&mut self) -> Result<usize, String> {
        if self.is("MAX") {
            return Ok(5_000);
        }
        match self.number()? as usize {
            limit @ 1..=5_000 => Ok(limit),
            limit => Err(format!("LIMIT {limit} is not from 1 to 5000")),
        }
    }
}
