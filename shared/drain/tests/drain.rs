//! Over real connections, since it is they that must go on.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in the functions that tests share too")]

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware::from_fn,
    routing::{get, post},
};
use modbox_drain::{LIMIT, drain};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// One that reads no body but at `/echo`, which reads all.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/next", get(async || "next"))
        .route("/echo", post(async |body: String| body))
        .fallback(async || StatusCode::FORBIDDEN)
        .layer(from_fn(drain));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Sends a request whose body comes later than its head, and then another; all that is answered to both.
async fn answers(path: &str, length: usize, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server().await).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    // What is sent to a connection that was cut fails or not; what is read tells.
    let _ = stream.write_all(body).await;
    let _ = stream.write_all(b"GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers).await;
    String::from_utf8(answers).unwrap()
}

#[tokio::test]
async fn a_connection_goes_on_behind_a_body_that_nobody_read() {
    let answers = answers("/refused", 2, b"{}").await;
    assert!(answers.starts_with("HTTP/1.1 403 "), "{answers}");
    assert!(answers.ends_with("\r\n\r\nnext"), "{answers}");
}

#[tokio::test]
async fn a_body_that_is_read_is_read_once() {
    let answers = answers("/echo", 5, b"hello").await;
    assert!(answers.contains("\r\n\r\nhelloHTTP/1.1 200 "), "{answers}");
    assert!(answers.ends_with("\r\n\r\nnext"), "{answers}");
}

#[tokio::test]
async fn behind_more_than_is_read_the_connection_is_said_to_end() {
    let answers = answers("/refused", 2 * LIMIT, &vec![0; LIMIT + 1_000_000]).await;
    assert!(answers.starts_with("HTTP/1.1 403 ") && answers.contains("connection: close"), "{answers}");
    assert!(!answers.contains("next"), "{answers}");
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for_without_end() {
    let began = std::time::Instant::now();
    let mut stream = TcpStream::connect(server().await).await.unwrap();
    stream.write_all(b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("connection: close"), "{answer}");
    assert!(began.elapsed() < 2 * modbox_drain::PATIENCE);
}
