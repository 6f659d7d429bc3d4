//! Parsing of addresses. Money that is sent to a mistyped address is lost, so the checksum of EIP-55 is checked if
//! there is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use alloy::primitives::Address;
use serde::{Deserialize, Deserializer, de::Error as _};

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not `0x` and 40 hexadecimal digits.
    #[error("`{0}` is not an address: write 0x and 40 hexadecimal digits")]
    Form(String),
    /// Its checksum is wrong.
    #[error("the checksum of `{0}` is wrong, so a digit is mistyped: copy the address again from a trusted source")]
    Checksum(String),
}

/// Parses an address: `0x` and 40 hexadecimal digits. Digits in mixed case are a checksum, which must be right; digits
/// in one case have no checksum.
///
/// # Errors
/// Any other text, and a wrong checksum.
pub fn parse(text: &str) -> Result<Address, AddressError> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
    let address = digits.and_then(|digits| Address::from_str(digits).ok());
    let (Some(digits), Some(address)) = (digits, address) else {
        return Err(AddressError::Form(text.chars().take(80).collect()));
    };
    let has = |is_case: fn(&u8) -> bool| digits.as_bytes().iter().any(is_case);
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if is_mixed && address.to_checksum(None) != text { Err(AddressError::Checksum(text.into())) } else { Ok(address) }
}

/// An address in a hand-written file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ParsedAddress(Address);

impl<'de> Deserialize<'de> for ParsedAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// For `deserialize_with`.
///
/// # Errors
/// As [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    ParsedAddress::deserialize(deserializer).map(|address| address.0)
}

/// For `deserialize_with` of an optional address.
///
/// # Errors
/// As [`parse`].
pub fn deserialize_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    Ok(Option::<ParsedAddress>::deserialize(deserializer)?.map(|address| address.0))
}

/// For `deserialize_with` of a list of addresses.
///
/// # Errors
/// As [`parse`].
pub fn deserialize_set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Address>, D::Error> {
    Ok(BTreeSet::<ParsedAddress>::deserialize(deserializer)?.into_iter().map(|address| address.0).collect())
}

/// For `deserialize_with` of a table whose keys are addresses.
///
/// # Errors
/// As [`parse`].
pub fn deserialize_map<'de, D, V>(deserializer: D) -> Result<BTreeMap<Address, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    let table = BTreeMap::<ParsedAddress, V>::deserialize(deserializer)?;
    Ok(table.into_iter().map(|(address, value)| (address.0, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From EIP-55.
    const GOOD: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    #[test]
    fn a_checksum_must_be_right_where_there_is_one() {
        let address = parse(GOOD).unwrap();
        assert_eq!(address.to_checksum(None), GOOD);
        assert_eq!(parse(&GOOD.to_lowercase()), Ok(address));
        assert_eq!(parse(&format!("0x{}", GOOD[2..].to_uppercase())), Ok(address));
        for wrong in [GOOD.replacen("5aA", "5AA", 1), GOOD.replacen("Aed", "aed", 1), GOOD.replacen("6053", "6063", 1)]
        {
            assert_eq!(parse(&wrong), Err(AddressError::Checksum(wrong.clone())));
        }
        assert!(parse("0x0000000000000000000000000000000000000000").is_ok());
    }

    #[test]
    fn anything_else_is_not_an_address() {
        let long = format!("{GOOD}0");
        let not_hexadecimal = GOOD.replacen("5a", "5g", 1);
        let upper_prefix = GOOD.replacen("0x", "0X", 1);
        let twice = format!("0x0x{}", &GOOD[4..]);
        for text in ["", "0x", &GOOD[2..], &GOOD[..41], &long, &not_hexadecimal, &upper_prefix, &twice, "0xäöü", " "]
        {
            assert!(matches!(parse(text), Err(AddressError::Form(_))), "{text}");
        }
    }

    #[test]
    fn files_are_read_by_the_same_rule() {
        #[derive(Debug, Deserialize)]
        struct File {
            #[serde(deserialize_with = "deserialize")]
            one: Address,
            #[serde(default, deserialize_with = "deserialize_option")]
            maybe: Option<Address>,
            #[serde(deserialize_with = "deserialize_set")]
            list: BTreeSet<Address>,
            #[serde(deserialize_with = "deserialize_map")]
            table: BTreeMap<Address, u8>,
        }
        let good = |field: &str| match field {
            "list" => format!("[\"{GOOD}\"]"),
            "table" => format!("{{\"{GOOD}\":7}}"),
            _ => format!("\"{GOOD}\""),
        };
        let fields = ["one", "maybe", "list", "table"];
        let file = |wrong: &str| {
            let value = |field: &str| {
                if field == wrong { good(field).replace("5aA", "5AA") } else { good(field) }
            };
            let text: Vec<_> = fields.iter().map(|field| format!("\"{field}\":{}", value(field))).collect();
            serde_json::from_str::<File>(&format!("{{{}}}", text.join(",")))
        };
        let read = file("none").unwrap();
        let address = parse(GOOD).unwrap();
        assert_eq!((read.one, read.maybe, read.table[&address]), (address, Some(address), 7));
        assert!(read.list.contains(&address));
        for wrong in fields {
            assert!(file(wrong).unwrap_err().to_string().contains("checksum"), "{wrong}");
        }
    }
}
