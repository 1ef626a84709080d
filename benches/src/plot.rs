//! Plots as SVG.

use std::path::Path;

use plotters::prelude::*;

/// The name of a line, its points, and whether it is ours.
pub(crate) type Line<'a> = (&'a str, Vec<(f64, f64)>, bool);

type Failure = Box<dyn std::error::Error>;

/// The colour of our bars and lines. The others are grey or from a palette.
const OURS: RGBColor = RGBColor(200, 60, 30);
const OTHERS: RGBColor = RGBColor(150, 160, 175);

/// A horizontal bar for each value, with the value beside it. The axis is logarithmic, so short and long bars fit
/// together.
pub(crate) fn bars(
    path: &Path,
    title: &str,
    unit: &str,
    values: &[(&str, f64, bool)],
) -> Result<(), Failure> {
    let values: Vec<_> = values.iter().filter(|one| one.1 > 0.0).collect();
    if values.is_empty() {
        return Err("nothing was measured".into());
    }
    let lowest = values.iter().map(|one| one.1).fold(f64::INFINITY, f64::min) / 2.0;
    let highest = values.iter().map(|one| one.1).fold(0.0, f64::max) * 3.0;
    let height = 90 + 26 * u32::try_from(values.len())?;
    let root = SVGBackend::new(path, (860, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 17))
        .margin(10)
        .margin_right(20)
        .x_label_area_size(36)
        .y_label_area_size(250)
        .build_cartesian_2d((lowest..highest).log_scale(), 0.0..values.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(WHITE)
        .x_desc(unit)
        .x_label_formatter(&|value| count(*value))
        .y_labels(0)
        .draw()?;
    let (origin, _) = chart.plotting_area().get_base_pixel();
    for (row, (name, value, ours)) in values.iter().rev().enumerate() {
        let row = row as f64;
        let color = if *ours { OURS } else { OTHERS };
        chart.draw_series([Rectangle::new([(lowest, row + 0.15), (*value, row + 0.85)], color.filled())])?;
        let label = ("sans-serif", 13).into_font().color(&BLACK);
        chart.draw_series([Text::new(
            format!(" {}", number(*value)),
            (*value, row + 0.72),
            label.clone(),
        )])?;
        let (_, y) = chart.backend_coord(&(lowest, row + 0.72));
        root.draw_text(name, &label, (origin.min(12), y))?;
    }
    root.present()?;
    Ok(())
}

/// A line for each contender, in this unit, over numbers of this kind.
pub(crate) fn curves(
    path: &Path,
    title: &str,
    unit: &str,
    over: &str,
    lines: &[Line<'_>],
) -> Result<(), Failure> {
    let points = || lines.iter().flat_map(|line| &line.1);
    if points().next().is_none() {
        return Err("nothing was measured".into());
    }
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (left, right) = ends(&mut points().map(|point| point.0));
    let (bottom, top) = ends(&mut points().map(|point| point.1));
    let root = SVGBackend::new(path, (860, 460)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 17))
        .margin(10)
        .margin_right(270)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d((left..right * 1.01).log_scale(), (bottom / 1.5..top * 1.5).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(over)
        .y_desc(unit)
        .x_label_formatter(&|value| count(*value))
        .y_label_formatter(&|value| count(*value))
        .draw()?;
    let mut labels: Vec<(&str, f64, RGBAColor)> = Vec::new();
    for (index, (name, points, ours)) in lines.iter().enumerate() {
        let color = if *ours {
            OURS.to_rgba()
        } else {
            HSLColor(index as f64 / lines.len() as f64, 0.55, 0.42).to_rgba()
        };
        let style = color.stroke_width(if *ours { 3 } else { 1 });
        chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, color.filled())))?;
        labels.extend(points.last().map(|last| (*name, last.1, color)));
    }
    // A label is beside the end of its line. Labels that would overlap are moved apart.
    labels.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut free = 0;
    for (name, value, color) in labels {
        let (x, y) = chart.backend_coord(&(right, value));
        let y = (y - 6).max(free);
        free = y + 15;
        root.draw_text(name, &("sans-serif", 13).into_font().color(&color), (x + 12, y))?;
    }
    root.present()?;
    Ok(())
}

/// A number without decimals if it is whole.
pub(crate) fn count(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { number(value) }
}

/// A number with three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.3}M", value / 1e6).replace(".000", ""),
        _ if value >= 100.0 => grouped(value.round() as u64),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ if value >= 0.1 || value == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn grouped(value: u64) -> String {
    if value < 1_000 { value.to_string() } else { format!("{},{:03}", grouped(value / 1_000), value % 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_figures_there_is_no_plot() {
        let path = Path::new("never-written.svg");
        assert!(bars(path, "", "", &[("a", 0.0, true)]).is_err());
        assert!(curves(path, "", "", "", &[("a", Vec::new(), true)]).is_err());
    }

    #[test]
    fn numbers_keep_three_digits() {
        let written = [0.0, 0.0123, 0.123, 1.234, 12.34, 1234.5, 1_000_000.0, 1_234_567.0].map(number);
        assert_eq!([0.0, 8.0, 1_448.0, 13.09].map(count), ["0", "8", "1,448", "13.1"]);
        assert_eq!(written, ["0.00", "0.012", "0.12", "1.23", "12.3", "1,235", "1M", "1.235M"]);
    }
}
