//! Names of services, targets and ARNs, made of the values of a resource's dimensions.

/// A text with places for values of dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A dimension's value, or its part between slashes.
    Value(String, Option<usize>),
}

/// How the ARN of a resource is made, without partition, region and account: `rds:db:{DBInstanceIdentifier}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn {
    /// Amazon's word for the service, such as `rds`.
    pub service: String,
    /// The service, with the type of the resource where it stands before the first dimension: `rds:db`.
    pub kind: String,
    whole: Template,
}

impl Template {
    pub(super) fn parse(text: &str, dimensions: &[String]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inner, after)) = after.split_once('}') else {
                return Err(format!("{text:?} has a brace that does not end"));
            };
            let (name, part) = match inner.rsplit_once('/') {
                Some((name, part)) => {
                    (name, Some(part.parse().map_err(|_| format!("{part:?} is no number of a part"))?))
                }
                None => (inner, None),
            };
            if !dimensions.iter().any(|known| known == name) {
                return Err(format!("{name:?} is not among the dimensions"));
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Value(name.to_owned(), part));
            rest = after;
        }
        if pieces.is_empty() {
            return Err(format!("{text:?} names no dimension: all resources would have one name"));
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// Fills in the values of a resource; a value without such a part goes in whole.
    ///
    /// `value`: returns a dimension's value.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> &'a str) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value(name, part) => {
                    let whole = value(name);
                    let piece = part.and_then(|part| whole.split('/').nth(part)).filter(|piece| !piece.is_empty());
                    text.push_str(piece.unwrap_or(whole));
                }
            }
        }
        text
    }
}

impl Arn {
    pub(super) fn parse(text: &str, dimensions: &[String]) -> Result<Self, String> {
        let is_word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let (service, resource) =
            text.split_once(':').filter(|(service, _)| is_word(service) && *service != "arn").ok_or_else(|| {
                format!("{text:?} is not service and resource of an ARN, such as \"rds:db:{{DBInstanceIdentifier}}\"")
            })?;
        let kind = resource.split([':', '/', '{']).next().filter(|kind| is_word(kind));
        let kind = kind.map_or_else(|| service.to_owned(), |kind| format!("{service}:{kind}"));
        Ok(Self { service: service.to_owned(), kind, whole: Template::parse(text, dimensions)? })
    }

    /// Fills in the values of a resource.
    ///
    /// `value`: returns a dimension's value.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> &'a str) -> String {
        self.whole.fill(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_parts_and_a_value_without_such_a_part_goes_in_whole() {
        let dimensions = ["LoadBalancer".to_owned()];
        let template = Template::parse("alb:{LoadBalancer/1}", &dimensions).expect("valid");
        for (value, name) in [("app/web/50dc", "alb:web"), ("web", "alb:web"), ("app//x", "alb:app//x")] {
            assert_eq!(template.fill(|_| value), name);
        }
    }
}
