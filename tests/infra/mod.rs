//! What is deployed is what is tested: the rendered stacks, held against the code and against what the functions do.

mod alarms;
mod events;
mod front_door;
mod parameters;
mod rendered;
mod roles;
mod settings;
mod state;
mod streams;
mod tasks;

use rendered::Stack;
