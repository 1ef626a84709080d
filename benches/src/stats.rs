//! Medians and ratios.

/// The middle value, or the mean of the two middle values if their number is even. NaN if there are no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The median of the ratios round by round, not the ratio of the medians: in one round both had the same conditions.
pub(crate) fn median_ratio(values: &[f64], units: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(units).map(|(value, unit)| value / unit).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[5.0]), 5.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn one_slow_round_moves_neither_median_nor_ratio() {
        assert_eq!(median(&[1.0, 1.0, 900.0]), 1.0);
        // The third round was slow for both contenders.
        assert_eq!(median_ratio(&[1.0, 1.0, 900.0], &[2.0, 2.0, 1800.0]), 0.5);
    }

    #[test]
    fn a_ratio_compares_within_the_round() {
        // The ratio of the medians would be 2 / 2.
        assert_eq!(median_ratio(&[1.0, 2.0, 3.0], &[4.0, 2.0, 1.0]), 1.0);
        assert_eq!(median_ratio(&[1.0, 2.0, 9.0], &[2.0, 4.0, 3.0]), 0.5);
    }
}
