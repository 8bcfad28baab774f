//! The ratios as a picture: a row a type, a dot a matrix, one panel for decode and one for prefill.

use super::report::{Case, Report};
use super::shapes::{MODELS, OTHER};
use super::stats::{geometric_mean, spread};
use super::table;
use anyhow::{Result, anyhow};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

const SIZE: (u32, u32) = (1200, 700);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(225, 225, 225);
/// A colour for each model, told apart by the colour-blind too, and one for the rest.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(120, 120, 120),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Panel<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The picture as SVG.
///
/// # Errors
/// When it cannot be drawn.
pub fn svg(report: &Report) -> Result<String> {
    let mut svg = String::new();
    draw(report, &mut svg).map_err(|error| anyhow!("the plot: {error}"))?;
    Ok(svg)
}

fn draw(report: &Report, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let [columns, threads] = report.columns_and_threads();
    let threads = threads.last().copied().unwrap_or(1);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!(
        "Puna's speed relative to ggml's, {}",
        table::threads(threads)
    );
    area.draw(&Text::new(
        title,
        (30, 22),
        (FONT, 26).into_font().color(&INK),
    ))?;
    let head = &report.head;
    let line = format!(
        "{}, tier {}, ggml {}, {}. A dot is a matrix, a bar their mean.",
        head.machine.cpu, head.tier, head.ggml_version, head.date
    );
    area.draw(&Text::new(
        line,
        (30, 56),
        (FONT, 16).into_font().color(&INK),
    ))?;
    let (_, panels) = area.split_vertically(80);
    let (panels, legend) = panels.split_vertically(SIZE.1 - 80 - 40);
    draw_legend(report, &legend)?;

    let (least, most) = powers(report);
    let mut ends = vec![columns.first().copied().unwrap_or(1)];
    ends.extend(columns.last().filter(|last| **last != ends[0]));
    for (n, panel) in ends.iter().zip(panels.split_evenly((1, ends.len()))) {
        let name = match n {
            1 => "Decode: 1 column".to_owned(),
            n => format!(
                "{}: {n} columns",
                if *n >= 32 { "Prefill" } else { "Batch" }
            ),
        };
        draw_panel(report, &panel, (&name, *n, threads), (least, most))?;
    }
    area.present()?;
    Ok(())
}

/// The powers of two that hold all ratios, at least from 0.5 to 2.
fn powers(report: &Report) -> (i32, i32) {
    let ratios = report.cases.iter().map(|case| case.ratio().median.log2());
    let all = spread(ratios.chain([-1.0, 1.0]));
    (all.least.floor() as i32, all.most.ceil() as i32)
}

fn draw_panel(
    report: &Report,
    area: &Area<'_>,
    (name, columns, threads): (&str, usize, usize),
    (least, most): (i32, i32),
) -> Result<(), Box<dyn std::error::Error>> {
    let types = report.types();
    let height = types.len() as f64;
    let mut panel = ChartBuilder::on(area)
        .caption(name, (FONT, 20).into_font().color(&INK))
        .margin_right(24)
        .x_label_area_size(54)
        .y_label_area_size(82)
        .build_cartesian_2d(f64::from(least)..f64::from(most), height..0.0)?;
    let label = (FONT, 16).into_font().color(&INK);
    panel
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .x_labels((most - least + 1) as usize)
        .x_label_formatter(&|power| format!("{}x", power.exp2()))
        .x_desc("ggml is faster   <   1x   >   Puna is faster")
        .label_style(label)
        .axis_desc_style((FONT, 16).into_font().color(&INK))
        .axis_style(INK)
        .draw()?;
    let across = |x: f64| PathElement::new(vec![(x, 0.0), (x, height)], INK.stroke_width(2));
    let thin = |x: f64| PathElement::new(vec![(x, 0.0), (x, height)], PALE.stroke_width(1));
    panel.draw_series(
        (least..=most)
            .filter(|power| *power != 0)
            .map(|p| thin(f64::from(p))),
    )?;
    panel.draw_series([across(0.0)])?;
    for (row, ty) in types.iter().enumerate() {
        let of = |case: &&Case| (case.ty, case.columns, case.threads) == (*ty, columns, threads);
        let cases: Vec<_> = report.cases.iter().filter(of).collect();
        draw_row(&mut panel, row as f64 + 0.5, ty, f64::from(least), &cases)?;
    }
    Ok(())
}

/// One type: its name, its mean, a dot for each matrix.
fn draw_row(
    panel: &mut Panel<'_, '_>,
    y: f64,
    ty: &str,
    left: f64,
    cases: &[&Case],
) -> Result<(), Box<dyn std::error::Error>> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let place = Pos::new(HPos::Right, VPos::Center);
    let style = (FONT, 17).into_font().color(&INK).pos(place);
    let name = EmptyElement::at((left, y)) + Text::new(ty.to_owned(), (-10, 0), style);
    panel.draw_series([name])?;
    if cases.is_empty() {
        return Ok(());
    }
    let mean = geometric_mean(cases.iter().map(|case| case.ratio().median)).log2();
    let bar = Rectangle::new([(0.0, y - 0.33), (mean, y + 0.33)], PALE.filled());
    let end = PathElement::new(
        vec![(mean, y - 0.36), (mean, y + 0.36)],
        INK.stroke_width(3),
    );
    panel.draw_series([bar])?;
    panel.draw_series([end])?;
    panel.draw_series(cases.iter().map(|case| {
        let colour = COLOURS[place_of(case.model)].mix(0.85);
        Circle::new((case.ratio().median.log2(), y), 5, colour.filled())
    }))?;
    Ok(())
}

/// The index of a model's colour.
fn place_of(model: &str) -> usize {
    let place = MODELS.iter().position(|known| known.name == model);
    place.unwrap_or(MODELS.len())
}

fn draw_legend(report: &Report, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let names = MODELS.iter().map(|model| model.name).chain([OTHER]);
    let used = names.filter(|name| report.cases.iter().any(|case| case.model == *name));
    for (i, name) in used.enumerate() {
        let x = 100 + 200 * i as i32;
        area.draw(&Circle::new((x, 14), 6, COLOURS[place_of(name)].filled()))?;
        let style = (FONT, 17).into_font().color(&INK);
        area.draw(&Text::new(name, (x + 14, 5), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;

    #[test]
    fn the_picture_names_what_it_shows() {
        let svg = super::svg(&example()).unwrap();
        for wanted in [
            "Puna's speed relative to ggml's, 2 threads",
            "Decode: 1 column",
            "Prefill: 512 columns",
            "Q8_0",
            "smollm2-135m",
            "0.5x",
        ] {
            let found = svg.replace("&apos;", "'").contains(wanted);
            assert!(found, "{wanted} in\n{svg}");
        }
    }
}
