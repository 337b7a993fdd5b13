use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{LIMIT, each, form, named, part};
use crate::refusals::refused;
use crate::world::{TOKEN, World, eventually, read_answer};

const UPLOAD: &str = "POST /modbox/api/files/upload";

/// What it peaked at, in bytes.
fn peak_memory(world: &World) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_file_is_in_uploads_and_can_be_listed_and_downloaded() {
    let world = World::start();
    let answer = world.upload("data.bin", b"\0\r\n--the-boundar\xff");
    assert_eq!(answer.status, 200, "{}", answer.body);
    for (member, value) in [
        ("name", json!("data.bin")),
        ("path", json!("uploads/data.bin")),
        ("type", json!("file")),
        ("size", json!(17)),
    ] {
        assert_eq!(answer.body[member], value);
    }
    assert_eq!(world.list("uploads").body["entries"][0], answer.body);
    assert_eq!(fs::read(world.path("uploads/data.bin")).unwrap(), b"\0\r\n--the-boundar\xff");
    assert_eq!(world.download("uploads/data.bin").bytes, b"\0\r\n--the-boundar\xff");
}

#[test]
fn everybody_may_read_it_whatever_the_umask() {
    for umask in ["000", "077"] {
        let world = World::after(&format!("umask {umask}"));
        world.upload("file", b"");
        assert_eq!(fs::metadata(world.path("uploads/file")).unwrap().mode() & 0o7777, 0o644);
    }
}

#[test]
fn the_same_name_replaces() {
    let world = World::start();
    world.upload("file", b"a longer one");
    assert_eq!(world.upload("file", b"short").body["size"], 5);
    assert_eq!(
        (world.read("uploads/file"), world.names("uploads")),
        ("short".to_owned(), vec!["file".to_owned()])
    );
}

#[test]
fn what_has_the_name_is_replaced_and_not_written_through() {
    let world = World::start();
    fs::create_dir(world.path("uploads")).unwrap();
    fs::write(world.path("precious"), "precious").unwrap();
    fs::hard_link(world.path("precious"), world.path("uploads/hard")).unwrap();
    symlink("../precious", world.path("uploads/soft")).unwrap();
    symlink("nowhere", world.path("uploads/dangling")).unwrap();
    world.run("mkfifo uploads/pipe");
    for name in ["hard", "soft", "dangling", "pipe"] {
        assert_eq!(world.upload(name, b"new").status, 200);
        assert!(fs::symlink_metadata(world.path("uploads").join(name)).unwrap().is_file());
        assert_eq!(world.read(&format!("uploads/{name}")), "new");
    }
    assert_eq!(world.read("precious"), "precious");
    assert!(!world.path("uploads/nowhere").exists());
}

#[test]
fn a_folder_is_not_replaced() {
    let world = World::start();
    fs::create_dir_all(world.path("uploads/folder")).unwrap();
    refused(&world.upload("folder", b"new"), 409, "conflict");
    assert_eq!(world.names("uploads"), ["folder"]);
}

#[test]
fn nobody_sees_a_half_one() {
    let world = World::start();
    world.upload("file", b"before");
    let whole = form(&[part("file", Some("file"), &[b'x'; 300_000])]);
    let mut sending = world.uploading(whole.len());
    sending.write_all(&whole[..200_000]).unwrap();
    eventually("the file under way", || world.names("uploads").len() == 2);
    assert_eq!(world.download("uploads/file").bytes, b"before");
    assert_eq!(each(&world.list("uploads"), "name"), ["file"]);
    sending.write_all(&whole[200_000..]).unwrap();
    assert_eq!(read_answer(sending).body["size"], 300_000);
    assert_eq!((world.names("uploads").len(), world.read("uploads/file").len()), (1, 300_000));
}

