//! Polynomial features of degree two: the columns and the products of any two of them.

use crate::data::Matrix;

/// Number of features of `columns` columns.
pub(super) const fn count(columns: usize) -> usize {
    columns.saturating_add(columns.saturating_mul(columns.saturating_add(1)) / 2)
}

/// The columns, then `z_i · z_j` for all `i ≤ j`, ordered by `i` and then `j`.
pub(super) fn expand(inputs: &Matrix) -> Matrix {
    let row = |row: usize| {
        let z = inputs.row(row);
        let products = (0..z.len()).flat_map(move |i| z[i..].iter().map(move |other| z[i] * other));
        z.iter().copied().chain(products)
    };
    inputs.with_rows(count(inputs.columns()), (0..inputs.rows()).flat_map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_in_order() {
        let inputs = Matrix::new(1, 3, vec![2.0, 3.0, 5.0]).unwrap();
        assert_eq!(expand(&inputs).values(), [2.0, 3.0, 5.0, 4.0, 6.0, 10.0, 9.0, 15.0, 25.0]);
    }
}
