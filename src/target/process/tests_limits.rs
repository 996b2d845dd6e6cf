//! AWS's limits on processes, in real time.

use super::tests::{EVENT, SHOW, call, endpoints, gone, header, limited, target, within};
use super::*;
use crate::engine::Outcome;
use crate::scenario::{TargetAlias, TargetLimits};
use std::path::Path;

const REQUESTS: [RequestId; 3] = [RequestId(1), RequestId(2), RequestId(3)];

fn words() -> [&'static str; 3] {
    ["/bin/sh", "-c", SHOW]
}

/// Takes one event from a process's endpoint and answers it.
async fn serve(address: &str) -> String {
    let (_, head, _) = call(address, "GET", "invocation/next", "").await;
    let id = header(&head, "Lambda-Runtime-Aws-Request-Id");
    let path = format!("invocation/{id}/response");
    let (status, _, _) = call(address, "POST", &path, "{}").await;
    assert_eq!(status, 202);
    id
}

async fn reserving(reserved: u32, folder: &Path) -> Process {
    let mut target = target(&words(), Span::from_secs(20), 10);
    target.limits.reserved_concurrency = Some(reserved);
    limited(target, None, folder).await
}

#[tokio::test]
async fn a_process_obeys_its_reserved_concurrency() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = reserving(1, folder.path()).await;
    let second = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        let refused = process.invoke("f", REQUESTS[1], EVENT).await;
        let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
        assert_eq!(refused.refused, Some(reason));
        serve(&address).await
    };
    let (first, served) =
        within(async { tokio::join!(process.invoke("f", REQUESTS[0], EVENT), second) }).await;
    assert_eq!(first.outcome, Outcome::Success);
    assert_eq!(served, REQUESTS[0].to_string());
    process.close().await;
}

/// Rule `async-no-request-rate`, in real time.
#[tokio::test]
async fn events_need_concurrency_but_no_request_rate() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = reserving(1, folder.path()).await;
    let runtime = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        loop {
            serve(&address).await;
        }
    };
    let events = async {
        for _ in 0..25 {
            assert!(process.has_room_for_event("f"));
            let admitted = process.admit_event("f").expect("it may run");
            // While it runs there is no room for another, and its end is told.
            assert!(!process.has_room_for_event("f"));
            let refused = process.admit_event("f").expect_err("all is reserved");
            let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
            assert_eq!(refused, reason);
            let freed = process.shared.region.freed();
            let (reply, ()) = tokio::join!(admitted.run(REQUESTS[0], EVENT), freed);
            assert_eq!(reply.outcome, Outcome::Success);
        }
    };
    within(async {
        tokio::select! {
            () = events => {}
            () = runtime => {}
        }
    })
    .await;
    process.close().await;
}

#[tokio::test]
async fn ten_requests_a_second_for_each_unit_of_a_reservation() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = reserving(1, folder.path()).await;
    let runtime = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        loop {
            serve(&address).await;
        }
    };
    let calls = async {
        // Requests come back within milliseconds, so the bucket of ten is empty long before they are forty.
        for call in 0..40 {
            let reply = process.invoke("f", RequestId(call), EVENT).await;
            if let Some(reason) = reply.refused {
                return (call, reason);
            }
        }
        panic!("nothing limits the rate");
    };
    let (calls, reason) = within(async {
        tokio::select! {
            _ = runtime => unreachable!("it serves for ever"),
            refused = calls => refused,
        }
    })
    .await;
    assert_eq!(
        reason,
        ThrottleReason::ReservedFunctionInvocationRateLimitExceeded
    );
    assert!(calls >= 10, "refused after {calls}");
    process.close().await;
}

#[tokio::test]
async fn processes_share_the_accounts_concurrency() {
    let folder = tempfile::tempdir().expect("a folder");
    let account = scenario::Region {
        account_concurrency: 1,
        burst_concurrency: 1,
        caller_requests_per_sec: None,
        growth_refill: Default::default(),
    };
    let target = target(&words(), Span::from_secs(20), 10);
    let process = limited(target, Some(account), folder.path()).await;
    let second = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        let refused = process.invoke("f", REQUESTS[1], EVENT).await;
        assert_eq!(
            refused.refused,
            Some(ThrottleReason::ConcurrentInvocationLimitExceeded)
        );
        serve(&address).await;
    };
    let (first, ()) =
        within(async { tokio::join!(process.invoke("f", REQUESTS[0], EVENT), second) }).await;
    assert_eq!(first.outcome, Outcome::Success);
    process.close().await;
}

#[tokio::test]
async fn provisioned_processes_are_ready_before_the_first_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = r#"echo "$AWS_LAMBDA_INITIALIZATION_TYPE" > "$FOLDER/$$.kind";"#;
    let script = format!("{said} {SHOW}");
    let mut target = target(&["/bin/sh", "-c", &script], Span::from_secs(20), 10);
    target.limits = TargetLimits {
        aliases: vec![TargetAlias {
            name: "live".to_owned(),
            provisioned_concurrency: 1,
        }],
        open_runtime_api: true,
        ..TargetLimits::default()
    };
    let kind = |id: u32| {
        let text = std::fs::read_to_string(folder.path().join(format!("{id}.kind")));
        text.expect("a kind").trim().to_owned()
    };
    // The runtime asks for an event while the target is being opened: otherwise that would not end.
    let runtime = async {
        let (id, address) = endpoints(folder.path(), 1).await.remove(0);
        let served = serve(&address).await;
        (id, served)
    };
    let calls = async {
        let process = limited(target, None, folder.path()).await;
        let reply = process.invoke("f:live", REQUESTS[0], EVENT).await;
        (process, reply)
    };
    let ((process, reply), (id, served)) = within(async { tokio::join!(calls, runtime) }).await;
    assert_eq!(reply.outcome, Outcome::Success);
    assert_eq!(served, REQUESTS[0].to_string());
    assert_eq!(kind(id), "provisioned-concurrency");

    // A request to the function itself leaves it alone, and starts a process of its own.
    let other = async {
        let started = endpoints(folder.path(), 2).await;
        let (other, address) = started
            .into_iter()
            .find(|(other, _)| *other != id)
            .expect("a second process");
        serve(&address).await;
        other
    };
    let (reply, other) =
        within(async { tokio::join!(process.invoke("f", REQUESTS[1], EVENT), other) }).await;
    assert_eq!(reply.outcome, Outcome::Success);
    assert_eq!(kind(other), "on-demand");
    process.close().await;
    gone(id).await;
    gone(other).await;
}

#[tokio::test]
async fn an_error_is_told_in_the_services_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = reserving(5, folder.path()).await;
    let runtime = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        let (_, head, _) = call(&address, "GET", "invocation/next", "").await;
        let id = header(&head, "Lambda-Runtime-Aws-Request-Id");
        let body = r#"{"errorMessage":"no such order","errorType":"KeyError"}"#;
        call(&address, "POST", &format!("invocation/{id}/error"), body).await;
        id
    };
    let (reply, id) =
        within(async { tokio::join!(process.invoke("f", REQUESTS[2], EVENT), runtime) }).await;
    assert_eq!(reply.outcome, Outcome::FunctionError);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    let expected = serde_json::json!({
        "errorMessage": "no such order", "errorType": "KeyError", "requestId": id,
    });
    assert_eq!(body, expected);
    process.close().await;
}
