//! Every way out of the workspace, tried.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::{named, part};
use crate::refusals::refused;
use crate::world::{Answer, World};

const SECRET: &str = "nobody may see this";

/// A folder beside the workspace, with a secret in it, which nobody is to reach.
struct Outside(TempDir);

impl Outside {
    fn new() -> Self {
        let outside = Self(tempfile::tempdir().unwrap());
        fs::create_dir(outside.path("sub")).unwrap();
        fs::write(outside.path("secret"), SECRET).unwrap();
        fs::write(outside.path("sub/secret"), SECRET).unwrap();
        outside
    }

    fn folder(&self) -> PathBuf {
        fs::canonicalize(self.0.path()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn name(&self) -> String {
        self.folder().file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn untouched(&self) {
        let mut found = BTreeMap::new();
        let mut look = vec![self.folder()];
        while let Some(folder) = look.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.folder()).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    found.insert(name, None);
                    look.push(path);
                } else {
                    found.insert(name, Some(fs::read_to_string(path).unwrap()));
                }
            }
        }
        let secret = Some(SECRET.to_owned());
        let whole = [("secret", secret.clone()), ("sub", None), ("sub/secret", secret)];
        assert_eq!(found, whole.map(|(name, text)| (name.to_owned(), text)).into());
    }
}

/// Tries a path in every way there is; none may be done.
#[track_caller]
fn refused_everywhere(world: &World, path: &str) {
    for answer in [world.list(path), world.download(path), world.delete(path), world.delete_all(path)] {
        assert!(matches!(answer.status, 404 | 422), "{path}: {} {}", answer.status, answer.body);
        shows_nothing(&answer);
    }
}

#[track_caller]
fn shows_nothing(answer: &Answer) {
    assert!(!String::from_utf8_lossy(&answer.bytes).contains(SECRET));
}

/// Does the one thing over and over until the other is done.
fn meanwhile(again: impl Fn() + Sync, once: impl FnOnce()) {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                again();
            }
        });
        let _over = Over(&over);
        once();
    });
}

/// Each gets the other's name at the same moment; nothing where one is missing.
fn exchange(world: &World, one: &str, other: &str) {
    let _ = renameat_with(CWD, world.path(one), CWD, world.path(other), RenameFlags::EXCHANGE);
}

#[test]
fn no_path_leads_out() {
    let (world, outside) = (World::start(), Outside::new());
    fs::create_dir_all(world.path("a/b")).unwrap();
    let (name, folder) = (outside.name(), outside.folder());
    let workspace = fs::canonicalize(world.workspace()).unwrap();
    for path in [
        format!("../{name}/secret"),
        format!("a/../../{name}/secret"),
        format!("a/b/../../../{name}/secret"),
        format!("./..//{name}/secret"),
        format!("{}/secret", folder.display()),
        format!("/{}/secret", folder.display()),
        format!("{}/../{name}/secret", workspace.display()),
        format!("../../../../../../../../..{}/secret", folder.display()),
        "/etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
        "/proc/self/cwd/../../etc/passwd".to_owned(),
        format!("..\\{name}\\secret"),
        format!("..%2f{name}%2fsecret"),
        format!("%2e%2e/{name}/secret"),
        format!("\u{ff0e}\u{ff0e}/{name}/secret"),
        "a/\0/../../etc/passwd".to_owned(),
        format!("~/../{name}"),
    ] {
        refused_everywhere(&world, &path);
    }
    for path in ["..", "/", "a/../..", &format!("../{name}")] {
        assert_eq!(named(&world.list(path)), "query.path");
        assert_eq!(named(&world.delete_all(path)), "query.path");
    }
    outside.untouched();
    assert_eq!(world.names("a"), ["b"]);
}

#[test]
fn no_link_leads_out() {
    let (world, outside) = (World::start(), Outside::new());
    let link = |to: &Path, name: &str| symlink(to, world.path(name)).unwrap();
    let relative = PathBuf::from("..").join(outside.name());
    link(&outside.folder(), "absolute");
    link(&relative, "relative");
    link(Path::new("relative"), "twice");
    link(&outside.path("absent"), "dangling");
    link(Path::new("loop"), "loop");
    link(Path::new(".."), "up");
    link(Path::new("/proc/self/root"), "root");
    link(Path::new("/proc/self/cwd"), "cwd");
    link(Path::new("/proc/self/fd"), "fds");
    for start in ["absolute", "relative", "twice", "dangling", "loop", "root", "cwd", "fds"] {
        assert_eq!(named(&world.list(start)), "query.path", "{start}");
        assert_eq!(named(&world.download(start)), "query.path", "{start}");
        refused_everywhere(&world, &format!("{start}/secret"));
        refused_everywhere(&world, &format!("{start}/sub/secret"));
        refused_everywhere(&world, &format!("{start}{}", outside.path("secret").display()));
    }
    refused_everywhere(&world, &format!("up/{}/secret", outside.name()));
    refused_everywhere(&world, "fds/0");
    link(&outside.path("secret"), "to-secret");
    assert_eq!(named(&world.download("to-secret")), "query.path");
    // The links themselves are the workspace's.
    assert_eq!(world.names(".").len(), 10);
    for name in world.names(".") {
        assert_eq!(world.delete_all(&name).status, 204, "{name}");
    }
    outside.untouched();
}

