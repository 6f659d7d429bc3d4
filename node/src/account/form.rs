//! Validation of keystore files (Web3 Secret Storage version 3): lengths and costs are checked before a key is derived
//! from the passphrase. The library that decrypts such files does not check them: it panics on short fields, and
//! derives for hours if a file requires that.

use std::ops::RangeInclusive;

use alloy::primitives::hex;
use serde_json::Value;

/// Length of the derived key in bytes: 32 are used, some programs derive more.
const KEY: RangeInclusive<u64> = 32..=128;
/// Length of the salt in bytes.
const SALT: RangeInclusive<usize> = 1..=1_024;
/// Limit of scrypt's memory, as `n·r` and `p·r` blocks of 128 bytes: 1 GiB each, four times the usual value.
const SCRYPT_MEMORY: u64 = 1 << 23;
/// Limit of scrypt's work, as `n·r·p`: sixteen times the usual value, about ten seconds.
const SCRYPT_WORK: u64 = 1 << 25;
/// Limit of PBKDF2's rounds: forty times the usual value, about ten seconds.
const PBKDF2_ROUNDS: u64 = 10_000_000;

/// A field of a keystore file with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` must be {must}")]
pub struct FormError {
    /// Name of the field.
    pub field: &'static str,
    /// Valid values.
    pub must: String,
}

fn check(is_right: bool, field: &'static str, must: impl Into<String>) -> Result<(), FormError> {
    if is_right { Ok(()) } else { Err(FormError { field, must: must.into() }) }
}

fn check_bytes(value: &Value, field: &'static str, lengths: RangeInclusive<usize>) -> Result<(), FormError> {
    let bytes = value.as_str().and_then(|text| hex::decode(text).ok());
    let (least, most) = (lengths.start(), lengths.end());
    let must = if least == most { least.to_string() } else { format!("{least} to {most}") };
    check(bytes.is_some_and(|bytes| lengths.contains(&bytes.len())), field, format!("{must} bytes in hexadecimal"))
}

