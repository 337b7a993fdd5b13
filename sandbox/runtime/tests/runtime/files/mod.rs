use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

use crate::world::{Answer, TOKEN, World, read_answer};

mod delete;
mod download;
mod inside;
mod list;
mod upload;

const BOUNDARY: &str = "the-boundary";
/// The largest file that is taken.
const LIMIT: usize = 52_428_800;

/// The part of a form in which a file comes.
fn part(name: &str, filename: Option<&str>, bytes: &[u8]) -> Vec<u8> {
    let filename = filename.map(|it| format!("; filename=\"{it}\"")).unwrap_or_default();
    let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{filename}\r\n\r\n")
        .into_bytes();
    [&head, bytes, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
}

fn query(parameters: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (name, value) in parameters {
        write!(query, "{}{name}=", if query.is_empty() { '?' } else { '&' }).unwrap();
        value.bytes().for_each(|byte| write!(query, "%{byte:02x}").unwrap());
    }
    query
}

impl World {
    fn files(&self, method: &str, path: &str, parameters: &[(&str, &str)]) -> Answer {
        let line = format!("{method} /modbox/api/files{path}{}", query(parameters));
        self.ask(&line, Some(&format!("Bearer {TOKEN}")), b"")
    }

    fn list(&self, path: &str) -> Answer {
        self.files("GET", "", &[("path", path)])
    }

    fn download(&self, path: &str) -> Answer {
        self.files("GET", "/download", &[("path", path)])
    }

    fn delete(&self, path: &str) -> Answer {
        self.files("DELETE", "", &[("path", path)])
    }

    fn delete_all(&self, path: &str) -> Answer {
        self.files("DELETE", "", &[("path", path), ("recursive", "true")])
    }

    /// Begins to send a form of so many bytes.
    fn uploading(&self, length: usize) -> TcpStream {
        self.uploading_as(&format!("multipart/form-data; boundary={BOUNDARY}"), length)
    }

    fn uploading_as(&self, content_type: &str, length: usize) -> TcpStream {
        let mut stream = self.connect();
        let head = format!(
            "POST /modbox/api/files/upload HTTP/1.1\r\nhost: box\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: {content_type}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    fn send_form(&self, form: &[u8]) -> Answer {
        let mut stream = self.uploading(form.len());
        stream.write_all(form).unwrap();
        read_answer(stream)
    }

    fn send_as(&self, content_type: &str, body: &[u8]) -> Answer {
        let mut stream = self.uploading_as(content_type, body.len());
        stream.write_all(body).unwrap();
        read_answer(stream)
    }

    fn upload(&self, filename: &str, bytes: &[u8]) -> Answer {
        self.send_form(&form(&[part("file", Some(filename), bytes)]))
    }

    /// What is in a folder of the workspace, in the order of the names.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// One member of each entry of a list, which is a text.
fn each<'a>(list: &'a Answer, member: &str) -> Vec<&'a str> {
    assert_eq!(list.status, 200, "{}", list.body);
    list.body["entries"].as_array().unwrap().iter().map(|entry| entry[member].as_str().unwrap()).collect()
}

/// The field that a 422 is about.
#[track_caller]
fn named(answer: &Answer) -> &str {
    crate::refusals::refused(answer, 422, "validation_error");
    answer.body["error"]["details"][0]["field"].as_str().unwrap()
}
