//! A badge of a campaign for web pages: state and accuracy as a small SVG.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use sonar_contracts::State as CampaignState;
use sonar_protocol::{projection::Label, text::escape_markup, units::percent, view::CampaignView};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, api::campaign_of, extract::Segment, problem::Problem};

/// Maximum number of characters of the campaign's name.
const MAX_NAME: usize = 40;
/// Width in pixels that a character gets; the text is fitted to the sum.
const NARROW: usize = 7;
/// The same for characters that are not Latin, which may be wider.
const WIDE: usize = 12;
const MARGIN: usize = 10;

/// The SVG.
fn badge(view: &CampaignView, label: Option<&Label>) -> String {
    let name = label.map_or_else(|| view.id.short(), |label| shortened(&label.name));
    let status = status(view);
    let (left, right) = (width(&name), width(&status));
    let total = left + right;
    let colour = colour(view.state);
    let text = |middle: usize, length: usize, text: &str| {
        format!(
            "<text x=\"{middle}\" y=\"14\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
            length - MARGIN,
            escape_markup(text)
        )
    };
    let (name_text, status_text) = (text(left / 2, left, &name), text(left + right / 2, right, &status));
    let title = format!("{name}: {status}");
    let title = escape_markup(&title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"20\" role=\"img\" aria-label=\"{title}\">\
         <title>{title}</title>\
         <rect width=\"{left}\" height=\"20\" fill=\"#343a40\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/>\
         <g fill=\"#ffffff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         {name_text}{status_text}</g></svg>\n"
    )
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        None => name.into(),
        Some((end, _)) => format!("{}…", name[..end].trim_end()),
    }
}

/// `open · 62.5 % of 90 %`
fn status(view: &CampaignView) -> String {
    match view.start_ppm {
        None => view.state.to_string(),
        Some(_) => format!("{} · {} of {}", view.state, percent(view.best_ppm), percent(view.terms.target())),
    }
}

fn width(text: &str) -> usize {
    let characters = text.chars().map(|c| if c.is_ascii() || c == '·' || c == '…' { NARROW } else { WIDE });
    characters.sum::<usize>() + MARGIN
}

/// White text on each has a contrast of at least 4.5.
fn colour(state: CampaignState) -> &'static str {
    match state {
        CampaignState::Open => "#1864ab",
        CampaignState::Finalized | CampaignState::Released => "#2b7a3d",
        CampaignState::Convicted => "#c92a2a",
        CampaignState::None | CampaignState::Proposed | CampaignState::Closed | CampaignState::Refunded => "#5c636a",
    }
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(badge_svg))
}

/// State and accuracy of a campaign as a small picture for web pages.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/badge.svg", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = String, content_type = "image/svg+xml"),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn badge_svg(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Response, Problem> {
    let view = campaign_of(&app, &id)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("max-age=60")),
        // The picture can be opened as a page too, and then must run nothing.
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((headers, badge(&view, app.label(&view).as_ref())).into_response())
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{EVIL_NAME, assert_well_formed, label, mixed},
        *,
    };

    #[test]
    fn a_badge_shows_state_and_accuracy() {
        let (story, id) = mixed();
        let svg = badge(story.view(id), Some(&label("Tumours")));
        assert_well_formed(&svg);
        assert!(svg.contains("<title>Tumours: open · 30 % of 90 %</title>"), "{svg}");
        assert!(badge(story.view(id), None).contains("<title>0x01010101: open"), "an unknown name");
    }

    #[test]
    fn a_name_cannot_leave_its_place_and_is_shortened() {
        let (story, id) = mixed();
        let svg = badge(story.view(id), Some(&label(EVIL_NAME)));
        assert_well_formed(&svg);
        assert!(!svg.contains("<script") && svg.contains("&lt;/title&gt;"), "{svg}");
        let long = badge(story.view(id), Some(&label(&"名".repeat(4_096))));
        assert_well_formed(&long);
        assert!(long.len() < 2_000 && long.contains('…'));
    }
}
