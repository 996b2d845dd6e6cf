//! What no source may lose a record by: pollers that are killed again and again, and networks that misbehave.

mod disk;
mod evidence;
mod function;
mod kills;
mod network;
mod sources;
mod traffic;
