//! What the deployed functions are told is what they read.

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use modbox_aws::Connection;
use modbox_control::settings::{Environment, InvalidSetting};
use modbox_tests::World;

use super::Stack;

/// What a generated secret looks like: 42 letters and digits.
const GENERATED: &str = "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB";

/// The variables of a function, with a secret where CloudFormation puts it.
pub(super) fn variables(stack: &Stack, function: &str) -> BTreeMap<String, String> {
    let secret = "{{resolve:secretsmanager:Keys:SecretString}}";
    let variables = stack.properties(function)["Environment"]["Variables"].as_object().into_iter().flatten();
    variables.map(|(name, value)| (name.clone(), stack.text(value).replace(secret, GENERATED))).collect()
}

pub(super) fn connection(world: &World) -> Connection {
    Connection::through(SharedHttpClient::new(world.stack.cloud.connector("deployed")))
}

/// Starts a function with these variables; answers which it has looked for.
async fn set_up(
    world: &World,
    function: &str,
    variables: &BTreeMap<String, String>,
) -> Result<BTreeSet<String>, InvalidSetting> {
    let (read, aws) = (RefCell::new(BTreeSet::new()), connection(world));
    let variable = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        variables.get(name).cloned()
    };
    let env = Environment(&variable);
    match function {
        "Api" => drop(api::set_up(&env, &aws).await?),
        "Launcher" => drop(launcher::set_up(&env, &aws).await?),
        "Reaper" => drop(reaper::App::set_up(&env, &aws).await?),
        "Observer" => drop(observer::set_up(&env, &aws).await?),
        other => panic!("there is no {other}"),
    }
    Ok(read.into_inner())
}

#[tokio::test(start_paused = true)]
async fn each_function_is_told_what_it_reads_and_nothing_else() {
    let (world, stack) = (World::start().await, Stack::application());
    for function in ["Api", "Launcher", "Reaper", "Observer"] {
        let told = variables(&stack, function);
        let read =
            set_up(&world, function, &told).await.unwrap_or_else(|error| panic!("{function}: {error}"));
        let told: BTreeSet<String> = told.into_keys().collect();
        assert_eq!(told, read, "{function}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_is_missing_is_named() {
    let (world, stack) = (World::start().await, Stack::application());
    for (function, missing) in
        [("Api", "MODBOX_KEYS"), ("Launcher", "MODBOX_CLUSTER"), ("Observer", "MODBOX_STACK")]
    {
        let mut told = variables(&stack, function);
        told.remove(missing).unwrap();
        let error = set_up(&world, function, &told).await.unwrap_err();
        assert_eq!(error.to_string(), format!("environment variable {missing} is not set"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_does_not_exist_is_refused() {
    let (world, stack) = (World::start().await, Stack::application());
    let mut told = variables(&stack, "Launcher");
    told.insert("MODBOX_ARCHITECTURE".to_owned(), "sparc".to_owned());
    let error = set_up(&world, "Launcher", &told).await.unwrap_err().to_string();
    assert_eq!(error, "environment variable MODBOX_ARCHITECTURE cannot be read: it must be X86_64 or ARM64");
}

#[test]
fn only_the_api_and_the_launcher_hold_keys() {
    let stack = Stack::application();
    let holds = |function: &&str| variables(&stack, function).contains_key("MODBOX_KEYS");
    let holders: Vec<_> = ["Api", "Launcher", "Reaper", "Observer"].into_iter().filter(holds).collect();
    assert_eq!(holders, ["Api", "Launcher"]);
}