#[test]
fn a_connection_that_is_cut_leaves_what_was_there() {
    let world = World::start();
    world.upload("file", b"before");
    let whole = form(&[part("file", Some("file"), &[b'x'; 300_000])]);
    // In the middle, before the last boundary, and within it.
    for sent in [200_000, whole.len() - 30, whole.len() - 6] {
        let mut sending = world.uploading(whole.len());
        sending.write_all(&whole[..sent]).unwrap();
        eventually("the file under way", || world.names("uploads").len() == 2);
        sending.shutdown(Shutdown::Both).unwrap();
        eventually("the end of the file under way", || world.names("uploads") == ["file"]);
        assert_eq!(world.read("uploads/file"), "before");
    }
}

#[test]
fn a_form_that_ends_early_leaves_nothing() {
    let world = World::start();
    let whole = form(&[part("file", Some("file"), b"text")]);
    for cut in [whole.len() - 4, whole.len() - 10, 70] {
        refused(&world.send_form(&whole[..cut]), 400, "bad_request");
        assert!(!world.path("uploads/file").exists(), "{cut}");
    }
    assert!(!world.path("uploads").exists() || world.names("uploads").is_empty());
}

#[test]
fn fifty_mebibytes_pass_through_little_memory_and_no_more_are_taken() {
    let world = World::start();
    world.upload("small", b"");
    let before = peak_memory(&world);
    let bytes = vec![b'x'; LIMIT + 1];
    let answer = world.upload("large", &bytes[1..]);
    assert_eq!((answer.status, &answer.body["size"]), (200, &json!(LIMIT)));
    assert!(world.download("uploads/large").bytes == bytes[1..]);
    refused(&world.upload("larger", &bytes), 413, "payload_too_large");
    assert_eq!(world.names("uploads"), ["large", "small"]);
    let grown = peak_memory(&world) - before;
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes more");
}

#[test]
fn a_file_that_is_too_large_is_refused_while_it_is_still_sent() {
    let world = World::start();
    let answer = world.upload("large", &vec![0; LIMIT + 8_000_000]);
    refused(&answer, 413, "payload_too_large");
    assert!(answer.body["detail"].as_str().unwrap().contains("52428800 bytes"), "{}", answer.body);
    assert!(world.names("uploads").is_empty());
}

#[test]
fn commands_are_answered_meanwhile() {
    let (world, large) = (World::start(), vec![b'x'; LIMIT]);
    std::thread::scope(|scope| {
        let (world, large) = (&world, &large);
        let sending =
            scope.spawn(move || (0..3).for_each(|_| assert_eq!(world.upload("large", large).status, 200)));
        let mut slowest = Duration::ZERO;
        while !sending.is_finished() {
            let begun = Instant::now();
            world.run("true");
            slowest = slowest.max(begun.elapsed());
        }
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    });
}

#[test]
fn what_else_a_form_has_is_ignored() {
    let world = World::start();
    let parts = [
        part("note", None, b"text"),
        part("other", Some("other.txt"), b"text"),
        part("file", Some("file"), b"wanted"),
        part("path", None, b"/etc/passwd"),
    ];
    assert_eq!(world.send_form(&form(&parts)).status, 200);
    assert_eq!(
        (world.names("uploads"), world.read("uploads/file")),
        (vec!["file".to_owned()], "wanted".to_owned())
    );
}

#[test]
fn much_beside_the_file_is_refused() {
    let world = World::start();
    let much = vec![b'x'; 3_000_000];
    for parts in [
        [part("note", None, &much), part("file", Some("file"), b"")],
        [part("file", Some("file"), b""), part("note", None, &much)],
        [much.clone(), part("file", Some("file"), b"")],
        [part(&"x".repeat(3_000_000), None, b""), part("file", Some("file"), b"")],
    ] {
        refused(&world.send_form(&form(&parts)), 413, "payload_too_large");
    }
    assert!(world.names("uploads").is_empty());
}

#[test]
fn a_form_without_the_file_or_with_two_is_refused() {
    let world = World::start();
    let two = [part("file", Some("a"), b"a"), part("file", Some("b"), b"b")];
    for parts in [&[][..], &[part("files", Some("a"), b"a")], &[part("file", None, b"a")], &two] {
        assert_eq!(named(&world.send_form(&form(parts))), "body.file");
    }
    assert!(world.names("uploads").is_empty());
}

