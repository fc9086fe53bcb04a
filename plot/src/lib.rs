//! Plots of what was measured: lines through points, on two logarithmic axes.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// One line of a plot: what it is called, and its points from left to right.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the legend says.
    pub name: String,
    /// Positive on both axes.
    pub points: Vec<(f64, f64)>,
}

/// What stands around the lines.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Above.
    pub title: &'a str,
    /// Below the axis that goes to the right.
    pub x: &'a str,
    /// Beside the axis that goes up.
    pub y: &'a str,
}

/// Distinct to those, too, who see red and green alike.
const COLORS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(230, 159, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];
const SIZE: (u32, u32) = (760, 440);

/// Draws the lines into an SVG file.
///
/// # Errors
/// If there is no point, or the file cannot be written.
pub fn draw(file: &Path, labels: Labels<'_>, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (x, y) = range(points().map(|point| point.0))
        .zip(range(points().map(|point| point.1)))
        .ok_or("a plot needs a point")?;
    // The legend stands where lines that fall, or rise, leave room.
    let ends = |line: &Line| Some(line.points.last()?.1 < line.points.first()?.1);
    let falls = lines.iter().filter_map(ends).any(|falls| falls);
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(labels.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(labels.x)
        .y_desc(labels.y)
        .x_label_formatter(&|number| short(*number))
        .y_label_formatter(&|number| short(*number))
        .draw()?;
    for (line, color) in lines.iter().zip(COLORS.iter().cycle()) {
        chart
            .draw_series(
                LineSeries::new(line.points.iter().copied(), color.stroke_width(2)).point_size(3),
            )?
            .label(line.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(if falls {
            SeriesLabelPosition::UpperRight
        } else {
            SeriesLabelPosition::UpperLeft
        })
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// From somewhat below the least to somewhat above the greatest.
fn range(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let ends = numbers.fold(None, |ends: Option<(f64, f64)>, number| {
        Some(ends.map_or((number, number), |(least, most)| (least.min(number), most.max(number))))
    });
    ends.map(|(least, most)| (least / 1.5, most * 1.5))
}

/// A number as people say it: `200`, `10 k`, `1 M`.
fn short(number: f64) -> String {
    for (unit, name) in [(1e6, " M"), (1e3, " k")] {
        if number >= unit {
            return format!("{}{name}", number / unit);
        }
    }
    format!("{number}")
}
