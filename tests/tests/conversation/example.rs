//! The example of the README does what it says.

use puna_tests::model::default_model;

#[path = "../../../core/examples/sessions.rs"]
#[allow(dead_code, reason = "its main reads arguments")]
mod sessions;

#[test]
fn the_example_talks_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        sessions::talk(&default_model(), dir.path()).unwrap();
    }
    let kept = |name: &str| dir.path().join(name).metadata().unwrap().len();
    assert!(kept("chat.puna") > 100_000 && kept("journal/journal.puna") > 100_000);
}
