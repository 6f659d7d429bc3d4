//! The input of a network: raw columns or pixels, standardised by public constants.

use serde::{Deserialize, Serialize};
use syft::{
    Column, DataError, FEATURE_LIMIT, FeatureKind, FeatureMap, Image, Matrix, SeedIndex, UncheckedMap, check_columns,
};

/// The meaning of raw columns, and the public constants that standardise them: `(x - center) / spread`, clipped to ±64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Input {
    /// Numbers, each with its own constants.
    Columns(Vec<Column>),
    /// An image: row by row from the top, the channels of a pixel next to each other.
    Image {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// The constants of each channel.
        channels: Vec<Column>,
    },
}

impl Input {
    /// Chooses constants from validation examples and the public ranges (least, greatest) of the columns.
    ///
    /// Means and spreads of numbers become known, rounded to four digits. For an image, the constants take the common range of each channel's pixels
    /// to [0, 1].
    pub fn fit(validation: &Matrix, ranges: &[(f64, f64)], image: Option<Image>) -> Result<Self, DataError> {
        let Some(image) = image else {
            return Ok(Self::Columns(
                FeatureMap::fit(validation, ranges, FeatureKind::Identity, None, SeedIndex::default())?.columns,
            ));
        };
        if validation.columns() != ranges.len() {
            return Err(DataError::Columns { have: validation.columns(), need: ranges.len() });
        }
        if ranges.len() != image.columns() || image.channels == 0 {
            return Err(DataError::Columns { have: ranges.len(), need: image.columns() });
        }
        let column = |(least, greatest)| Column { center: least, spread: greatest - least };
        let input = Self::Image {
            height: image.height,
            width: image.width,
            channels: common(ranges, image.channels).into_iter().map(column).collect(),
        };
        input.check()?;
        Ok(input)
    }

    /// Checks that the constants follow the published ranges (least, greatest) of the columns, as `FeatureMap::check_ranges` does for features.
    ///
    /// # Errors
    /// Names the first constant that does not follow them.
    pub fn check_ranges(&self, ranges: &[(f64, f64)]) -> Result<(), UncheckedMap> {
        match self {
            Self::Columns(columns) => check_columns(columns, ranges),
            Self::Image { channels, .. } if ranges.len() != self.columns() => {
                Err(UncheckedMap::Columns { have: channels.len(), need: ranges.len() })
            }
            Self::Image { channels, .. } => check_columns(channels, &common(ranges, channels.len())),
        }
    }

    /// Number of raw columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Columns(columns) => columns.len(),
            Self::Image { height, width, channels } => height.saturating_mul(*width).saturating_mul(channels.len()),
        }
    }

    /// The constants of each column, or of each channel of a pixel.
    pub(crate) fn constants(&self) -> &[Column] {
        match self {
            Self::Columns(constants) | Self::Image { channels: constants, .. } => constants,
        }
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        for (index, Column { center, spread }) in self.constants().iter().enumerate() {
            let name = |what: &str| format!("{what} {index}");
            if !center.is_finite() {
                return Err(DataError::Constant { name: name("center"), value: *center, must: "finite" });
            }
            if !(spread.is_finite() && *spread > 0.0) {
                return Err(DataError::Constant { name: name("spread"), value: *spread, must: "positive" });
            }
        }
        Ok(())
    }

    /// Standardises a row of raw columns and writes it channel by channel. Missing columns leave `row` unchanged.
    pub(crate) fn read(&self, raw: &[f64], row: &mut [f32]) {
        let places = self.columns() / self.constants().len().max(1);
        for (channel, (constants, out)) in self.constants().iter().zip(row.chunks_exact_mut(places)).enumerate() {
            for (x, place) in raw.iter().skip(channel).step_by(self.constants().len()).zip(out) {
                *place = ((x - constants.center) / constants.spread).clamp(-FEATURE_LIMIT, FEATURE_LIMIT) as f32;
            }
        }
    }
}

/// The common range of each channel's pixels.
fn common(ranges: &[(f64, f64)], channels: usize) -> Vec<(f64, f64)> {
    let wider = |(least, greatest): (f64, f64), range: &(f64, f64)| (least.min(range.0), greatest.max(range.1));
    let channel = |channel| ranges.iter().skip(channel).step_by(channels.max(1));
    (0..channels).map(|place| channel(place).fold((f64::INFINITY, f64::NEG_INFINITY), wider)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_centre_at_a_known_image_with_tiny_spreads_is_refused() {
        let ranges = [(0.0, 255.0); 4];
        let good = Column { center: 0.0, spread: 255.0 };
        let image = |channels: Vec<Column>| Input::Image { height: 2, width: 2, channels };
        image(vec![good]).check_ranges(&ranges).unwrap();
        Input::Columns(vec![good; 4]).check_ranges(&ranges).unwrap();
        let tiny = Column { center: 117.0, spread: 1e-6 };
        for input in [image(vec![tiny]), Input::Columns(vec![tiny; 4])] {
            input.check().unwrap();
            assert!(matches!(input.check_ranges(&ranges), Err(UncheckedMap::Spread { column: 0, .. })), "{input:?}");
        }
        assert!(matches!(image(vec![good]).check_ranges(&ranges[..3]), Err(UncheckedMap::Columns { .. })));
    }

    #[test]
    fn pixels_are_read_channel_by_channel() {
        let channels = vec![Column { center: 0.0, spread: 2.0 }, Column { center: 1.0, spread: 1.0 }];
        let input = Input::Image { height: 1, width: 3, channels };
        let mut row = [0.0; 6];
        input.read(&[2.0, 1.0, 4.0, 2.0, 6.0, 1e9], &mut row);
        assert_eq!(row, [1.0, 2.0, 3.0, 0.0, 1.0, 64.0]);
    }

    #[test]
    fn constants_are_chosen_from_ranges() {
        let validation = Matrix::new(2, 4, (0..8).map(f64::from).collect()).unwrap();
        let ranges = [(0.0, 255.0), (0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)];
        let image = Some(Image { height: 1, width: 2, channels: 2 });
        let Input::Image { channels, .. } = Input::fit(&validation, &ranges, image).unwrap() else { unreachable!() };
        let expected = [Column { center: 0.0, spread: 255.0 }, Column { center: -1.0, spread: 2.0 }];
        assert_eq!(channels, expected);
        assert!(Input::fit(&validation, &ranges[..3], image).is_err());
        assert_eq!(Input::fit(&validation, &ranges, None).unwrap().columns(), 4);
    }
}
