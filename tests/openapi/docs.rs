//! GET /docs.

use modbox_tests::World;

use super::document::served;
use crate::api::routes;

#[tokio::test(start_paused = true)]
async fn the_page_has_every_operation_and_schema_with_an_anchor() {
    let answer = World::start().await.guest().get("/docs").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let (page, document) = (answer.text(), served().await);
    for (method, path, operation) in routes::operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{method} {path}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "{method} {path}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert_eq!(page.matches(&format!("id=\"schema-{name}\"")).count(), 1, "{name}");
    }
}

/// Every target of a link within the page.
fn linked(page: &str) -> impl Iterator<Item = &str> {
    page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next())
}

#[tokio::test(start_paused = true)]
async fn every_link_of_the_page_leads_somewhere() {
    let page = World::start().await.guest().get("/docs").await.text();
    let mut links = 0;
    for target in linked(&page) {
        assert!(page.contains(&format!("id=\"{target}\"")), "#{target}");
        links += 1;
    }
    assert!(links > 50, "only {links} links were found");
}

#[tokio::test(start_paused = true)]
async fn the_page_loads_nothing_and_may_run_nothing() {
    let answer = World::start().await.guest().get("/docs").await;
    let page = answer.text();
    for foreign in ["<script", "http://", "https://", "src=", "@import", "url(", "<link", "style="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}
