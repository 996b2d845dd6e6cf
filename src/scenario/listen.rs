//! Where a server listens: on this machine alone, unless the file says in so many words that others may come.

use super::convert::{boolean, text};
use super::diagnostic::Diagnostic;
use super::read::{At, Cx, Table};
use std::net::SocketAddr;

/// The `listen` and `allow_remote` of a table, if `listen` is there and right. `example` shows how to write it, `risk` says
/// what everybody could do who reaches it.
pub(super) fn listen(
    table: &mut Table<'_>,
    cx: &mut Cx,
    example: &str,
    risk: &str,
) -> Option<SocketAddr> {
    let may_be_remote = table.opt(cx, "allow_remote", boolean).unwrap_or(false);
    let entry = table.entry("listen")?;
    let address = address(entry.into(), cx, example)?;
    if address.ip().is_loopback() {
        return Some(address);
    }
    let finding = Diagnostic::new(
        "remote-listener",
        "`listen` can be reached from other machines",
    )
    .at(&entry.node.span)
    .label(risk.to_owned());
    if may_be_remote {
        cx.push(finding.warning());
        return Some(address);
    }
    cx.push(finding.allowed(format!("{example}, or [::1] with a port")).help(
        "put a proxy that authenticates in front of it; or accept it with `allow_remote = true` in the same table",
    ));
    None
}

fn address(at: At<'_>, cx: &mut Cx, example: &str) -> Option<SocketAddr> {
    let found = text(at, cx)?;
    let address = found.parse::<SocketAddr>().ok();
    if address.is_none() {
        let port = example
            .trim_matches('"')
            .rsplit(':')
            .next()
            .unwrap_or("9001");
        cx.push(
            Diagnostic::new("bad-name", "`listen` is not an address with a port")
                .at(&at.node.span)
                .label("cannot be understood")
                .allowed(format!(
                    "{example}, \"[::1]:{port}\", or port 0 for any that is free"
                ))
                .help("write numbers: names are not looked up"),
        );
    }
    address
}
