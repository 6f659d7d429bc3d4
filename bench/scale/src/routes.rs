//! Which requests to measure: every GET route of the served `OpenAPI` document, with existing ids in its path.

use std::collections::BTreeMap;

use serde_json::Value;

/// Names that a cursor may have in the query of a paged route.
const CURSORS: [&str; 2] = ["after", "cursor"];

/// A GET route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its path, with names of parameters in braces.
    pub template: String,
    /// The query parameter that takes the cursor of the next page, if it has pages.
    pub cursor: Option<String>,
    /// Whether it is an event stream.
    pub streams: bool,
}

impl Route {
    /// All GET routes of a document, in its order.
    #[must_use]
    pub fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().into_iter().flatten();
        paths.filter_map(|(template, item)| item.get("get").map(|operation| Self::new(template, operation))).collect()
    }

    fn new(template: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut names = parameters.filter(|parameter| parameter["in"] == "query").filter_map(|p| p["name"].as_str());
        Self {
            template: template.into(),
            cursor: names.find(|name| CURSORS.contains(name)).map(Into::into),
            streams: operation["responses"]["200"]["content"].get("text/event-stream").is_some(),
        }
    }

    /// The path's parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.template.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }

    /// Its paths with these values of the parameters; a parameter without values leaves nothing to ask for.
    #[must_use]
    pub fn paths(&self, values: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let mut paths = vec![self.template.clone()];
        for name in self.parameters() {
            let values = values.get(name).map_or(&[][..], Vec::as_slice);
            let fill = |path: &String| {
                let path = path.clone();
                values.iter().map(move |value| path.replace(&format!("{{{name}}}"), value)).collect::<Vec<_>>()
            };
            paths = paths.iter().flat_map(fill).collect();
        }
        paths
    }

    /// The page of `path` after a cursor.
    #[must_use]
    pub fn page(&self, path: &str, next: &str) -> Option<String> {
        self.cursor.as_ref().map(|cursor| format!("{path}?{cursor}={next}"))
    }
}

/// Texts in an answer that could name an artefact: digests and content identifiers.
#[must_use]
pub fn artefact_names(answer: &Value) -> Vec<String> {
    match answer {
        Value::String(text) => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let digest = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            // A CID of version 1 in its usual form.
            let identifier = text.len() > 50 && text.starts_with("baf");
            if digest || identifier { vec![text.clone()] } else { Vec::new() }
        }
        Value::Array(items) => items.iter().flat_map(artefact_names).collect(),
        Value::Object(fields) => fields.values().flat_map(artefact_names).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn routes_come_from_the_document() {
        let page = json!({ "parameters": [{ "in": "query", "name": "limit" }, { "in": "query", "name": "after" }] });
        let stream = json!({ "responses": { "200": { "content": { "text/event-stream": {} } } } });
        let document = json!({ "paths": {
            "/campaigns/{id}/events": { "get": page },
            "/events": { "get": stream },
            "/relay": { "post": {} },
        } });
        let routes = Route::all(&document);
        assert_eq!(routes.len(), 2);
        assert!(routes[1].streams && routes[1].cursor.is_none());
        let ids = BTreeMap::from([("id".to_owned(), vec!["0x1".to_owned(), "0x2".to_owned()])]);
        assert_eq!(routes[0].paths(&ids), ["/campaigns/0x1/events", "/campaigns/0x2/events"]);
        assert_eq!(routes[0].page("/x", "7-1").as_deref(), Some("/x?after=7-1"));
        assert!(routes[0].paths(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn artefacts_are_found_by_digest_and_by_identifier() {
        let digest = format!("0x{}", "ab".repeat(32));
        let identifier = format!("bafkrei{}", "a".repeat(52));
        let owner = format!("0x{}", "ab".repeat(20));
        let answer = json!({ "name": "x", "terms": { "manifest": digest, "owner": owner }, "versions": [identifier] });
        let mut found = artefact_names(&answer);
        found.sort_unstable();
        assert_eq!(found, [digest, identifier]);
    }
}
