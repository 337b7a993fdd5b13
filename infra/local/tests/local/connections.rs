use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use crate::{client::PATIENCE, machine::Machine};

pub(crate) fn behind_a_refusal_the_connection_carries_the_next_request() {
    let machine = Machine::start();
    for refused in ["POST /sandboxes", "POST /daytona/sandbox/x/start", "DELETE /vercel/api/v2/sandboxes/x"] {
        let mut connection = TcpStream::connect_timeout(&machine.api(), PATIENCE).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(connection, "{refused} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n").unwrap();
        // The refusal does not need the body, which comes later.
        sleep(Duration::from_millis(50));
        write!(connection, "{{}}GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answers = String::new();
        connection.read_to_string(&mut answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 401 ") && answers.contains("HTTP/1.1 200 "), "{answers}");
    }
}
