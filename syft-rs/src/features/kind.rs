//! Names of feature maps, as a data scientist writes them in a campaign file.

use std::fmt;
use std::str::FromStr;

/// A feature map as named in a campaign file: `identity`, `polynomial`, `random-relu:N` or `random-conv:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// The columns themselves.
    Identity,
    /// The columns and the products of any two of them.
    Polynomial,
    /// `N` random ReLU combinations of all columns.
    RandomRelu(usize),
    /// About `N` random convolutions of an image, thresholded and averaged over parts of it.
    RandomConv(usize),
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::Polynomial => f.write_str("polynomial"),
            Self::RandomRelu(count) => write!(f, "random-relu:{count}"),
            Self::RandomConv(count) => write!(f, "random-conv:{count}"),
        }
    }
}

impl FromStr for FeatureKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
        let count = |kind: fn(usize) -> Self| match count.map(str::parse) {
            Some(Ok(count)) if count >= 1 => Ok(kind(count)),
            _ => Err(format!("`{text}` lacks the number of features: write {name}:512, for example")),
        };
        match name {
            "identity" if !text.contains(':') => Ok(Self::Identity),
            "polynomial" if !text.contains(':') => Ok(Self::Polynomial),
            "random-relu" => count(Self::RandomRelu),
            "random-conv" => count(Self::RandomConv),
            _ => Err(format!(
                "`{text}` is not a feature map: write identity, polynomial, random-relu:N or random-conv:N"
            )),
        }
    }
}