/// Checks all fields that key derivation and decryption depend on.
pub fn check_form(content: &Value) -> Result<(), FormError> {
    check(content["version"] == 3, "version", "3")?;
    let crypto = &content["crypto"];
    check(crypto["cipher"] == "aes-128-ctr", "crypto.cipher", "aes-128-ctr")?;
    check_bytes(&crypto["cipherparams"]["iv"], "crypto.cipherparams.iv", 16..=16)?;
    check_bytes(&crypto["ciphertext"], "crypto.ciphertext", 32..=32)?;
    check_bytes(&crypto["mac"], "crypto.mac", 32..=32)?;
    let parameters = &crypto["kdfparams"];
    let number = |name: &str| parameters[name].as_u64();
    let is_key = number("dklen").is_some_and(|length| KEY.contains(&length));
    check(is_key, "crypto.kdfparams.dklen", format!("{} to {}", KEY.start(), KEY.end()))?;
    check_bytes(&parameters["salt"], "crypto.kdfparams.salt", SALT)?;
    match crypto["kdf"].as_str() {
        Some("scrypt") => {
            // The library would treat a file with both as PBKDF2.
            check(parameters["c"].is_null(), "crypto.kdfparams.c", "absent for scrypt")?;
            let factor = |name: &str, field: &'static str| {
                let value = number(name).filter(|value| (1..=SCRYPT_WORK).contains(value));
                value.ok_or_else(|| FormError { field, must: format!("1 to {SCRYPT_WORK}") })
            };
            let n = factor("n", "crypto.kdfparams.n")?;
            let r = factor("r", "crypto.kdfparams.r")?;
            let p = factor("p", "crypto.kdfparams.p")?;
            check(n > 1 && n.is_power_of_two(), "crypto.kdfparams.n", "a power of two, and 2 or more")?;
            let too_large = "smaller: scrypt would need more than 1 GiB of memory";
            // Each is below 2^26, and each product is checked before the next, so no product overflows.
            check(n * r <= SCRYPT_MEMORY, "crypto.kdfparams.n", too_large)?;
            check(p * r <= SCRYPT_MEMORY, "crypto.kdfparams.p", too_large)?;
            check(n * r * p <= SCRYPT_WORK, "crypto.kdfparams.p", "smaller: scrypt would take too much time")
        }
        Some("pbkdf2") => {
            check(parameters["prf"] == "hmac-sha256", "crypto.kdfparams.prf", "hmac-sha256")?;
            let is_usable = number("c").is_some_and(|rounds| (1..=PBKDF2_ROUNDS).contains(&rounds));
            check(is_usable, "crypto.kdfparams.c", format!("1 to {PBKDF2_ROUNDS}"))
        }
        _ => check(false, "crypto.kdf", "scrypt or pbkdf2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keystore(kdf: &str) -> Value {
        let salt = "aa".repeat(32);
        let parameters = match kdf {
            "scrypt" => json!({"dklen": 32, "n": 262_144, "r": 8, "p": 1, "salt": salt}),
            _ => json!({"dklen": 32, "c": 262_144, "prf": "hmac-sha256", "salt": salt}),
        };
        json!({"version": 3, "crypto": {
            "cipher": "aes-128-ctr", "cipherparams": {"iv": "bb".repeat(16)}, "ciphertext": "cc".repeat(32),
            "kdf": kdf, "kdfparams": parameters, "mac": "dd".repeat(32),
        }})
    }

    #[test]
    fn what_programs_write_is_accepted() {
        for kdf in ["scrypt", "pbkdf2"] {
            check_form(&keystore(kdf)).unwrap();
        }
        // geth's light form, and one with the roles of r and p exchanged.
        for (n, r, p) in [(4_096, 8, 6), (262_144, 1, 8), (1 << 20, 8, 1)] {
            let mut content = keystore("scrypt");
            for (name, value) in [("n", n), ("r", r), ("p", p)] {
                content["crypto"]["kdfparams"][name] = value.into();
            }
            assert_eq!(check_form(&content), Ok(()), "{n} {r} {p}");
        }
    }

    #[test]
    fn impossible_fields_are_named() {
        let cases: [(&str, &str, Value); 25] = [
            ("scrypt", "version", 2.into()),
            ("scrypt", "crypto.cipher", "aes-256-gcm".into()),
            ("scrypt", "crypto.cipherparams.iv", "00".into()),
            ("scrypt", "crypto.cipherparams.iv", "bb".repeat(17).into()),
            ("scrypt", "crypto.ciphertext", "".into()),
            ("scrypt", "crypto.mac", "xx".into()),
            ("scrypt", "crypto.kdf", "argon2".into()),
            ("scrypt", "crypto.kdfparams.dklen", 0.into()),
            ("scrypt", "crypto.kdfparams.dklen", 8.into()),
            ("scrypt", "crypto.kdfparams.dklen", json!(-1)),
            ("scrypt", "crypto.kdfparams.dklen", json!(32.5)),
            ("scrypt", "crypto.kdfparams.salt", "".into()),
            ("scrypt", "crypto.kdfparams.n", 0.into()),
            ("scrypt", "crypto.kdfparams.n", 1.into()),
            ("scrypt", "crypto.kdfparams.n", 1_000.into()),
            ("scrypt", "crypto.kdfparams.n", (1_u64 << 21).into()),
            ("scrypt", "crypto.kdfparams.n", (1_u64 << 63).into()),
            ("scrypt", "crypto.kdfparams.r", 0.into()),
            ("scrypt", "crypto.kdfparams.p", 0.into()),
            ("scrypt", "crypto.kdfparams.p", 1_000.into()),
            ("scrypt", "crypto.kdfparams.c", 1_000_000_000.into()),
            ("pbkdf2", "crypto.kdfparams.c", 0.into()),
            ("pbkdf2", "crypto.kdfparams.c", u32::MAX.into()),
            ("pbkdf2", "crypto.kdfparams.prf", "hmac-sha512".into()),
            ("pbkdf2", "crypto.kdfparams.dklen", "32".into()),
        ];
        for (kdf, field, value) in cases {
            let mut content = keystore(kdf);
            let place = field.split('.').fold(&mut content, |value, name| &mut value[name]);
            *place = value.clone();
            assert_eq!(check_form(&content).unwrap_err().field, field, "{value}");
        }
        let mut parallel = keystore("scrypt");
        for (name, value) in [("n", 2), ("r", 1), ("p", 1 << 24)] {
            parallel["crypto"]["kdfparams"][name] = value.into();
        }
        assert_eq!(check_form(&parallel).unwrap_err().field, "crypto.kdfparams.p", "its blocks would need 2 GiB");
        for content in [json!({}), json!({"version": 3}), json!([]), json!({"version": 3, "crypto": 7})] {
            assert!(check_form(&content).is_err(), "{content}");
        }
    }
}
