//! Event filter patterns, as an event source mapping of Lambda has them.

use serde_json::{Map, Value};

/// A pattern that EventBridge would refuse, or that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the filter pattern at {path}: {reason}")]
pub struct InvalidFilter {
    pub path: String,
    pub reason: &'static str,
}

/// One pattern: an event passes if each of its fields does.
///
/// As in EventBridge, only leaves count: `{"live": [{"exists": true}]}` does not match where `live` is an object, and
/// `exists: false` matches where it is one, or where a parent is missing. An array passes if one of its elements does.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Vec<Field>);

#[derive(Clone, Debug, PartialEq)]
struct Field {
    path: Vec<String>,
    any_of: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Is(Value),
    Prefix(String),
    AnythingBut(Vec<Value>),
    Exists(bool),
}

impl Filter {
    pub fn parse(pattern: &Value) -> Result<Self, InvalidFilter> {
        let mut fields = Vec::new();
        match pattern {
            Value::Object(members) => collect(members, &mut Vec::new(), &mut fields)?,
            _ => return Err(invalid(&[], "a pattern is an object")),
        }
        Ok(Self(fields))
    }

    pub fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|field| field.matches(event))
    }
}

impl Field {
    fn matches(&self, event: &Value) -> bool {
        let mut leaves = Vec::new();
        find(event, &self.path, &mut leaves);
        self.any_of.iter().any(|test| test.passes(&leaves))
    }
}

impl Test {
    fn passes(&self, leaves: &[&Value]) -> bool {
        match self {
            Self::Is(literal) => leaves.contains(&literal),
            Self::Prefix(prefix) => {
                leaves.iter().any(|leaf| leaf.as_str().is_some_and(|text| text.starts_with(prefix)))
            }
            Self::AnythingBut(literals) => leaves.iter().any(|leaf| !literals.contains(leaf)),
            Self::Exists(wanted) => leaves.is_empty() != *wanted,
        }
    }
}

fn collect(
    members: &Map<String, Value>,
    path: &mut Vec<String>,
    fields: &mut Vec<Field>,
) -> Result<(), InvalidFilter> {
    for (name, value) in members {
        path.push(name.clone());
        match value {
            Value::Object(members) => collect(members, path, fields)?,
            Value::Array(tests) if !tests.is_empty() => fields.push(field(tests, path)?),
            _ => {
                return Err(invalid(path, "a field is an object or an array with something in it"));
            }
        }
        path.pop();
    }
    Ok(())
}

fn field(tests: &[Value], path: &[String]) -> Result<Field, InvalidFilter> {
    let any_of: Result<Vec<Test>, InvalidFilter> = tests.iter().map(|value| test(value, path)).collect();
    Ok(Field { path: path.to_vec(), any_of: any_of? })
}

fn test(value: &Value, path: &[String]) -> Result<Test, InvalidFilter> {
    let Value::Object(members) = value else {
        return literal(value, path).map(Test::Is);
    };
    let mut members = members.iter();
    let (Some((name, argument)), None) = (members.next(), members.next()) else {
        return Err(invalid(path, "a test has one name"));
    };
    match (name.as_str(), argument) {
        ("exists", Value::Bool(wanted)) => Ok(Test::Exists(*wanted)),
        ("prefix", Value::String(prefix)) => Ok(Test::Prefix(prefix.clone())),
        ("anything-but", Value::Array(literals)) => {
            let literals: Result<_, _> = literals.iter().map(|value| literal(value, path)).collect();
            literals.map(Test::AnythingBut)
        }
        ("anything-but", value) => Ok(Test::AnythingBut(vec![literal(value, path)?])),
        _ => Err(invalid(path, "the test is none of exists, prefix and anything-but")),
    }
}

fn literal(value: &Value, path: &[String]) -> Result<Value, InvalidFilter> {
    match value {
        Value::Object(_) | Value::Array(_) => {
            Err(invalid(path, "a literal is a text, a number, a boolean or null"))
        }
        value => Ok(value.clone()),
    }
}

/// Collects the leaves at a path. Arrays on the way, and at its end, stand for their elements.
fn find<'a>(value: &'a Value, path: &[String], leaves: &mut Vec<&'a Value>) {
    match (value, path.split_first()) {
        (Value::Array(elements), _) => elements.iter().for_each(|element| find(element, path, leaves)),
        (Value::Object(members), Some((name, rest))) => {
            if let Some(value) = members.get(name) {
                find(value, rest, leaves);
            }
        }
        (Value::Object(_), None) | (_, Some(_)) => {}
        (leaf, None) => leaves.push(leaf),
    }
}

