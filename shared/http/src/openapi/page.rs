//! The document as one HTML page: no script, nothing from anywhere else, light or dark as the reader has it.

use utoipa::openapi::{
    OpenApi, RefOr, Response, Schema,
    content::Content,
    path::{Operation, Parameter, PathItem},
    request_body::RequestBody,
    schema::{AllOf, Object},
    security::{SecurityRequirement, SecurityScheme},
    tag::Tag,
};

use super::types;

pub(super) const STYLE: &str = include_str!("page.css");

/// Renders the whole document.
pub(super) fn page(document: &OpenApi) -> String {
    let title = escape(&document.info.title);
    let tags = document.tags.as_deref().unwrap_or_default();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>{STYLE}</style>\n"
    );
    html.push_str(&contents(document, tags));
    html.push_str("<main>\n");
    html.push_str(&format!("<h1>{title} <small>{}</small></h1>\n", escape(&document.info.version)));
    html.push_str(&prose(document.info.description.as_deref()));
    html.push_str("<p>As a document for programs: <a href=\"/openapi.json\">/openapi.json</a>.</p>\n");
    html.push_str(&tokens(document));
    for tag in tags {
        html.push_str(&format!("<h2 id=\"{0}\">{0}</h2>\n", escape(&tag.name)));
        html.push_str(&prose(tag.description.as_deref()));
        for (method, path, one) in of_tag(document, tag) {
            html.push_str(&operation(document, (method, path), one));
        }
    }
    html.push_str("<h2 id=\"schemas\">schemas</h2>\n");
    for (name, schema) in schemas(document) {
        html.push_str(&named(name, schema));
    }
    html.push_str("</main>\n</html>\n");
    html
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn of_tag<'a>(
    document: &'a OpenApi,
    tag: &Tag,
) -> impl Iterator<Item = (&'static str, &'a str, &'a Operation)> {
    let all = document.paths.paths.iter().flat_map(|(path, item)| {
        operations(item).map(move |(method, operation)| (method, path.as_str(), operation))
    });
    all.filter(|(_, _, operation)| operation.tags.iter().flatten().any(|name| *name == tag.name))
}

fn schemas(document: &OpenApi) -> impl Iterator<Item = (&String, &RefOr<Schema>)> {
    document.components.iter().flat_map(|components| &components.schemas)
}

fn contents(document: &OpenApi, tags: &[Tag]) -> String {
    let mut html = "<nav>\n".to_owned();
    for tag in tags {
        html.push_str(&format!("<h2><a href=\"#{0}\">{0}</a></h2>\n<ul>\n", escape(&tag.name)));
        for (method, path, operation) in of_tag(document, tag) {
            html.push_str(&format!(
                "<li><a href=\"#{}\"><b>{method}</b> {}</a>\n",
                id(operation),
                breakable(path)
            ));
        }
        html.push_str("</ul>\n");
    }
    html.push_str("<h2><a href=\"#schemas\">schemas</a></h2>\n<ul>\n");
    for (name, _) in schemas(document) {
        html.push_str(&format!("<li><a href=\"#schema-{0}\">{0}</a>\n", escape(name)));
    }
    html.push_str("</ul>\n</nav>\n");
    html
}

fn tokens(document: &OpenApi) -> String {
    let schemes = document.components.iter().flat_map(|components| &components.security_schemes);
    let rows = schemes.map(|(name, scheme)| {
        let description = match scheme {
            SecurityScheme::Http(http) => http.description.as_deref(),
            _ => None,
        };
        [code(name), prose(description)]
    });
    table(["token, in <code>Authorization: Bearer …</code>", ""], rows)
}

fn operation(document: &OpenApi, (method, path): (&str, &str), operation: &Operation) -> String {
    let mut html = format!(
        "<section id=\"{}\">\n<h3><b>{method}</b> {}</h3>\n<p><strong>{}</strong> <small>{}</small>\n",
        id(operation),
        breakable(path),
        inline(operation.summary.as_deref().unwrap_or_default()),
        id(operation),
    );
    html.push_str(&prose(operation.description.as_deref()));
    html.push_str(&format!("<p>Token: {}\n", guard(document, operation)));
    html.push_str(&parameters(operation.parameters.as_deref().unwrap_or_default()));
    if let Some(body) = &operation.request_body {
        html.push_str(&request(body));
    }
    let responses = operation.responses.responses.iter();
    let rows = responses.filter_map(|(status, response)| {
        let response = resolved(document, response)?;
        Some([escape(status), inline(&response.description), contents_of(response.content.iter())])
    });
    html.push_str(&table(["status", "", "body"], rows));
    html.push_str("</section>\n");
    html
}

