use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use super::named;
use crate::refusals::refused;
use crate::world::{TOKEN, World};

#[test]
fn a_file_comes_as_it_is() {
    let world = World::start();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(world.path("data.bin"), &bytes).unwrap();
    let answer = world.download("data.bin");
    assert_eq!(answer.status, 200);
    assert!(answer.bytes == bytes);
    for header in [
        "content-length: 3000000\r\n",
        "content-type: application/octet-stream\r\n",
        "content-disposition: attachment; filename=\"data.bin\"; filename*=utf-8''data.bin\r\n",
        "x-content-type-options: nosniff\r\n",
    ] {
        assert!(answer.head.contains(header), "{header} in {}", answer.head);
    }
}

#[test]
fn an_empty_file_is_empty() {
    let world = World::start();
    fs::write(world.path("empty"), "").unwrap();
    let answer = world.download("empty");
    assert_eq!((answer.status, answer.bytes.len()), (200, 0));
    assert!(answer.head.contains("content-length: 0\r\n"));
}

#[test]
fn its_name_is_told_in_both_forms() {
    let world = World::start();
    fs::write(world.path("ä\" ;\r\nx: y"), "").unwrap();
    let head = world.download("ä\" ;\r\nx: y").head;
    let told = "content-disposition: attachment; filename=\"__ ___x_ y\"; filename*=utf-8''%c3%a4%22%20%3b%0d%0ax%3a%20y\r\n";
    assert!(head.contains(told), "{head}");
}

#[test]
fn what_is_no_file_is_said() {
    let world = World::start();
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("file"), "").unwrap();
    assert_eq!(named(&world.download("folder")), "query.path");
    assert_eq!(named(&world.download(".")), "query.path");
    assert_eq!(named(&world.download("")), "query.path");
    assert_eq!(named(&world.files("GET", "/download", &[])), "query.path");
    for path in ["absent", "folder/absent", "file/below"] {
        refused(&world.download(path), 404, "not_found");
    }
}

#[test]
fn a_file_that_gets_shorter_is_cut_and_not_filled_up() {
    let world = World::start();
    let file = fs::File::create(world.path("shrinks")).unwrap();
    file.set_len(1 << 30).unwrap();
    let line = "GET /modbox/api/files/download?path=shrinks";
    let mut stream = world.send(line, Some(&format!("Bearer {TOKEN}")), b"");
    let mut begun = [0; 1_000];
    stream.read_exact(&mut begun).unwrap();
    assert!(String::from_utf8_lossy(&begun).contains("content-length: 1073741824\r\n"));
    file.set_len(0).unwrap();
    let mut rest = Vec::new();
    // Whether the cut shows as an end or as an error is up to what was under way.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 1 << 29, "{} bytes", rest.len());
    assert_eq!(world.run("echo fine")["stdout"], "fine\n");
}

#[test]
fn what_the_runtime_may_not_read_is_forbidden() {
    // Root may read everything unless it is taken from it.
    let world = World::after(
        "[ $(id -u) != 0 ] || exec setpriv --bounding-set=-dac_override,-dac_read_search \"$0\"",
    );
    fs::write(world.path("secret"), "").unwrap();
    fs::set_permissions(world.path("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    refused(&world.download("secret"), 403, "forbidden");
}
