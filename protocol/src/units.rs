//! Units: amounts and times, in the form that people write and in the exact form of the chain.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{
    Address, U256,
    utils::{ParseUnits, format_units, parse_units},
};
use serde::{Deserialize, Serialize};
use syft::Ppm;

/// A time of the chain, in whole seconds of Unix time. A number in JSON; displayed as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The time `seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix(self) -> u64 {
        self.0
    }

    /// The time `seconds` later; saturates.
    #[must_use]
    pub fn plus(self, seconds: impl Into<u64>) -> Self {
        Self(self.0.saturating_add(seconds.into()))
    }

    /// The time `seconds` earlier; saturates at [`Self::EPOCH`].
    #[must_use]
    pub fn minus(self, seconds: impl Into<u64>) -> Self {
        Self(self.0.saturating_sub(seconds.into()))
    }

    /// Seconds since `earlier`; 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<SystemTime> for Timestamp {
    /// Times before 1970 become [`Self::EPOCH`].
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = i64::try_from(self.0).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        match time {
            Some(time) => time.fmt(f),
            // After the year 9999, which RFC 3339 cannot write.
            None => self.0.fmt(f),
        }
    }
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
pub fn percent(ppm: Ppm) -> String {
    let (whole, part) = (ppm.get() / 10_000, ppm.get() % 10_000);
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
        let percent = |ppm| percent(Ppm::new(ppm).unwrap());
        assert_eq!(percent(925_000), "92.5 %");
        assert_eq!(percent(1_000_000), "100 %");
        assert_eq!(percent(1), "0.0001 %");
    }

    #[test]
    fn points_in_time_are_numbers_for_programs_and_rfc_3339_for_people() {
        let time = Timestamp::from_unix(1_800_000_000);
        assert_eq!(serde_json::to_string(&time).unwrap(), "1800000000");
        assert_eq!(serde_json::from_str::<Timestamp>("1800000000").unwrap(), time);
        assert_eq!(time.to_string(), "2027-01-15T08:00:00Z");
        assert_eq!(Timestamp::from_unix(u64::MAX).to_string(), u64::MAX.to_string(), "RFC 3339 ends in 9999");
        assert_eq!(time.plus(60_u32).since(time), 60);
        assert_eq!((time.minus(60_u32).plus(60_u32), time.minus(u64::MAX)), (time, Timestamp::EPOCH));
        assert_eq!((time.since(time.plus(1_u32)), time.plus(u64::MAX)), (0, Timestamp::from_unix(u64::MAX)));
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)), Timestamp::EPOCH);
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