#[test]
fn what_is_no_form_is_refused() {
    let world = World::start();
    let token = format!("Bearer {TOKEN}");
    assert_eq!(named(&world.ask(UPLOAD, Some(&token), b"text")), "body");
    let whole = form(&[part("file", Some("file"), b"text")]);
    for content_type in ["application/json", "multipart/form-data", "multipart/mixed; boundary=the-boundary"]
    {
        assert_eq!(named(&world.send_as(content_type, &whole)), "body", "{content_type}");
    }
    refused(&world.send_form(b"--other\r\n\r\n--other--\r\n"), 400, "bad_request");
    assert_eq!(named(&world.send_form(b"--the-boundary\r\n:\r\n\r\nx\r\n--the-boundary--\r\n")), "body");
    assert!(!world.path("uploads").exists());
}

#[test]
fn the_name_is_the_last_component_of_the_filename() {
    let world = World::start();
    let names = [
        ("../../escaped", "escaped"),
        ("/etc/passwd", "passwd"),
        (r"C:\\fakepath\\b c.txt", "b c.txt"),
        ("ä🦀\u{202e}.txt", "ä🦀\u{202e}.txt"),
        ("%2e%2e%2fx", "%2e%2e%2fx"),
        (".hidden", ".hidden"),
        ("-rf *", "-rf *"),
    ];
    for (filename, name) in names {
        let answer = world.upload(filename, filename.as_bytes());
        assert_eq!((answer.status, &answer.body["name"]), (200, &json!(name)), "{}", answer.body);
        assert_eq!(world.read(&format!("uploads/{name}")), filename);
    }
    assert_eq!((world.names(".").len(), world.names("uploads").len()), (1, names.len()));
}

#[test]
fn a_filename_that_names_no_file_is_refused() {
    let world = World::start();
    let long = "x".repeat(256);
    for filename in ["", ".", "..", "/", "a/", "a/..", "..\\", "a\tb", "\u{9b}", ".modbox-upload-7", &long] {
        assert_eq!(named(&world.upload(filename, b"")), "body.file", "{filename:?}");
    }
    for filename in ["a\0b", "a\x1bb", "a\x7fb"] {
        assert!(named(&world.upload(filename, b"")).starts_with("body"), "{filename:?}");
    }
    let not_utf8 = [
        b"--the-boundary\r\ncontent-disposition: form-data; name=file; filename=\"",
        &b"\xff\"\r\n\r\n\r\n"[..],
    ];
    assert_eq!(named(&world.send_form(&form(&[not_utf8.concat()]))), "body.file");
    assert!(!world.path("uploads").exists());
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    // Nothing tells a limit for files from a disk that is full: a write is not whole, and the next one fails.
    let world = World::after("trap '' XFSZ; ulimit -f 1000");
    world.upload("file", b"before");
    refused(&world.upload("file", &vec![b'x'; 2_000_000]), 507, "insufficient_storage");
    assert_eq!(
        (world.names("uploads"), world.read("uploads/file")),
        (vec!["file".to_owned()], "before".to_owned())
    );
}

#[test]
fn it_needs_the_token() {
    let world = World::start();
    fs::write(world.path("file"), "").unwrap();
    for line in [
        UPLOAD,
        "GET /modbox/api/files",
        "GET /modbox/api/files/download?path=file",
        "DELETE /modbox/api/files?path=file",
    ] {
        refused(&world.ask(line, None, b""), 401, "unauthenticated");
        refused(&world.ask(line, Some("Bearer wrong"), b""), 401, "invalid_token");
    }
    assert_eq!(world.names("."), ["file"]);
    refused(
        &world.ask("PUT /modbox/api/files", Some(&format!("Bearer {TOKEN}")), b""),
        405,
        "method_not_allowed",
    );
}