/// The names of the tokens that open it; `none` where none is asked for.
fn guard(document: &OpenApi, operation: &Operation) -> String {
    let asked = operation.security.as_ref().or(document.security.as_ref());
    let asked = serde_json::to_value(asked.into_iter().flatten().collect::<Vec<&SecurityRequirement>>());
    let asked = asked.unwrap_or_default();
    let names = asked.as_array().into_iter().flatten().filter_map(|one| one.as_object()?.keys().next());
    let names: Vec<_> = names.map(|name| code(name)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" or ") }
}

fn parameters(parameters: &[Parameter]) -> String {
    let rows = parameters.iter().map(|one| {
        let place = serde_json::to_value(&one.parameter_in).unwrap_or_default();
        [
            code(&one.name),
            escape(place.as_str().unwrap_or_default()),
            one.schema.as_ref().map(types::of).unwrap_or_default(),
            inline(one.description.as_deref().unwrap_or_default()),
        ]
    });
    table(["parameter", "in", "type", ""], rows)
}

fn request(body: &RequestBody) -> String {
    let required = serde_json::to_value(&body.required).is_ok_and(|required| required == true);
    let optional = if required { "" } else { ", may be empty" };
    format!("<p>Body: {}{optional}\n", contents_of(body.content.iter()))
}

/// The answer itself, where the operation only names it.
fn resolved<'a>(document: &'a OpenApi, response: &'a RefOr<Response>) -> Option<&'a Response> {
    match response {
        RefOr::T(response) => Some(response),
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next()?;
            resolved(document, document.components.as_ref()?.responses.get(name)?)
        }
    }
}

fn contents_of<'a>(content: impl Iterator<Item = (&'a String, &'a Content)>) -> String {
    let each = content.map(|(kind, content)| match &content.schema {
        Some(schema) if kind == "application/json" => types::of(schema),
        _ => escape(kind),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn named(name: &str, schema: &RefOr<Schema>) -> String {
    let name = escape(name);
    let body = match schema {
        RefOr::T(Schema::Object(object)) if !object.properties.is_empty() => {
            prose(object.description.as_deref()) + &fields(object)
        }
        RefOr::T(Schema::AllOf(all)) => prose(all.description.as_deref()) + &composed(all),
        RefOr::T(Schema::Object(object)) => {
            format!("{}<p>{}\n", prose(object.description.as_deref()), types::of(schema))
        }
        other => format!("<p>{}\n", types::of(other)),
    };
    format!("<section id=\"schema-{name}\">\n<h3>{name}</h3>\n{body}</section>\n")
}

/// A schema that is another with more fields.
fn composed(all: &AllOf) -> String {
    let parts = all.items.iter().map(|item| match item {
        RefOr::T(Schema::Object(object)) => fields(object),
        other => format!("<p>All of {}, and:\n", types::of(other)),
    });
    parts.collect()
}

fn fields(object: &Object) -> String {
    let rows = object.properties.iter().map(|(name, schema)| {
        let required = if object.required.contains(name) { "required" } else { "" };
        let description = description(schema).unwrap_or_default();
        [code(name), types::of(schema), required.to_owned(), inline(description)]
    });
    table(["field", "type", "", ""], rows)
}

fn description(schema: &RefOr<Schema>) -> Option<&str> {
    match schema {
        RefOr::Ref(reference) => Some(&reference.description),
        RefOr::T(Schema::Object(object)) => object.description.as_deref(),
        RefOr::T(Schema::Array(array)) => array.description.as_deref(),
        RefOr::T(Schema::OneOf(one_of)) => one_of.description.as_deref(),
        RefOr::T(_) => None,
    }
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: String = rows.map(|row| format!("<tr><td>{}\n", row.join("<td>"))).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("<table>\n<tr><th>{}\n{rows}</table>\n", head.join("<th>"))
}

fn id(operation: &Operation) -> String {
    escape(operation.operation_id.as_deref().unwrap_or_default())
}

/// A path that may wrap after each slash.
fn breakable(path: &str) -> String {
    format!("<code>{}</code>", escape(path).replace('/', "/<wbr>"))
}

/// Paragraphs, parted by empty lines.
fn prose(text: Option<&str>) -> String {
    let paragraphs = text.unwrap_or_default().split("\n\n").filter(|text| !text.trim().is_empty());
    paragraphs.map(|text| format!("<p>{}\n", inline(text))).collect()
}

/// Text in which backticks enclose code.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { code(part) } else { escape(part) }).collect()
}

pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
