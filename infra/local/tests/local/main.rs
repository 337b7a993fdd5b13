//! The program `modbox-local` as its user has it: real HTTP on sockets of this machine, real processes.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in the functions that tests share too"
)]

mod aws;
mod client;
mod commands;
mod connections;
mod crowds;
mod deadlines;
mod ends;
mod files;
mod launches;
mod load;
mod machine;
mod monitoring;
mod processes;
mod restarts;
mod secrets;
mod shutdown;
mod start;

use std::{
    path::Path,
    process::ExitCode,
    sync::{PoisonError, RwLock},
};

use libtest_mimic::{Arguments, Trial};

/// What the machine's sandboxes are.
const ENGINE: &str = "process";

/// What is left of tasks as containers.
fn containers_of(_data: &Path) -> usize {
    0
}

fn end_containers_of(_data: &Path) {}

/// Five tests sleep most of their time; so many more have the processors meanwhile.
const THREADS: usize = 5 + 3;

/// Held by whatever uses the processors, whole by what measures them.
static PROCESSORS: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    let mut tests = sleepers();
    tests.extend(shared());
    tests.extend(alone());
    libtest_mimic::run(&arguments, tests).exit_code()
}

macro_rules! tests {
    ($hold:expr; $($module:ident::$name:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($name)), || {
            let _held = $hold;
            $module::$name();
            Ok(())
        })),*]
    };
}

#[expect(clippy::print_stdout, reason = "a measurement is for whoever runs the test")]
fn report(text: &str) {
    println!("{text}");
}

/// Started first, since they take longest.
fn sleepers() -> Vec<Trial> {
    tests![
        ();
        deadlines::an_extension_holds_beyond_the_first_deadline,
        deadlines::a_sandbox_is_over_at_its_deadline_and_gone_soon_after,
        deadlines::a_deadline_holds_while_modbox_local_is_dead,
        restarts::an_extension_after_a_restart_holds,
        monitoring::a_sandbox_shows_what_happens_in_it_and_what_it_uses,
    ]
}

fn shared() -> Vec<Trial> {
    let mut tests = tests![
        PROCESSORS.read().unwrap_or_else(PoisonError::into_inner);
        shutdown::sigterm_ends_every_task,
        shutdown::an_interrupt_ends_every_task,
        ends::a_destroyed_sandbox_is_gone_whatever_its_processes_do,
        ends::a_killed_sandbox_is_gone_at_once_whatever_its_processes_do,
        ends::a_runtime_that_is_killed_ends_its_sandbox_with_a_reason,
        ends::a_wait_ends_with_the_sandbox_that_it_waits_for,
        ends::a_sandbox_destroyed_while_it_starts_never_runs,
        start::the_token_is_generated_once_and_kept_for_its_owner,
        start::a_token_may_be_given,
        start::a_token_that_is_given_replaces_the_one_before,
        start::a_token_of_another_form_is_a_usage_error_that_does_not_repeat_it,
        start::an_address_that_is_taken_names_its_flag,
        start::a_data_folder_is_used_by_one_at_a_time,
        start::a_data_folder_of_another_format_is_refused_and_left_as_it_is,
        start::each_step_of_a_life_is_a_line_with_the_name,
        start::the_help_shows_examples,
        start::without_an_engine_sandboxes_are_processes,
        start::containers_that_cannot_be_had_are_an_error_that_says_what_to_do,
        commands::a_command_sees_the_environment_that_was_given_and_no_other,
        connections::behind_a_refusal_the_connection_carries_the_next_request,
        files::commands_and_files_share_the_workspace,
        aws::the_aws_endpoint_shows_what_runs,
        restarts::a_sandbox_lives_on_with_its_address_and_its_token,
        restarts::what_was_killed_meanwhile_is_said_to_be_over_within_a_tick,
        restarts::a_shutdown_ends_what_was_adopted,
        restarts::a_first_start_that_was_killed_is_made_up_for,
        restarts::tasks_that_cannot_be_known_again_are_an_error_that_says_what_to_do,
        load::no_create_is_lost_and_nothing_leaks_whenever_the_program_is_killed,
        secrets::no_secret_is_in_a_log_or_rests_readable,
    ];
    let paste = tests![
        PROCESSORS.read().unwrap_or_else(PoisonError::into_inner);
        start::the_lines_to_paste_create_wait_for_and_use_a_sandbox,
    ];
    tests.extend(paste.into_iter().map(|test| test.with_ignored_flag(!start::is_there("curl"))));
    tests
}

fn alone() -> Vec<Trial> {
    tests![
        PROCESSORS.write().unwrap_or_else(PoisonError::into_inner);
        launches::forty_nine_sandboxes_at_once_are_each_ready_within_two_seconds,
        crowds::two_hundred_at_once_come_to_run_and_leave_nothing,
        crowds::fifty_waits_at_once_cost_no_thread_each,
    ]
}
