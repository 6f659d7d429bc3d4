//! Units: amounts and times, in the form that people write and in the exact form of the chain.

use std::{fmt, str::FromStr, time::Duration};

use alloy::primitives::{
    Address, U256,
    utils::{ParseUnits, format_units, parse_units},
};
use serde::{Deserialize, Serialize};

/// Formats a unix time.
#[must_use]
pub fn time(unix: u64) -> String {
    let time = i64::try_from(unix).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| unix.to_string(), |time| time.to_string())
}

/// An amount in its token's smallest unit. In JSON a decimal string and never a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(pub U256);

impl Amount {
    /// Zero.
    pub const ZERO: Self = Self(U256::ZERO);

    /// The saturating sum.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The saturating difference.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        // The parser would also accept underscores, and empty text as zero.
        let is_whole = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let value = is_whole.then(|| U256::from_str_radix(text, 10).ok()).flatten();
        value.map(Self).ok_or_else(|| AmountError::Whole(text.into()))
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl From<U256> for Amount {
    fn from(value: U256) -> Self {
        Self(value)
    }
}

impl From<u128> for Amount {
    fn from(value: u128) -> Self {
        Self(U256::from(value))
    }
}

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It is not a decimal number.
    #[error("`{0}` is not an amount: write a decimal number such as 1000 or 12.5")]
    Number(String),
    /// It is not a whole number of smallest units.
    #[error("`{0}` is not an amount in a token's smallest unit: write a whole number such as 1000000")]
    Whole(String),
    /// It has the symbol of another token.
    #[error("`{given}` is not the expected token {expected}")]
    Token {
        /// The symbol given.
        given: String,
        /// The symbol expected.
        expected: String,
    },
    /// It has more decimals than the token.
    #[error("`{text}` has more than the {decimals} decimals of {symbol}")]
    Decimals {
        /// The given text.
        text: String,
        /// The token's decimals.
        decimals: u8,
        /// The token's symbol.
        symbol: String,
    },
}

/// A token's symbol and decimals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUnit {
    /// Symbol.
    pub symbol: String,
    /// Decimals: one token is 10^decimals of the smallest unit.
    pub decimals: u8,
    /// The ERC-20 contract; zero for ETH.
    pub address: Address,
}

impl TokenUnit {
    /// The native token of the chain.
    #[must_use]
    pub fn eth() -> Self {
        Self { symbol: "ETH".into(), decimals: 18, address: Address::ZERO }
    }

    /// Parses `12.5` or `12.5 ETH`.
    ///
    /// # Errors
    /// When it has another token's symbol, is not a number, is negative, or has too many decimals.
    pub fn parse(&self, text: &str) -> Result<Amount, AmountError> {
        let text = text.trim();
        let split = text.find(|c: char| c.is_alphabetic() || c.is_whitespace()).unwrap_or(text.len());
        let (number, rest) = text.split_at(split);
        let symbol = rest.trim_start();
        // A symbol has letters, so that `1 000`, `1e5` and `0x10` are invalid numbers and not amounts with a symbol.
        let is_symbol = match symbol.len() == rest.len() {
            _ if symbol.is_empty() => true,
            true => !symbol.contains(|c: char| c.is_ascii_digit()),
            false => symbol.contains(char::is_alphabetic),
        };
        let is_number = number.bytes().all(|c| c.is_ascii_digit() || c == b'.')
            && number.bytes().any(|c| c.is_ascii_digit())
            && number.matches('.').count() <= 1;
        if !(is_number && is_symbol) {
            return Err(AmountError::Number(text.into()));
        }
        if !symbol.is_empty() && !symbol.eq_ignore_ascii_case(&self.symbol) {
            return Err(AmountError::Token { given: symbol.into(), expected: self.symbol.clone() });
        }
        let decimals = number.split_once('.').map_or(0, |(_, digits)| digits.len());
        if decimals > usize::from(self.decimals) {
            return Err(AmountError::Decimals {
                text: text.into(),
                decimals: self.decimals,
                symbol: self.symbol.clone(),
            });
        }
        match parse_units(number, self.decimals) {
            Ok(ParseUnits::U256(value)) => Ok(Amount(value)),
            _ => Err(AmountError::Number(text.into())),
        }
    }

    /// Formats an amount exactly, without trailing zeros: `12.5 ETH`.
    #[must_use]
    pub fn format(&self, amount: Amount) -> String {
        // Fails only for more than 77 decimals; then the smallest unit is shown.
        let number = format_units(amount.0, self.decimals).unwrap_or_else(|_| amount.to_string());
        let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
        format!("{number} {}", self.symbol)
    }
}

/// Formats parts per million as an exact percentage: `92.5 %`.
#[must_use]
pub fn percent(ppm: u32) -> String {
    let (whole, part) = (ppm / 10_000, ppm % 10_000);
    let text = format!("{whole}.{part:04}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write for example 90s, 15m or 2h 30m")]
pub struct ParseDurationError(String);

/// Parses `90s`, `15m`, `2h 30m`.
///
/// # Errors
/// Any other text, and negative durations.
pub fn duration(text: &str) -> Result<Duration, ParseDurationError> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| ParseDurationError(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        let eth = TokenUnit::eth();
        assert_eq!(eth.parse("12.5 ETH").unwrap(), Amount::from(12_500_000_000_000_000_000));
        assert_eq!(eth.parse("1eth").unwrap(), eth.parse("1.0").unwrap());
        assert_eq!(eth.parse("0.000000000000000001").unwrap(), Amount::from(1));
        assert!(matches!(eth.parse("1 DATA"), Err(AmountError::Token { .. })));
        assert!(matches!(eth.parse("0.0000000000000000001"), Err(AmountError::Decimals { .. })));
        for text in [
            "",
            "ETH",
            ".",
            "-1",
            "1.2.3",
            "1e5",
            "0x10",
            "one",
            "1,000",
            "12,5",
            "1_000",
            "1 000",
            "1'000",
            "1,000 ETH",
            "1\u{a0}000",
            "+1",
            "１",
        ] {
            let error = eth.parse(text).unwrap_err();
            assert_eq!(error, AmountError::Number(text.into()));
            assert!(error.to_string().ends_with("write a decimal number such as 1000 or 12.5"), "{error}");
        }
        for text in ["", "1_000", "1.5", "-1", "1 ETH"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::Whole(text.into())));
        }
        let inch = TokenUnit { symbol: "1INCH".into(), ..TokenUnit::eth() };
        assert_eq!(inch.parse("5 1inch").unwrap(), eth.parse("5").unwrap());
    }

    #[test]
    fn percentages_are_exact() {
        assert_eq!(percent(925_000), "92.5 %");
        assert_eq!(percent(1_000_000), "100 %");
        assert_eq!(percent(1), "0.0001 %");
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("2h 30m").unwrap(), Duration::from_secs(9000));
        assert!(duration("-1s").is_err());
        assert!(duration("soon").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: u128, decimals in 0u8..=24) {
            let token = TokenUnit { symbol: "DATA".into(), decimals, address: Address::ZERO };
            let amount = Amount::from(value);
            prop_assert_eq!(token.parse(&token.format(amount)).unwrap(), amount);
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
    }
}
