//! The cloud on a socket.

use std::net::SocketAddr;

use modbox_local::dynamo::Dynamo;
use modbox_local::port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::world::{StandIns, client, create_table, stand_ins};

async fn exchange(address: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer may come before the whole of a refused body was read.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn served() -> (StandIns, SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let world = stand_ins(Dynamo::in_memory().unwrap());
    create_table(&client!(aws_sdk_dynamodb, world.cloud, "test")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = port::serve(listener, world.cloud.clone(), stop.clone());
    let serving = tokio::spawn(async move { serving.await.unwrap() });
    (world, address, stop, serving)
}

#[tokio::test]
async fn the_port_answers_as_the_connector_does_and_stops_when_told() {
    let (world, address, stop, serving) = served().await;
    let head = "POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.ListTables";
    let answer = exchange(address, head, b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/x-amz-json-1.0"), "{answer}");
    assert!(answer.contains("x-amzn-requestid: "), "{answer}");
    assert!(answer.ends_with(r#"{"TableNames":["modbox"]}"#), "{answer}");
    assert_eq!(world.cloud.calls()[&("port".to_owned(), "ListTables".to_owned())], 1);

    stop.cancel();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_get_tells_that_the_port_is_up_and_what_is_unknown_is_refused() {
    let (_world, address, _stop, _serving) = served().await;
    let health = exchange(address, "GET / HTTP/1.1", b"").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let missing = exchange(address, "GET /elsewhere HTTP/1.1", b"").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    let unknown = exchange(address, "POST / HTTP/1.1\r\nx-amz-target: S3.Get", b"{}").await;
    assert!(
        unknown.starts_with("HTTP/1.1 400") && unknown.contains("UnknownOperationException"),
        "{unknown}"
    );
    // As services with XML ask, such as STS.
    let other = exchange(address, "POST / HTTP/1.1", b"Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(other.starts_with("HTTP/1.1 400") && other.contains("<Code>UnknownOperation"), "{other}");
    let by_path = "POST /000000000000/dead HTTP/1.1\r\nx-amz-target: AmazonSQS.GetQueueUrl";
    let by_path = exchange(address, by_path, br#"{"QueueName":"dead"}"#).await;
    assert!(by_path.starts_with("HTTP/1.1 200"), "{by_path}");
}

#[tokio::test]
async fn a_body_beyond_16_mb_is_refused() {
    let (_world, address, _stop, _serving) = served().await;
    let head = "POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.ListTables";
    let answer = exchange(address, head, &vec![b' '; 16 * 1024 * 1024 + 1]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{}", &answer[..answer.len().min(200)]);
}
