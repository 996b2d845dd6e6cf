//! Event-source poller and scaling simulator for AWS Lambda.