fn invalid(path: &[String], reason: &'static str) -> InvalidFilter {
    InvalidFilter { path: path.join("."), reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "json! reads best in place")]
    fn matches(pattern: Value, event: Value) -> bool {
        Filter::parse(&pattern).unwrap().matches(&event)
    }

    #[expect(clippy::needless_pass_by_value, reason = "json! reads best in place")]
    fn image(attributes: Value) -> Value {
        json!({"eventName": "MODIFY", "dynamodb": {"NewImage": attributes}})
    }

    #[test]
    fn one_literal_of_several_is_enough() {
        let pattern = || json!({"dynamodb": {"NewImage": {"wants": {"S": ["task", "stop"]}}}});
        assert!(matches(pattern(), image(json!({"wants": {"S": "task"}}))));
        assert!(matches(pattern(), image(json!({"wants": {"S": "stop"}}))));
        assert!(!matches(pattern(), image(json!({"wants": {"S": "tasks"}}))));
        assert!(!matches(pattern(), image(json!({"wants": {"N": "1"}}))));
        assert!(!matches(pattern(), json!({"eventName": "REMOVE", "dynamodb": {}})));
    }

    #[test]
    fn every_field_must_match() {
        let pattern = || json!({"eventName": ["MODIFY"], "dynamodb": {"NewImage": {"a": {"S": ["1"]}, "b": {"S": ["2"]}}}});
        assert!(matches(pattern(), image(json!({"a": {"S": "1"}, "b": {"S": "2"}}))));
        assert!(!matches(pattern(), image(json!({"a": {"S": "1"}, "b": {"S": "3"}}))));
        assert!(!matches(pattern(), image(json!({"a": {"S": "1"}}))));
    }

    #[test]
    fn what_is_absent_does_not_exist_even_where_its_parent_is_missing() {
        let gone = || json!({"dynamodb": {"NewImage": {"live": {"S": [{"exists": false}]}}}});
        assert!(matches(gone(), json!({"dynamodb": {"OldImage": {"live": {"S": "1"}}}})));
        assert!(matches(gone(), image(json!({}))));
        assert!(!matches(gone(), image(json!({"live": {"S": "1"}}))));
        let there = || json!({"dynamodb": {"NewImage": {"live": {"S": [{"exists": true}]}}}});
        assert!(matches(there(), image(json!({"live": {"S": "1"}}))));
        assert!(matches(there(), image(json!({"live": {"S": null}}))));
        assert!(!matches(there(), image(json!({}))));
    }

    #[test]
    fn only_leaves_exist() {
        let pattern = |wanted: bool| json!({"dynamodb": {"NewImage": {"live": [{"exists": wanted}]}}});
        assert!(!matches(pattern(true), image(json!({"live": {"S": "1"}}))));
        assert!(matches(pattern(false), image(json!({"live": {"S": "1"}}))));
    }

    #[test]
    fn a_prefix_is_of_a_text() {
        let pattern = || json!({"pk": [{"prefix": "SANDBOX#"}]});
        assert!(matches(pattern(), json!({"pk": "SANDBOX#1"})));
        assert!(!matches(pattern(), json!({"pk": "NAME#1"})));
        assert!(!matches(pattern(), json!({"pk": 1})));
    }

    #[test]
    fn anything_but_wants_something() {
        let pattern = || json!({"state": [{"anything-but": ["a", "b"]}]});
        assert!(matches(pattern(), json!({"state": "c"})));
        assert!(!matches(pattern(), json!({"state": "a"})));
        assert!(!matches(pattern(), json!({})));
        assert!(!matches(json!({"state": [{"anything-but": "a"}]}), json!({"state": "a"})));
    }

    #[test]
    fn an_array_passes_by_one_of_its_elements() {
        assert!(matches(json!({"tags": ["b"]}), json!({"tags": ["a", "b"]})));
        assert!(matches(json!({"list": {"name": ["x"]}}), json!({"list": [{"name": "y"}, {"name": "x"}]})));
        assert!(matches(json!({"tags": [{"exists": false}]}), json!({"tags": []})));
    }

    #[test]
    fn literals_are_compared_by_type() {
        assert!(matches(json!({"n": [1, null, true]}), json!({"n": null})));
        assert!(matches(json!({"n": [1, null, true]}), json!({"n": true})));
        assert!(!matches(json!({"n": [1]}), json!({"n": "1"})));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for pattern in [
            json!([]),
            json!({"a": "x"}),
            json!({"a": []}),
            json!({"a": [{"numeric": [">", 0]}]}),
            json!({"a": [{"exists": "yes"}]}),
            json!({"a": [{"exists": true, "prefix": "x"}]}),
            json!({"a": [["x"]]}),
        ] {
            assert!(Filter::parse(&pattern).is_err(), "{pattern}");
        }
        let deep = Filter::parse(&json!({"dynamodb": {"Keys": 1}})).unwrap_err();
        assert_eq!(deep.path, "dynamodb.Keys");
    }
}
