//! The process engine with real processes.
//!
//! The engine starts the program that it is part of, so this is that program too: as `sidecar deadline` it is the
//! real sidecar, and in the place of the other containers it is a shell with the script that their environment holds.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in the functions that tests share too"
)]

mod adoption;
mod ends;
mod starts;
mod world;

use std::{
    env::args_os,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let words: Vec<String> = args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["runtime"] | ["sidecar", "ready"] => play(),
        ["sidecar", ..] => modbox_sidecar::run(args_os().skip(2)),
        _ => libtest_mimic::run(&Arguments::from_args(), tests()).exit_code(),
    }
}

/// Becomes a shell that runs the container's script.
fn play() -> ExitCode {
    let script = std::env::var(world::SCRIPT).unwrap();
    let error = Command::new("/bin/bash").args(["-c", &script]).exec();
    panic!("{error}");
}

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($name)), || {
            Runtime::new()?.block_on($module::$name());
            Ok(())
        })),*]
    };
}

fn tests() -> Vec<Trial> {
    tests![
        starts::a_task_has_a_folder_and_an_environment_of_its_own,
        starts::the_address_is_that_of_the_url_and_given_to_one_task_at_a_time,
        starts::another_image_is_refused_with_what_to_do,
        starts::a_program_that_is_not_there_fails_the_start_and_leaves_nothing,
        starts::fifty_starts_at_once_are_each_done_within_two_seconds,
        starts::a_start_that_nobody_wants_leaves_nothing,
        ends::a_container_that_is_not_essential_exits_alone,
        ends::the_exit_of_main_ends_the_task_with_its_code,
        ends::a_task_ends_at_its_deadline_with_124,
        ends::a_deadline_that_has_passed_starts_nothing,
        ends::a_stop_ends_what_left_the_process_group,
        ends::what_ignores_sigterm_is_killed_after_the_stop_timeout,
        ends::force_does_not_wait,
        ends::a_dropped_handle_ends_the_task,
        ends::a_hung_sidecar_is_killed_with_all_below_it,
        ends::a_killed_sidecar_leaves_nothing,
        ends::a_folder_that_the_task_closed_is_removed,
        ends::what_an_earlier_run_left_is_swept,
        ends::the_ecs_runs_and_stops_processes,
        adoption::a_task_that_lives_is_adopted_and_obeys,
        adoption::a_task_whose_files_were_taken_away_is_ended_all_the_same,
        adoption::a_dropped_handle_ends_an_adopted_task,
        adoption::what_exited_meanwhile_is_told,
        adoption::a_deadline_that_came_meanwhile_is_told_with_124,
        adoption::an_adopted_task_that_ends_tells_it_at_once,
        adoption::a_sidecar_that_was_killed_meanwhile_leaves_nothing,
        adoption::an_adopted_sidecar_that_hangs_is_killed_with_all_below_it,
        adoption::a_process_with_the_id_of_the_sidecar_is_not_the_sidecar,
        adoption::a_process_with_the_number_of_the_group_is_not_touched,
        adoption::a_task_that_was_never_started_is_nothing_to_adopt,
        adoption::a_sidecar_that_does_not_get_on_is_ended_and_said_to_have_been_there,
        adoption::what_is_to_be_adopted_is_not_swept,
        adoption::the_ecs_adopts_processes,
    ]
}
