use std::fs;
use std::os::unix::fs::symlink;

use super::named;
use crate::refusals::refused;
use crate::world::World;

#[test]
fn a_file_is_gone_and_then_not_found() {
    let world = World::start();
    fs::create_dir(world.path("sub")).unwrap();
    fs::write(world.path("sub/file"), "").unwrap();
    let answer = world.delete("sub/file");
    assert_eq!((answer.status, answer.bytes.len()), (204, 0));
    assert!(world.names("sub").is_empty());
    refused(&world.delete("sub/file"), 404, "not_found");
    refused(&world.delete("absent/file"), 404, "not_found");
}

#[test]
fn a_folder_goes_only_with_all_that_is_in_it() {
    let world = World::start();
    fs::create_dir_all(world.path("a/b/c")).unwrap();
    for file in ["a/1", "a/b/2", "a/b/c/3", "beside"] {
        fs::write(world.path(file), "").unwrap();
    }
    symlink("../beside", world.path("a/link")).unwrap();
    symlink("..", world.path("a/up")).unwrap();
    assert_eq!(named(&world.delete("a")), "query.recursive");
    let off = [("path", "a"), ("recursive", "false")];
    assert_eq!(named(&world.files("DELETE", "", &off)), "query.recursive");
    assert_eq!(world.names("a/b/c"), ["3"]);
    assert_eq!(world.delete_all("a/").status, 204);
    assert_eq!(world.names("."), ["beside"]);
    assert_eq!(world.delete_all("beside").status, 204);
}

#[test]
fn a_link_is_deleted_and_not_what_it_leads_to() {
    let world = World::start();
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("folder/file"), "").unwrap();
    symlink("folder", world.path("to-folder")).unwrap();
    symlink("folder/file", world.path("to-file")).unwrap();
    symlink("nowhere", world.path("dangling")).unwrap();
    for link in ["to-folder/", "to-file", "dangling"] {
        assert_eq!(world.delete_all(link).status, 204, "{link}");
    }
    assert_eq!(world.names("."), ["folder"]);
    assert_eq!(world.names("folder"), ["file"]);
}

#[test]
fn the_workspace_itself_stays() {
    let world = World::start();
    fs::create_dir(world.path("sub")).unwrap();
    let root = fs::canonicalize(world.workspace()).unwrap();
    for path in ["", ".", "sub/..", "..", "sub/../..", root.to_str().unwrap()] {
        assert_eq!(named(&world.delete_all(path)), "query.path", "{path}");
    }
    assert_eq!(named(&world.files("DELETE", "", &[])), "query.path");
    let unclear = [("path", "sub"), ("recursive", "yes")];
    assert_eq!(named(&world.files("DELETE", "", &unclear)), "query.recursive");
    assert_eq!(world.names("."), ["sub"]);
}

#[test]
fn folders_in_each_other_without_end_are_left_to_a_command() {
    let world = World::start();
    world.run("for n in {1..300}; do mkdir d && cd d; done");
    refused(&world.delete_all("d"), 409, "conflict");
    assert_eq!(world.run("rm -r d; ls")["stdout"], "");
}
