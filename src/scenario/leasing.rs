//! `[poller.leases]`: the table by which several processes share the shards of a stream.

use super::convert::{duration_in, integer, string};
use super::diagnostic::Diagnostic;
use super::poller::url;
use super::poller_model::Leasing;
use super::read::{At, Cx, Table};
use crate::engine::Span;

pub(crate) fn leasing(table: &mut Table<'_>, cx: &mut Cx) -> Option<Leasing> {
    let mut table = table.opt(cx, "leases", |at, cx| {
        Table::open(at, "[poller.leases]", cx)
    })?;
    let name = table.req(cx, "table", "\"tidegate-leases\"", table_name);
    let failover = Span::from_secs(1)..=Span::from_secs(900);
    let leasing = Leasing {
        table: name.unwrap_or_default(),
        worker: table.opt(cx, "worker", string),
        failover: table
            .opt(cx, "failover", duration_in(failover))
            .unwrap_or(Span::from_secs(10)),
        leases_max: table
            .opt(cx, "max_leases", integer(1..=i64::from(u32::MAX)))
            .unwrap_or(u32::MAX),
        steal_max: table
            .opt(cx, "max_leases_to_steal", integer(1..=1_000))
            .unwrap_or(1),
        endpoint_url: table.opt(cx, "endpoint_url", url),
    };
    table.finish(cx);
    Some(leasing)
}

/// DynamoDB takes names of 3 to 255 characters; the name of the mapping is added to this one.
fn table_name(at: At<'_>, cx: &mut Cx) -> Option<String> {
    let found = string(at, cx)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=128).contains(&found.len()) && found.chars().all(fits) {
        return Some(found);
    }
    cx.push(
        Diagnostic::new("bad-name", "`table` is not the name of a table")
            .at(&at.node.span)
            .label("cannot be one")
            .allowed("3 to 128 of A-Z, a-z, 0-9, `_`, `-` and `.`")
            .help("each mapping has a table of its own: this name, `-`, and the mapping's name"),
    );
    None
}