#[test]
fn a_folder_is_deleted_without_what_its_links_lead_to() {
    let (world, outside) = (World::start(), Outside::new());
    fs::create_dir_all(world.path("folder/sub")).unwrap();
    symlink(outside.folder(), world.path("folder/link")).unwrap();
    symlink(outside.path("secret"), world.path("folder/sub/link")).unwrap();
    fs::hard_link(outside.path("secret"), world.path("folder/hard")).unwrap();
    assert_eq!(world.delete_all("folder").status, 204);
    assert!(world.names(".").is_empty());
    outside.untouched();
}

#[test]
fn a_hard_link_is_not_followed_and_not_written_through() {
    let (world, outside) = (World::start(), Outside::new());
    fs::create_dir(world.path("uploads")).unwrap();
    fs::hard_link(outside.path("secret"), world.path("uploads/secret")).unwrap();
    let answer = world.download("uploads/secret");
    refused(&answer, 403, "forbidden");
    shows_nothing(&answer);
    assert_eq!(world.upload("secret", b"mine").status, 200);
    assert_eq!(world.download("uploads/secret").bytes, b"mine");
    outside.untouched();
}

#[test]
fn uploads_that_lead_out_are_not_used() {
    let (world, outside) = (World::start(), Outside::new());
    for to in [
        outside.folder(),
        Path::new("..").join(outside.name()),
        outside.path("absent"),
        "/proc/self/cwd".into(),
    ] {
        symlink(&to, world.path("uploads")).unwrap();
        refused(&world.upload("secret", b"mine"), 409, "conflict");
        fs::remove_file(world.path("uploads")).unwrap();
    }
    fs::write(world.path("uploads"), "a file").unwrap();
    refused(&world.upload("secret", b"mine"), 409, "conflict");
    outside.untouched();
    fs::remove_file(world.path("uploads")).unwrap();
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink("elsewhere", world.path("uploads")).unwrap();
    assert_eq!(world.upload("file", b"mine").status, 200);
    assert_eq!(world.read("elsewhere/file"), "mine");
}

#[test]
fn pipes_sockets_and_devices_neither_answer_nor_hold_anything_up() {
    let world = World::start();
    world.run("mkfifo pipe");
    let _socket = UnixListener::bind(world.path("socket")).unwrap();
    symlink("/dev/zero", world.path("zero")).unwrap();
    let begun = Instant::now();
    for name in ["pipe", "socket", "zero"] {
        assert_eq!(named(&world.download(name)), "query.path", "{name}");
        assert_eq!(named(&world.list(name)), "query.path", "{name}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(super::each(&world.list(""), "type"), ["other", "other", "symlink"]);
    for name in ["pipe", "socket", "zero"] {
        assert_eq!(world.delete(name).status, 204, "{name}");
    }
}

#[test]
fn a_link_that_is_swapped_in_at_the_last_moment_leads_nowhere() {
    let (world, outside) = (World::start(), Outside::new());
    fs::create_dir_all(world.path("real/sub")).unwrap();
    fs::write(world.path("real/secret"), "mine").unwrap();
    fs::write(world.path("real/sub/secret"), "mine").unwrap();
    symlink(outside.folder(), world.path("link")).unwrap();
    let swap = || exchange(&world, "real", "link");
    meanwhile(swap, || {
        let until = Instant::now() + Duration::from_secs(2);
        let (mut mine, mut none) = (0, 0);
        while Instant::now() < until || mine == 0 || none == 0 {
            let answers = [
                world.download("real/secret"),
                world.download("real/sub/../secret"),
                world.list("real/sub"),
                world.delete("real/sub/secret"),
                world.delete_all("real/sub"),
            ];
            answers.iter().for_each(shows_nothing);
            mine += answers.iter().filter(|it| it.bytes == b"mine").count();
            none += answers.iter().filter(|it| matches!(it.status, 404 | 422)).count();
            assert!(Instant::now() < until + Duration::from_secs(8), "{mine} times mine, {none} times none");
        }
    });
    outside.untouched();
}

#[test]
fn uploads_that_are_swapped_meanwhile_take_nothing_out() {
    let (world, outside) = (World::start(), Outside::new());
    fs::create_dir(world.path("uploads")).unwrap();
    symlink(outside.folder(), world.path("link")).unwrap();
    let swap = || exchange(&world, "uploads", "link");
    meanwhile(swap, || {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            assert!(matches!(world.upload("secret", b"mine").status, 200 | 409));
        }
    });
    outside.untouched();
}

#[test]
fn a_folder_that_turns_into_a_link_while_it_is_deleted_is_not_followed() {
    let (world, outside) = (World::start(), Outside::new());
    let swap = || {
        // Whatever of it was deleted as the other one.
        let _ = fs::remove_dir(world.path("link"));
        let _ = fs::create_dir(world.path("folder"));
        let _ = symlink(outside.folder(), world.path("link"));
        exchange(&world, "folder", "link");
        exchange(&world, "folder", "link");
    };
    meanwhile(swap, || {
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            let answer = world.delete_all("folder");
            assert!(matches!(answer.status, 204 | 404 | 409), "{} {}", answer.status, answer.body);
        }
    });
    outside.untouched();
}

