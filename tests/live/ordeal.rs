//! What no source may lose a record by: pollers that are killed again and again, and networks that misbehave.

mod disk;
mod evidence;
mod function;
mod kills;
mod network;
mod sources;
mod traffic;

/// A row of a table in the report on reliability, whose scripts look for what it begins with.
#[expect(
    clippy::print_stdout,
    reason = "the report is made of what tests print"
)]
fn row(text: &str) {
    println!("{text}");
}
