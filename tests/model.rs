//! The public API against the reference model.

use modbox_tests::model;

#[test]
fn the_api_does_what_a_model_of_maps_does() {
    const CASES: u32 = 64;
    if let Err(failure) = model::run(CASES, 1) {
        panic!("{failure}");
    }
    println!("model_cases: {CASES}");
}
