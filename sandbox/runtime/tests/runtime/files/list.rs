use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{each, named};
use crate::refusals::refused;
use crate::world::World;

fn touch(world: &World, name: &str) {
    fs::write(world.path(name), "").unwrap();
}

#[test]
fn a_folder_shows_what_is_in_it_by_name() {
    let world = World::start();
    fs::create_dir_all(world.path("sub/deep")).unwrap();
    fs::write(world.path("sub/b.txt"), "four").unwrap();
    touch(&world, "sub/B");
    touch(&world, "sub/ä");
    symlink("b.txt", world.path("sub/link")).unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_007);
    fs::File::options().write(true).open(world.path("sub/b.txt")).unwrap().set_modified(written).unwrap();
    let list = world.list("sub");
    assert_eq!(each(&list, "name"), ["B", "b.txt", "deep", "link", "ä"]);
    assert_eq!(each(&list, "type"), ["file", "file", "directory", "symlink", "file"]);
    let file = json!({"name": "b.txt", "path": "sub/b.txt", "type": "file", "size": 4, "modified_at": "2023-11-14T22:13:20.007Z"});
    assert_eq!(list.body["entries"][1], file);
    assert_eq!((&list.body["path"], &list.body["next_cursor"]), (&json!("sub"), &Value::Null));
}

#[test]
fn without_a_path_it_is_the_workspace() {
    let world = World::start();
    touch(&world, "a");
    let root = fs::canonicalize(world.workspace()).unwrap();
    for path in ["", ".", "./", root.to_str().unwrap()] {
        let list = world.list(path);
        assert_eq!((&list.body["path"], each(&list, "path")), (&json!("."), vec!["a"]), "{path}");
    }
    assert_eq!(each(&world.files("GET", "", &[]), "path"), ["a"]);
}

#[test]
fn a_path_may_be_absolute_wind_and_lead_through_links_that_stay_inside() {
    let world = World::start();
    fs::create_dir_all(world.path("a/b")).unwrap();
    fs::write(world.path("a/b/file"), "text").unwrap();
    symlink("a/b", world.path("relative")).unwrap();
    let absolute = fs::canonicalize(world.path("a/b")).unwrap();
    for path in
        ["a/b", "a//b/", "./a/./b", "a/../a/b", "relative", "a/b/../../relative", absolute.to_str().unwrap()]
    {
        assert_eq!(each(&world.list(path), "name"), ["file"], "{path}");
        assert_eq!(world.download(&format!("{path}/file")).bytes, b"text", "{path}");
    }
}

#[test]
fn a_long_list_comes_in_parts() {
    let world = World::start();
    let all: Vec<String> = (0..1_003).map(|n| format!("{n:04}")).collect();
    all.iter().for_each(|name| touch(&world, name));
    let first = world.list("");
    assert_eq!(each(&first, "name"), all[..1_000]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = world.files("GET", "", &[("cursor", cursor)]);
    assert_eq!(each(&rest, "name"), all[1_000..]);
    assert_eq!(rest.body["next_cursor"], Value::Null);
    let two = world.files("GET", "", &[("limit", "2")]);
    fs::remove_file(world.path("0001")).unwrap();
    fs::remove_file(world.path("0002")).unwrap();
    let cursor = two.body["next_cursor"].as_str().unwrap();
    let next = world.files("GET", "", &[("limit", "2"), ("cursor", cursor)]);
    assert_eq!(each(&next, "name"), ["0003", "0004"]);
    let exactly = world.files("GET", "", &[("limit", "999"), ("cursor", cursor)]);
    assert_eq!((each(&exactly, "name").len(), exactly.body["next_cursor"].is_string()), (999, true));
    touch(&world, "0001");
    let whole = world.files("GET", "", &[("limit", "1000"), ("cursor", cursor)]);
    assert_eq!((each(&whole, "name").len(), &whole.body["next_cursor"]), (1_000, &Value::Null));
}

#[test]
fn a_name_that_is_not_utf8_is_shown_and_passed() {
    let world = World::start();
    for name in [&b"a\xff"[..], b"b"] {
        fs::write(world.workspace().join(OsStr::from_bytes(name)), "").unwrap();
    }
    let first = world.files("GET", "", &[("limit", "1")]);
    assert_eq!(each(&first, "name"), ["a\u{fffd}"]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert_eq!(each(&world.files("GET", "", &[("cursor", cursor)]), "name"), ["b"]);
}

#[test]
fn what_is_no_folder_is_said() {
    let world = World::start();
    touch(&world, "file");
    assert_eq!(named(&world.list("file")), "query.path");
    refused(&world.list("absent"), 404, "not_found");
    refused(&world.list("absent/.."), 404, "not_found");
}

#[test]
fn wrong_parameters_are_named() {
    let world = World::start();
    for (name, value) in [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "-1"),
        ("limit", "many"),
        ("cursor", "*"),
        ("path", "a\0b"),
    ] {
        assert_eq!(named(&world.files("GET", "", &[(name, value)])), format!("query.{name}"), "{value}");
    }
    assert_eq!(named(&world.files("GET", "", &[("path", "a"), ("path", "b")])), "query.path");
    assert_eq!(named(&world.list(&"long/".repeat(1_000))), "query.path");
    assert_eq!(named(&world.list(&"x".repeat(256))), "query.path");
}
