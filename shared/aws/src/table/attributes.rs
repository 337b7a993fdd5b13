//! Reading and writing items: each attribute typed, each absence or surprise an error that names the key.

use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use modbox_sandbox::Timestamp;

use crate::Error;

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
/// The version of the item's format.
const FORMAT: &str = "v";
const FORMAT_VERSION: u32 = 1;

/// Builds an item.
#[derive(Debug)]
pub(crate) struct Writer(Item);

impl Writer {
    pub(crate) fn new(key: &str) -> Self {
        Self::in_format(FORMAT_VERSION, key)
    }

    /// An item of a kind whose format has changed since the first.
    pub(crate) fn in_format(format: u32, key: &str) -> Self {
        let mut item = key_of(key);
        item.insert(FORMAT.to_owned(), number(format));
        Self(item)
    }

    pub(crate) fn string(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::S(value.into()));
        self
    }

    pub(crate) fn number(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), number(value));
        self
    }

    pub(crate) fn time(self, name: &str, value: Timestamp) -> Self {
        self.number(name, value.millis())
    }

    pub(crate) fn flag(mut self, name: &str, value: bool) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::Bool(value));
        self
    }

    pub(crate) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::B(Blob::new(value)));
        self
    }

    pub(crate) fn strings(mut self, name: &str, values: &BTreeMap<String, String>) -> Self {
        let values = values.iter().map(|(name, value)| (name.clone(), AttributeValue::S(value.clone())));
        self.0.insert(name.to_owned(), AttributeValue::M(values.collect()));
        self
    }

    /// Continues only with a value.
    pub(crate) fn with<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    pub(crate) fn item(self) -> Item {
        self.0
    }
}

/// The key of a single item: `pk` and `sk` are equal.
pub(crate) fn key_of(key: &str) -> Item {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(key.to_owned())),
        (SK.to_owned(), AttributeValue::S(key.to_owned())),
    ])
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Reads an item, suspicious of everything in it.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    table: &'a str,
    item: &'a Item,
}

impl<'a> Reader<'a> {
    /// Refuses an item of a format that this version does not know.
    pub(crate) fn new(table: &'a str, item: &'a Item) -> Result<Self, Error> {
        Self::in_format(FORMAT_VERSION, table, item)
    }

    /// The same for an item of a kind that counts its formats by itself.
    pub(crate) fn in_format(known: u32, table: &'a str, item: &'a Item) -> Result<Self, Error> {
        let reader = Self { table, item };
        match reader.number::<u32>(FORMAT)? {
            format if format == known => Ok(reader),
            format => Err(Error::UnknownFormat { table: table.to_owned(), key: reader.key(), format }),
        }
    }

    pub(crate) fn corrupt(&self, reason: impl Into<String>) -> Error {
        Error::Corrupt { table: self.table.to_owned(), key: self.key(), reason: reason.into() }
    }

    fn key(&self) -> String {
        let key = self.item.get(PK).and_then(|pk| pk.as_s().ok());
        key.cloned().unwrap_or_else(|| "without pk".to_owned())
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Error> {
        value.ok_or_else(|| self.corrupt(format!("attribute {name} is missing")))
    }

    pub(crate) fn opt_string(&self, name: &str) -> Result<Option<&'a str>, Error> {
        self.item
            .get(name)
            .map(|value| match value {
                AttributeValue::S(text) => Ok(text.as_str()),
                _ => Err(self.corrupt(format!("attribute {name} is no string"))),
            })
            .transpose()
    }

    pub(crate) fn string(&self, name: &str) -> Result<&'a str, Error> {
        self.required(name, self.opt_string(name)?)
    }

    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<T, Error> {
        self.string(name)?.parse().map_err(|_| self.corrupt(format!("attribute {name} cannot be read")))
    }

    pub(crate) fn opt_number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        let wrong = || self.corrupt(format!("attribute {name} is no number of its kind"));
        self.item
            .get(name)
            .map(|value| match value {
                AttributeValue::N(text) => text.parse().map_err(|_| wrong()),
                _ => Err(wrong()),
            })
            .transpose()
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<T, Error> {
        self.required(name, self.opt_number(name)?)
    }

    pub(crate) fn opt_time(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.opt_number(name)?.map(Timestamp::from_millis))
    }

    pub(crate) fn time(&self, name: &str) -> Result<Timestamp, Error> {
        self.required(name, self.opt_time(name)?)
    }

    /// False where it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.item.get(name) {
            None => Ok(false),
            Some(AttributeValue::Bool(value)) => Ok(*value),
            Some(_) => Err(self.corrupt(format!("attribute {name} is no truth value"))),
        }
    }

    /// Strings by name; none where it is absent.
    pub(crate) fn strings(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let wrong = || self.corrupt(format!("attribute {name} is no map of strings"));
        let Some(value) = self.item.get(name) else { return Ok(BTreeMap::new()) };
        let values = value.as_m().map_err(|_| wrong())?.iter();
        values.map(|(name, value)| Ok((name.clone(), value.as_s().map_err(|_| wrong())?.clone()))).collect()
    }

    pub(crate) fn opt_bytes(&self, name: &str) -> Result<Option<&'a [u8]>, Error> {
        self.item
            .get(name)
            .map(|value| match value {
                AttributeValue::B(blob) => Ok(blob.as_ref()),
                _ => Err(self.corrupt(format!("attribute {name} is no binary"))),
            })
            .transpose()
    }
}