#[test]
fn an_archive_is_stored_as_it_is() {
    let (world, outside) = (World::start(), Outside::new());
    let escape = format!("../../{}/evil", outside.name());
    fs::write(world.path("plain"), "evil").unwrap();
    world.run(&format!(
        "ln -s {} link && tar -czf evil.tar.gz --absolute-names --transform 's,^plain$,{escape},' plain link && rm link",
        outside.folder().display()
    ));
    let archive = fs::read(world.path("evil.tar.gz")).unwrap();
    assert!(world.run("tar -tzf evil.tar.gz --absolute-names")["stdout"].as_str().unwrap().contains(&escape));
    // The head of a zip's first member is enough to tempt.
    let zip = [b"PK\x03\x04", &[0; 22][..], &[escape.len() as u8, 0, 0, 0], escape.as_bytes()].concat();
    for (name, bytes) in [("evil.tar.gz", archive), ("evil.zip", zip)] {
        let parts = [[part("file", Some(name), &bytes)].concat()];
        assert_eq!(world.send_form(&super::form(&parts)).body["size"], bytes.len());
        assert!(world.download(&format!("uploads/{name}")).bytes == bytes);
    }
    assert_eq!(world.names("uploads"), ["evil.tar.gz", "evil.zip"]);
    assert_eq!(world.names("."), ["evil.tar.gz", "plain", "uploads"]);
    outside.untouched();
}

/// Paths of what is there, inside and outside, in any order and with any nonsense between.
fn paths(outside: &Outside) -> impl Strategy<Value = String> + use<> {
    let pieces = [
        "..", ".", "", "sub", "secret", "out", "up", "in", "loop", "hard", "proc", "self", "root", "cwd",
        "tmp",
    ];
    let mut pieces: Vec<String> = pieces.map(ToOwned::to_owned).into();
    pieces.extend([
        outside.name(),
        outside.folder().display().to_string(),
        outside.path("secret").display().to_string(),
    ]);
    let piece = prop_oneof![9 => prop::sample::select(pieces), 1 => any::<String>()];
    let between = prop::sample::select(vec!["/", "/", "/", "//", "\\", "\0"]);
    let rest = prop::collection::vec((between, piece.clone()), 0..8);
    (any::<bool>(), piece, rest).prop_map(|(absolute, first, rest)| {
        let rest: String = rest.into_iter().map(|(between, piece)| format!("{between}{piece}")).collect();
        format!("{}{first}{rest}", if absolute { "/" } else { "" })
    })
}

fn furnish(world: &World, outside: &Outside) {
    let _ = fs::create_dir_all(world.path("sub/sub"));
    let _ = fs::write(world.path("sub/secret"), "mine");
    let _ = symlink(outside.folder(), world.path("out"));
    let _ = symlink("..", world.path("up"));
    let _ = symlink("../..", world.path("sub/up"));
    let _ = symlink("sub", world.path("in"));
    let _ = symlink("loop", world.path("loop"));
    let _ = symlink("/proc/self", world.path("proc"));
    let _ = fs::hard_link(outside.path("secret"), world.path("hard"));
}

#[test]
fn no_path_that_anybody_thinks_of_leads_out() {
    let (world, outside) = (World::start(), Outside::new());
    let mut runner = TestRunner::deterministic();
    let tried = runner.run(&(paths(&outside), 0..5), |(path, way)| {
        furnish(&world, &outside);
        let answer = match way {
            0 => world.list(&path),
            1 => world.download(&path),
            2 => world.delete(&path),
            3 => world.delete_all(&path),
            _ => world.upload(&path.replace('"', ""), b"mine"),
        };
        prop_assert!(answer.status < 500, "{path}: {}", answer.body);
        shows_nothing(&answer);
        if way == 0 && answer.status == 200 {
            let path = answer.body["path"].as_str().unwrap();
            let inside = fs::canonicalize(world.path(path)).unwrap();
            prop_assert!(inside.starts_with(fs::canonicalize(world.workspace()).unwrap()), "{path}");
        }
        outside.untouched();
        Ok(())
    });
    tried.unwrap();
}
