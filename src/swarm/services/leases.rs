//! A lease table that all workers of a stream see: every write has its condition, and every write is looked at.

use super::super::tally::Checker;
use crate::engine::lease::{LeaseAction, LeaseEvent, Row};
use crate::engine::{Delta, Position, Token};

/// What was found wrong, and by which checker.
pub(in super::super) type Finding = (Checker, String);

/// Rows by the number of their shard.
#[derive(Debug)]
pub(in super::super) struct LeaseTable {
    rows: Vec<Option<Lease>>,
    #[cfg(feature = "mutations")]
    pub(in super::super) mutant: Option<crate::engine::mutation::Mutant>,
}

#[derive(Clone, Debug)]
struct Lease {
    row: Row,
    position: Position,
    /// Who stored progress last since the owner changed.
    writer: Option<String>,
}

/// The name of a shard in the table.
pub(in super::super) fn key(shard: usize) -> String {
    format!("shard-{shard:03}")
}

/// The shard of a name.
pub(in super::super) fn number(key: &str) -> usize {
    let digits = key.trim_start_matches("shard-");
    match digits.parse() {
        Ok(number) => number,
        Err(_) => panic!("`{key}` is no shard of the swarm"),
    }
}

#[cfg(feature = "mutations")]
macro_rules! planted {
    ($table:expr, $name:ident) => {
        $table.mutant == Some(crate::engine::mutation::Mutant::$name)
    };
}
#[cfg(not(feature = "mutations"))]
macro_rules! planted {
    ($table:expr, $name:ident) => {
        false
    };
}

impl LeaseTable {
    pub(in super::super) fn new(shards: usize) -> Self {
        Self {
            rows: vec![None; shards],
            #[cfg(feature = "mutations")]
            mutant: None,
        }
    }

    /// Where a shard stands, if it has a row.
    pub(in super::super) fn position(&self, shard: usize) -> Option<Position> {
        self.rows[shard].as_ref().map(|lease| lease.position)
    }

    /// Every row, and where each shard stands.
    fn scan(&self, token: Token) -> LeaseEvent {
        let rows = self.rows.iter().flatten();
        LeaseEvent::Scanned {
            token,
            rows: rows.map(|lease| lease.row.clone()).collect(),
        }
    }

    /// Carries out a call of `me`; `from` is where the shard of a new row begins.
    pub(in super::super) fn carry_out(
        &mut self,
        me: &str,
        action: &LeaseAction,
        from: Position,
    ) -> (LeaseEvent, Option<Finding>) {
        let (token, at) = match action {
            LeaseAction::Scan { token } => return (self.scan(*token), None),
            LeaseAction::Create { token, key, .. }
            | LeaseAction::Renew { token, key, .. }
            | LeaseAction::Take { token, key, .. }
            | LeaseAction::HandOver { token, key }
            | LeaseAction::Release { token, key } => (*token, number(key)),
        };
        let is_blind = planted!(self, LeaseRenewedBlindly);
        let is_me = |worker: &Option<String>| worker.as_deref() == Some(me);
        let (place, mut finding) = (&mut self.rows[at], None);
        let is_handed = place.as_ref().is_some_and(|it| is_me(&it.row.handing_over));
        let refused = |is_handing_over| LeaseEvent::Refused {
            token,
            is_handing_over,
        };
        let done = LeaseEvent::Done { token };
        let event = match (action, place) {
            (LeaseAction::Create { parents, key, .. }, place @ None) => {
                *place = Some(Lease {
                    row: Row::new(key.as_str(), parents.clone()),
                    position: from,
                    writer: None,
                });
                done
            }
            (
                LeaseAction::Renew {
                    counters, claim, ..
                },
                Some(Lease { row, .. }),
            ) if is_blind || (is_me(&row.owner) && counters.contains(&row.counter)) => {
                let wrong = || format!("{me} renews {}, which {:?} has", row.key, row.owner);
                finding = (!is_me(&row.owner)).then(|| (Checker::Leases, wrong()));
                row.owner = Some(me.to_owned());
                row.counter += 1;
                if *claim {
                    row.handing_over = None;
                }
                LeaseEvent::Renewed {
                    token,
                    counter: row.counter,
                    is_handing_over: row.handing_over.is_some(),
                }
            }
            (LeaseAction::Renew { .. }, _) => refused(is_handed),
            (
                LeaseAction::Take {
                    counter,
                    owner,
                    after,
                    ..
                },
                Some(Lease { row, writer, .. }),
            ) if row.owner == *owner && row.counter == *counter => {
                row.owner = Some(me.to_owned());
                row.counter += 1;
                row.handing_over.clone_from(after);
                *writer = None;
                done
            }
            (LeaseAction::HandOver { .. }, Some(Lease { row, .. })) if is_handed => {
                row.handing_over = None;
                done
            }
            (LeaseAction::Release { .. }, Some(Lease { row, .. })) if is_me(&row.owner) => {
                row.owner = None;
                row.counter += 1;
                done
            }
            _ => refused(false),
        };
        (event, finding)
    }

    /// Stores progress of a shard, if `me` may and the place from which it follows is stored; whether it was. What was
    /// written is looked at without a thought of the condition: progress never goes back, and since a lease changed hands,
    /// nobody writes after its owner but its owner.
    pub(in super::super) fn checkpoint(
        &mut self,
        me: &str,
        shard: usize,
        delta: Delta,
    ) -> (bool, Option<Finding>) {
        let anybody = planted!(self, LeaseNotAskedForProgress);
        let Some(lease) = &mut self.rows[shard] else {
            return (false, None);
        };
        let row = &mut lease.row;
        let may = row.handing_over.as_deref().or(row.owner.as_deref()) == Some(me);
        let fits = [delta.from, delta.to].contains(&lease.position);
        if !(anybody || may && fits) {
            return (false, None);
        }
        let owner = row.owner.as_deref();
        let finding = if delta.to.is_behind(lease.position) {
            let before = lease.position;
            let what = format!("moves {} back from {before:?} to {:?}", row.key, delta.to);
            Some(what)
        } else if owner != Some(me) && (lease.writer.is_some() && lease.writer.as_deref() == owner)
        {
            Some(format!("stores progress of {} after its owner", row.key))
        } else {
            None
        };
        lease.position = delta.to;
        row.is_finished = delta.to == Position::End;
        lease.writer = Some(me.to_owned());
        let finding = finding.map(|what| (Checker::Leases, format!("{me} {what}")));
        (true, finding)
    }
}
