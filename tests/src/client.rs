//! A caller of the API: real HTTP requests, without a socket.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::Secrets;

/// The host that every caller believes to speak to.
const HOST: &str = "api.modbox.test";

/// Somebody who calls the API, as whom the token says.
#[derive(Clone, Debug)]
pub struct Client {
    router: Router,
    headers: HeaderMap,
    secrets: Secrets,
}

impl Client {
    /// A caller of this router, without a token.
    pub fn new(router: Router) -> Self {
        let client = Self { router, headers: HeaderMap::new(), secrets: Secrets::default() };
        client.with_header("host", HOST)
    }

    /// The same caller, whose tokens and bodies are looked for wherever the functions write.
    pub(crate) fn watched(mut self, secrets: &Secrets) -> Self {
        self.secrets = secrets.clone();
        self
    }

    /// The same caller with another token.
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header("authorization", format!("Bearer {token}"))
    }

    /// The same caller, who sends this header with every request, in place of one of that name.
    pub fn with_header(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut client = self.clone();
        let name: HeaderName = name.parse().expect("a test names headers that HTTP allows");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a test sends values that HTTP allows");
        client.headers.insert(name, value);
        client
    }

    /// The same caller without this header.
    pub fn without_header(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.remove(name);
        client
    }

    /// Creates a sandbox, which must be accepted, and tells its id.
    pub async fn create(&self, body: Value) -> String {
        let accepted = self.post("/sandboxes", body).await.expect(201);
        accepted["sandbox_id"].as_str().expect("an id is text").to_owned()
    }

    /// The sandbox of that id or name as `GET /sandboxes/{sandbox_id}` shows it.
    pub async fn detail(&self, sandbox: &str) -> Value {
        self.get(&format!("/sandboxes/{sandbox}")).await.expect(200)
    }

    fn entrust(&self, body: &[u8]) {
        self.secrets.body(body);
        let authorization = self.headers.get("authorization").and_then(|value| value.to_str().ok());
        if let Some(token) = authorization.and_then(|value| value.strip_prefix("Bearer ")) {
            self.secrets.token(token);
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path).json(&body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// A request that is yet to be given a body and sent.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request { client: self.clone(), method, path: path.to_owned(), body: Vec::new() }
    }
}

/// A request on its way.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    body: Vec<u8>,
}

impl Request {
    /// Gives it a JSON body, and the header that says so.
    pub fn json(mut self, body: &Value) -> Self {
        self.client = self.client.with_header("content-type", "application/json");
        self.body(body.to_string())
    }

    /// Gives it a body of any bytes.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it, and reads the whole answer.
    pub async fn send(self) -> Answer {
        let Self { client, method, path, body } = self;
        client.entrust(&body);
        let request = axum::http::Request::builder().method(method).uri(&path);
        let mut request = request.body(Body::from(body)).expect("a test asks for paths that HTTP allows");
        *request.headers_mut() = client.headers;
        let response = client.router.oneshot(request).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("an answer in memory can be read").to_bytes();
        client.secrets.answer(&body);
        client.secrets.are_kept();
        Answer { status: parts.status, headers: parts.headers, body: body.to_vec() }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, which must be JSON and said to be.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body, if the status is this one; otherwise the test fails and shows both.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of the error envelope.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {}", self.text())).to_owned()
    }

    /// The fields that the error envelope names, in its order.
    #[track_caller]
    pub fn fields(&self) -> Vec<String> {
        let body = self.json();
        let details = body["error"]["details"].as_array().cloned().unwrap_or_default();
        details.iter().map(|detail| detail["field"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
