//! stub
use super::{RequestId, Surroundings};
use crate::engine::Outcome;
use crate::scenario;
use bytes::Bytes;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ProcessError;
#[derive(Debug)]
pub struct Process;
impl Process {
    pub async fn open(_: &scenario::Target, _: &[String], _: &[(String, String)], _: &Surroundings) -> Result<Self, ProcessError> { Err(ProcessError) }
    pub async fn invoke(&self, _: RequestId, _: Bytes) -> Outcome { Outcome::Success }
    pub async fn close(&self) {}
}
