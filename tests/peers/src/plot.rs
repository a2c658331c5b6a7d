//! Plots as SVG: transparent, in colours of middle brightness, so that they can be read on white and on black.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Failure;

/// A line of a plot: what it is, and its points as x and the measurements there.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, Vec<f64>)>,
}

/// What a plot of lines is about.
pub(crate) struct Lines<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    /// How a value of x is written.
    pub(crate) tick: fn(f64) -> String,
    pub(crate) y: &'a str,
    /// Whether y is logarithmic; x always is.
    pub(crate) log: bool,
    pub(crate) lines: &'a [Line],
}

/// Draws medians as lines, with a stroke from the least to the most at each point.
pub(crate) fn lines(plot: &Lines<'_>) -> Result<String, Failure> {
    let y_of = |y: f64| if plot.log { y.log10() } else { y };
    let (xs, ys): (Vec<f64>, Vec<f64>) = plot
        .lines
        .iter()
        .flat_map(|line| &line.points)
        .flat_map(|(x, ys)| ys.iter().map(|y| (x.log10(), y_of(*y))))
        .unzip();
    let (x0, x1) = bounds(&xs);
    let (y0, y1) = match plot.log {
        true => (bounds(&ys).0.floor(), bounds(&ys).1.ceil()),
        false => (0.0, 1.1 * bounds(&ys).1),
    };
    let y_labels = if plot.log { (y1 - y0) as usize + 1 } else { 6 };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (720, 360)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(plot.title, font(16))
            .margin(12)
            .margin_right(110)
            .x_label_area_size(52)
            .y_label_area_size(72)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_labels(y_labels)
            .y_label_formatter(&|y| short(if plot.log { 10f64.powf(*y) } else { *y }))
            .light_line_style(TRANSPARENT)
            .bold_line_style(GREY.mix(0.25))
            .axis_style(GREY)
            .label_style(font(12))
            .axis_desc_style(font(13))
            .x_desc(plot.x)
            .y_desc(plot.y)
            .draw()?;
        let ticks = plot.lines.iter().map(|line| &line.points);
        for (x, _) in ticks
            .max_by_key(|points| points.len())
            .into_iter()
            .flatten()
        {
            let (x_pixel, y_pixel) = chart.backend_coord(&(x.log10(), y0));
            let place = (x_pixel, y_pixel + 14);
            area.draw(&words(&(plot.tick)(*x), place, HPos::Center, GREY))?;
        }
        for (line, colour) in plot.lines.iter().zip([BLUE, GREY]) {
            let at =
                |(x, ys): &(f64, Vec<f64>)| (x.log10(), y_of(crate::table::median(ys.clone())));
            let medians: Vec<(f64, f64)> = line.points.iter().map(at).collect();
            chart.draw_series(LineSeries::new(medians.clone(), colour.stroke_width(2)))?;
            for (point, (_, ys)) in medians.iter().zip(&line.points) {
                let ys: Vec<f64> = ys.iter().map(|y| y_of(*y)).collect();
                let (least, most) = bounds(&ys);
                let stroke = vec![(point.0, least), (point.0, most)];
                chart.draw_series([PathElement::new(stroke, colour)])?;
                chart.draw_series([Circle::new(*point, 3, colour.filled())])?;
            }
            if let Some(last) = medians.last() {
                let (x, y) = chart.backend_coord(last);
                area.draw(&words(&line.label, (x + 10, y), HPos::Left, colour))?;
            }
        }
        area.present()?;
    }
    Ok(svg)
}

/// A bar.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) length: f64,
    /// What stands at its end.
    pub(crate) remark: String,
    pub(crate) is_ours: bool,
}

/// Draws the bars from the top to the bottom.
pub(crate) fn bars(title: &str, rows: &[Bar]) -> Result<String, Failure> {
    let most = rows.iter().fold(0.0, |most: f64, row| most.max(row.length));
    let mut svg = String::new();
    {
        let height = 60 + 30 * rows.len();
        let area = SVGBackend::with_string(&mut svg, (720, height as u32)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, font(16))
            .margin(12)
            .margin_left(230)
            .margin_right(130)
            .build_cartesian_2d(0.0..most, rows.len() as f64..0.0)?;
        for (index, row) in rows.iter().enumerate() {
            let (top, middle) = (index as f64 + 0.15, index as f64 + 0.5);
            let (_, y) = chart.backend_coord(&(0.0, middle));
            let colour = if row.is_ours { BLUE } else { GREY };
            let corners = [(0.0, top), (row.length, top + 0.7)];
            chart.draw_series([Rectangle::new(corners, colour.filled())])?;
            let ends = [0.0, row.length].map(|end| chart.backend_coord(&(end, middle)).0);
            area.draw(&words(&row.label, (ends[0] - 8, y), HPos::Right, GREY))?;
            area.draw(&words(&row.remark, (ends[1] + 8, y), HPos::Left, GREY))?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// A few words, that begin, end or have their middle at this pixel.
fn words(
    text: &str,
    place: (i32, i32),
    side: HPos,
    colour: RGBColor,
) -> Text<'static, (i32, i32), String> {
    let style = TextStyle {
        color: colour.to_backend_color(),
        pos: Pos::new(side, VPos::Center),
        ..font(12)
    };
    Text::new(text.to_owned(), place, style)
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&GREY)
}

/// Bytes in the unit that suits them.
pub(crate) fn bytes(number: f64) -> String {
    match number {
        n if n >= 1048576.0 => format!("{} MiB", n / 1048576.0),
        n if n >= 1024.0 => format!("{} KiB", n / 1024.0),
        n => format!("{n}"),
    }
}

/// As short as it can be, with a letter for thousands and millions.
pub(crate) fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{} M", (n / 1e5).round() / 10.0),
        n if n >= 1e4 => format!("{} k", (n / 1e2).round() / 10.0),
        n => format!("{}", (n * 100.0).round() / 100.0),
    }
}

fn bounds(numbers: &[f64]) -> (f64, f64) {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    (
        least,
        numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// Of a contrast of about four to white and to black alike.
const GREY: RGBColor = RGBColor(0x7d, 0x85, 0x90);
const BLUE: RGBColor = RGBColor(0x2f, 0x81, 0xf7);
