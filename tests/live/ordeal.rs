//! What no source may lose a record by: pollers that are killed again and again, and networks that misbehave.

mod evidence;
mod kills;
mod sources;
