//! The chart of a report: accuracy in steps, a dot for each accepted and a cross for each refused submission, the target,
//! and the spend. A drawing without scripts.

use std::fmt::Write;

use alloy::primitives::U256;
use sonar_protocol::{
    course::Step,
    projection::Verdict,
    units::{Amount, percent},
};
use syft::Ppm;

use super::record::CampaignRecord;

/// Size of the drawing.
const SIZE: (f64, f64) = (960.0, 380.0);
/// Margins: left, right, top, bottom.
const MARGINS: (f64, f64, f64, f64) = (64.0, 24.0, 16.0, 44.0);
/// Maximum number of refused submissions that are drawn; accepted ones are all drawn.
const MOST_CROSSES: usize = 500;
/// Steps of the accuracy axis, in parts per million.
const STEPS: [u32; 9] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000];

/// Maps submissions and accuracies to places in the drawing.
struct Scale {
    last: f64,
    low: u32,
    high: u32,
}

impl Scale {
    fn of(record: &CampaignRecord<'_>) -> (Self, u32) {
        let view = record.view;
        let start = view.start_ppm.unwrap_or_else(|| view.terms.start()).get();
        let high = view.terms.target().get().max(view.best_ppm.get()).max(start);
        let range = high - start.min(high);
        let step = STEPS.into_iter().find(|step| range <= 6 * step).unwrap_or(500_000);
        let low = start.min(high) / step * step;
        let high = (high.div_ceil(step) * step).max(low + step);
        (Self { last: record.points.len().max(1) as f64, low, high }, step)
    }

    fn x(&self, number: f64) -> f64 {
        MARGINS.0 + (SIZE.0 - MARGINS.0 - MARGINS.1) * number / self.last
    }

    fn share(share: f64) -> f64 {
        SIZE.1 - MARGINS.3 - (SIZE.1 - MARGINS.2 - MARGINS.3) * share
    }

    fn y(&self, ppm: Ppm) -> f64 {
        Self::share(f64::from(ppm.get().saturating_sub(self.low)) / f64::from(self.high - self.low))
    }
}

/// Draws the chart.
pub fn chart(record: &CampaignRecord<'_>) -> String {
    let (scale, step) = Scale::of(record);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"chart-title chart-text\"><title id=\"chart-title\">Accuracy by \
         submission</title><desc id=\"chart-text\">{}</desc>",
        SIZE.0,
        SIZE.1,
        sentence(record)
    );
    // Writing to a string cannot fail.
    let _ = axes(&mut svg, &scale, step)
        .and_then(|()| spend(&mut svg, &scale, record))
        .and_then(|()| steps(&mut svg, &scale, record))
        .and_then(|()| marks(&mut svg, &scale, record));
    svg + "</svg>"
}

/// The chart in one sentence.
pub fn sentence(record: &CampaignRecord<'_>) -> String {
    let view = record.view;
    let start = view.start_ppm.unwrap_or_else(|| view.terms.start());
    let best = view.start_ppm.map_or(start, |_| view.best_ppm);
    format!(
        "From {} to {} with {} of {} submissions accepted; the target is {}.",
        percent(start),
        percent(best),
        view.accepts,
        view.submissions,
        percent(view.terms.target())
    )
}

fn axes(svg: &mut String, scale: &Scale, step: u32) -> std::fmt::Result {
    let (left, right) = (MARGINS.0, SIZE.0 - MARGINS.1);
    for ppm in (scale.low..=scale.high).step_by(step as usize).filter_map(|ppm| Ppm::new(ppm).ok()) {
        let y = scale.y(ppm);
        write!(svg, "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>")?;
        write!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", left - 8.0, y + 4.0, percent(ppm))?;
    }
    let (bottom, middle) = (SIZE.1 - MARGINS.3, f64::midpoint(left, right));
    write!(svg, "<text x=\"{left}\" y=\"{:.1}\">0</text>", bottom + 18.0)?;
    write!(svg, "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", bottom + 18.0, scale.last)?;
    write!(svg, "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">submission</text>", bottom + 34.0)
}

/// The spend as an area whose full height is the bounty.
fn spend(svg: &mut String, scale: &Scale, record: &CampaignRecord<'_>) -> std::fmt::Result {
    let bounty = Amount::from(record.view.terms.bounty);
    let share = |spent: Amount| {
        // For the drawing only; every amount in the text is exact.
        let ppm = spent.0.saturating_mul(U256::from(1_000_000)).checked_div(bounty.0).unwrap_or_default();
        ppm.saturating_to::<u32>() as f64 / 1e6
    };
    let base = Scale::share(0.0);
    let mut path = format!("M{:.1} {base:.1}", scale.x(0.0));
    for (number, point) in (1u32..).zip(&record.points).filter(|(_, point)| is_accepted(point)) {
        write!(path, "H{:.1}V{:.1}", scale.x(f64::from(number)), Scale::share(share(point.spent)))?;
    }
    write!(svg, "<path class=\"spend\" d=\"{path}H{:.1}V{base:.1}Z\"/>", scale.x(scale.last))
}

fn steps(svg: &mut String, scale: &Scale, record: &CampaignRecord<'_>) -> std::fmt::Result {
    let target = scale.y(record.view.terms.target());
    let (left, right) = (MARGINS.0, SIZE.0 - MARGINS.1);
    write!(svg, "<line class=\"target\" x1=\"{left}\" x2=\"{right}\" y1=\"{target:.1}\" y2=\"{target:.1}\"/>")?;
    write!(svg, "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">target</text>", target - 6.0)?;
    let Some(start) = record.view.start_ppm else { return Ok(()) };
    let mut path = format!("M{:.1} {:.1}", scale.x(0.0), scale.y(start));
    for (number, point) in (1u32..).zip(&record.points).filter(|(_, point)| is_accepted(point)) {
        write!(path, "H{:.1}V{:.1}", scale.x(f64::from(number)), scale.y(point.best))?;
    }
    write!(svg, "<path class=\"best\" d=\"{path}H{:.1}\"/>", scale.x(scale.last))
}

fn marks(svg: &mut String, scale: &Scale, record: &CampaignRecord<'_>) -> std::fmt::Result {
    let refused = record.points.iter().filter(|point| !is_accepted(point)).count();
    let every = refused.div_ceil(MOST_CROSSES).max(1);
    let mut seen = 0;
    for (number, point) in (1u32..).zip(&record.points) {
        let (x, y) = (scale.x(f64::from(number)), scale.y(point.best));
        match point.submission.verdict {
            Verdict::Accepted { .. } => {
                write!(svg, "<circle class=\"accepted\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>")?
            }
            other => {
                seen += 1;
                if seen % every != 0 {
                    continue;
                }
                match other {
                    Verdict::Pending => write!(svg, "<circle class=\"pending\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>")?,
                    _ => write!(svg, "<path class=\"refused\" d=\"M{:.1} {:.1}l6 6m0 -6l-6 6\"/>", x - 3.0, y - 3.0)?,
                }
            }
        }
    }
    Ok(())
}

fn is_accepted(point: &Step) -> bool {
    matches!(point.submission.verdict, Verdict::Accepted { .. })
}
