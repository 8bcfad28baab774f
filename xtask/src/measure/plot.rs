//! The plots of a run: all ratios at a glance, and tokens a second of each model.

use super::cases::{Case, Kind, cases};
use super::record::{Record, Test};
use anyhow::{Result, anyhow};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(225, 225, 225);
/// Told apart by the colour-blind too: Puna and llama.cpp, or kinds of cases.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(120, 120, 120),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The ratios: a row a model, a dot a case.
///
/// # Errors
/// When it cannot be drawn.
pub fn overview(record: &Record) -> Result<String> {
    let mut svg = String::new();
    draw_overview(record, &mut svg).map_err(|error| anyhow!("the plot: {error}"))?;
    Ok(svg)
}

fn draw_overview(record: &Record, svg: &mut String) -> Drawn {
    let cases = cases(record);
    let models = record.models();
    let height = 190 + 56 * models.len() as u32;
    let area = SVGBackend::with_string(svg, (1100, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = "Puna relative to llama.cpp's best, whole models";
    area.draw(&Text::new(title, (30, 18), style(26)))?;
    let head = &record.head;
    let line = format!(
        "{}, {} cores, commit {}, {}. A dot is a case.",
        head.cpu, head.cores, head.commit, head.date
    );
    area.draw(&Text::new(line, (30, 52), style(16)))?;
    let (_, panel) = area.split_vertically(76);
    let (panel, legend) = panel.split_vertically(height as i32 - 76 - 40);

    let logs = cases.iter().map(|case| case.ratio.log2());
    let least = logs.clone().fold(-1.0, f64::min).floor();
    let most = logs.fold(1.0, f64::max).ceil();
    let rows = models.len() as f64;
    let mut chart = ChartBuilder::on(&panel)
        .margin_right(24)
        .x_label_area_size(54)
        .y_label_area_size(220)
        .build_cartesian_2d(least..most, rows..0.0)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .x_labels((most - least) as usize + 1)
        .x_label_formatter(&|power| format!("{}x", power.exp2()))
        .x_desc("llama.cpp is ahead   <   1x   >   Puna is ahead")
        .label_style(style(16))
        .axis_desc_style(style(16))
        .axis_style(INK)
        .draw()?;
    let mut power = least;
    while power <= most {
        let stroke = if power == 0.0 {
            INK.stroke_width(2)
        } else {
            PALE.stroke_width(1)
        };
        let line = PathElement::new(vec![(power, 0.0), (power, rows)], stroke);
        chart.draw_series([line])?;
        power += 1.0;
    }
    for (row, model) in models.iter().enumerate() {
        let name = style(17).pos(Pos::new(HPos::Right, VPos::Center));
        let label = Text::new((*model).to_owned(), (-10, 0), name);
        chart.draw_series([EmptyElement::at((least, row as f64 + 0.5)) + label])?;
        for (place, kind) in Kind::ALL.iter().enumerate() {
            // Each kind on a line of its own, so that dots do not hide each other.
            let y = row as f64 + 0.2 + 0.2 * place as f64;
            let of = |case: &&Case| case.model == *model && case.kind == *kind;
            let colour = COLOURS[place].mix(0.85);
            let dots = cases.iter().filter(of).map(|case| case.ratio.log2());
            chart.draw_series(dots.map(|x| Circle::new((x, y), 5, colour.filled())))?;
        }
    }
    for (place, kind) in Kind::ALL.iter().enumerate() {
        let x = 230 + 200 * place as i32;
        legend.draw(&Circle::new((x, 14), 6, COLOURS[place].filled()))?;
        legend.draw(&Text::new(kind.name(), (x + 14, 5), style(17)))?;
    }
    area.present()?;
    Ok(())
}

/// What a panel shows: a title, the name of its x axis, and points of both programs.
struct Panel {
    title: String,
    x_name: &'static str,
    /// Whether x doubles from mark to mark.
    powers: bool,
    points: Vec<Point>,
}

/// At an x, the median of Puna and of llama.cpp.
struct Point {
    x: f64,
    ours: f64,
    theirs: f64,
}

/// Tokens a second of a model; `None` where nothing was measured at two places.
///
/// # Errors
/// When it cannot be drawn.
pub fn model(record: &Record, model: &str) -> Result<Option<String>> {
    let panels = panels(record, model);
    if panels.is_empty() {
        return Ok(None);
    }
    let mut svg = String::new();
    draw_model(model, &panels, &mut svg).map_err(|error| anyhow!("the plot: {error}"))?;
    Ok(Some(svg))
}

fn panels(record: &Record, model: &str) -> Vec<Panel> {
    let most = record.tests(model).map(|(threads, _)| threads).max();
    let most = most.unwrap_or(1);
    let panel = |title: &str, x_name, powers, wanted: &dyn Fn(usize, &Test) -> Option<f64>| {
        let of = |(threads, test): (usize, &Test)| {
            Some(Point {
                x: wanted(threads, test)?,
                ours: test.puna_ts.median,
                theirs: test.theirs()?.ts.median,
            })
        };
        let mut points: Vec<Point> = record.tests(model).filter_map(of).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let places = points.windows(2).any(|pair| pair[0].x < pair[1].x);
        places.then(|| Panel {
            title: title.to_owned(),
            x_name,
            powers,
            points,
        })
    };
    // A number that was measured with one thread too.
    let alone = |prompt: bool| {
        let mut of_one = record.tests(model).filter(|(threads, _)| *threads == 1);
        let of_one = of_one.find(|(_, test)| (test.n_prompt > 0) == prompt);
        of_one.map_or(String::new(), |(_, test)| test.test.clone())
    };
    let (prompt, made) = (alone(true), alone(false));
    let all = [
        panel("Prompts", "prompt tokens", true, &|threads, test| {
            (threads == most && test.n_prompt > 0 && test.n_depth == 0)
                .then(|| (test.n_prompt as f64).log2())
        }),
        panel("Decode", "tokens before", false, &|threads, test| {
            (threads == most && test.n_prompt == 0).then_some(test.n_depth as f64)
        }),
        panel(
            &format!("Prompts, {prompt}"),
            "threads",
            false,
            &|threads, test| (test.test == prompt).then_some(threads as f64),
        ),
        panel(
            &format!("Decode, {made}"),
            "threads",
            false,
            &|threads, test| (test.test == made).then_some(threads as f64),
        ),
    ];
    all.into_iter().flatten().collect()
}

fn draw_model(model: &str, panels: &[Panel], svg: &mut String) -> Drawn {
    let width = 60 + 320 * panels.len() as u32;
    let area = SVGBackend::with_string(svg, (width, 380)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!("{model}: tokens a second");
    area.draw(&Text::new(title, (30, 16), style(22)))?;
    let (_, rest) = area.split_vertically(48);
    let (charts, legend) = rest.split_vertically(292);
    for (panel, part) in panels.iter().zip(charts.split_evenly((1, panels.len()))) {
        draw_panel(panel, &part)?;
    }
    for (place, name) in ["Puna", "llama.cpp at its best"].into_iter().enumerate() {
        let x = 60 + 120 * place as i32;
        legend.draw(&Circle::new((x, 16), 6, COLOURS[place].filled()))?;
        legend.draw(&Text::new(name, (x + 14, 7), style(16)))?;
    }
    area.present()?;
    Ok(())
}

fn draw_panel(panel: &Panel, area: &Area<'_>) -> Drawn {
    let tops = panel.points.iter().map(|p| p.ours.max(p.theirs));
    let top = tops.fold(0.0, f64::max) * 1.1;
    let xs = panel.points.iter().map(|point| point.x);
    let (least, most) = (
        xs.clone().fold(f64::INFINITY, f64::min),
        xs.fold(0.0, f64::max),
    );
    let powers = panel.powers;
    let marks = if powers || panel.x_name == "threads" {
        (most - least) as usize + 1
    } else {
        5
    };
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, style(17))
        .margin_right(22)
        .x_label_area_size(46)
        .y_label_area_size(56)
        .build_cartesian_2d(least..most, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(PALE)
        .x_labels(marks)
        .y_labels(6)
        .x_label_formatter(&|x| {
            let x = if powers { x.exp2() } else { *x };
            format!("{x:.0}")
        })
        .y_label_formatter(&|y| {
            if top < 10.0 {
                format!("{y:.1}")
            } else {
                format!("{y:.0}")
            }
        })
        .x_desc(panel.x_name)
        .label_style(style(14))
        .axis_desc_style(style(14))
        .axis_style(INK)
        .draw()?;
    let ours = panel.points.iter().map(|p| (p.x, p.ours)).collect();
    let theirs = panel.points.iter().map(|p| (p.x, p.theirs)).collect();
    line(&mut chart, theirs, COLOURS[1])?;
    line(&mut chart, ours, COLOURS[0])
}

fn line(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    points: Vec<(f64, f64)>,
    colour: RGBColor,
) -> Drawn {
    let dots = points.iter().map(|&at| Circle::new(at, 4, colour.filled()));
    chart.draw_series(dots)?;
    chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    Ok(())
}

fn style(size: i32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;

    #[test]
    fn the_plots_name_what_they_show() {
        let svg = super::overview(&example()).unwrap();
        for wanted in ["small", "peak memory", "0.5x", "Puna is ahead"] {
            assert!(svg.contains(wanted), "{wanted} in\n{svg}");
        }
        // Prompts of one length only: one place is no line.
        assert_eq!(super::model(&example(), "small").unwrap(), None);
        let mut record = example();
        let mut longer = record.steps[0].1.tests[0].clone();
        longer.n_prompt = 128;
        record.steps[0].1.tests.push(longer);
        let svg = super::model(&record, "small").unwrap().unwrap();
        for wanted in ["small: tokens a second", "Prompts", "128", "llama.cpp at"] {
            assert!(svg.contains(wanted), "{wanted} in\n{svg}");
        }
        assert!(!svg.contains("Decode"), "{svg}");
    }
}
