//! The program `modbox-local` with sandboxes as containers, where a Podman answers at `DOCKER_HOST` that has the images:
//! `infra/local/tests/containers/run` sees to both. It is no part of a plain `cargo test`, since not every machine can.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in the functions that tests share too"
)]
#![expect(dead_code, reason = "some of what it shares with the tests of processes is for those alone")]

mod aws;
mod client;
mod contained;
mod deadlines;
mod ends;
mod files;
mod images;
mod machine;
mod monitoring;
mod podman;
mod processes;
mod returns;
mod shutdown;

use std::{path::Path, process::ExitCode};

use libtest_mimic::{Arguments, Trial};

/// What the machine's sandboxes are.
const ENGINE: &str = "container";

/// What is left of tasks as containers.
fn containers_of(data: &Path) -> usize {
    podman::of_data(data).len()
}

/// Ends what is left, so that a test that failed leaves nothing.
fn end_containers_of(data: &Path) {
    let (owners, others): (Vec<_>, _) =
        podman::of_data(data).into_iter().partition(|name| name.ends_with("-deadline"));
    for name in others.into_iter().chain(owners) {
        podman::podman(&["rm", "--force", "--volumes", "--time", "0", &name]);
    }
}

/// Starting a container is work: no more of the rest at once beside the four that sleep most of the time.
const THREADS: usize = 4 + 2;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    libtest_mimic::run(&arguments, tests()).exit_code()
}

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($name)), || {
            $module::$name();
            Ok(())
        })),*]
    };
}

fn tests() -> Vec<Trial> {
    tests![
        deadlines::an_extension_holds_beyond_the_first_deadline,
        deadlines::a_sandbox_is_over_at_its_deadline_and_gone_soon_after,
        deadlines::a_deadline_holds_while_modbox_local_is_dead,
        monitoring::a_sandbox_shows_what_happens_in_it_and_what_it_uses,
        contained::a_sandbox_has_no_privileges_and_limits_of_its_size,
        contained::a_sandbox_cannot_touch_what_ends_it,
        contained::the_containers_of_a_task_are_labelled_and_share_a_network,
        contained::a_command_that_takes_more_memory_than_there_is_is_killed_alone,
        contained::sandboxes_have_addresses_of_their_own,
        contained::a_main_container_that_is_killed_ends_its_sandbox_with_a_reason,
        images::an_image_that_cannot_be_pulled_ends_the_sandbox_in_words,
        images::an_image_that_cannot_be_started_ends_the_sandbox_in_words,
        images::the_sandbox_image_has_its_tools,
        images::the_sidecar_obeys_sigterm_as_process_1,
        images::auto_means_containers_here,
        returns::a_sandbox_lives_on_with_its_address_and_its_token,
        returns::what_ended_meanwhile_is_said_to_be_over,
        returns::what_nobody_knows_is_swept,
        returns::what_runs_is_not_given_up_for_another_engine,
        returns::what_the_other_engine_has_left_is_ended,
        returns::an_engine_that_is_gone_fails_a_create_in_words_and_loses_nothing,
        shutdown::sigterm_ends_every_task,
        ends::a_destroyed_sandbox_is_gone_whatever_its_processes_do,
        ends::a_sandbox_destroyed_while_it_starts_never_runs,
        files::commands_and_files_share_the_workspace,
        aws::the_aws_endpoint_shows_what_runs,
    ]
}
