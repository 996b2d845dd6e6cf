//! Opening the lease table of a mapping whose shards are shared with other processes.

use super::{Cause, Shared, SourceCause};
use crate::engine::lease::LeaseConfig;
use crate::engine::{MappingConfig, Rng, Time, Unsupported, mix};
use crate::poll::leases::{Keeper, LeaseTable};
use crate::scenario::{Leasing, MappingSource, PollerMapping};
use crate::source::ListedShard;
use crate::source::patience::patiently;
use std::sync::Arc;

impl Shared {
    /// The mapping's lease table, ready for use; `None` for a mapping that shares nothing.
    pub(super) async fn lease_table(
        &self,
        mapping: &PollerMapping,
    ) -> Result<Option<Arc<LeaseTable>>, Cause> {
        let (Some(leasing), MappingSource::Service { arn, .. }) =
            (&self.file.poller.leases, &mapping.source)
        else {
            return Ok(None);
        };
        let config = &mapping.config;
        if !config.source.is_stream() {
            return Ok(None);
        }
        if config.tumbling_window.is_some() {
            return Err(Cause::Source(SourceCause::Unsupported(Unsupported {
                parameter: "TumblingWindowInSeconds",
                reason: "the state of a window has no place in a lease table; leave [poller.leases] out for this mapping's file",
            })));
        }
        let worker = self.worker(leasing);
        let aws = &self.file.aws;
        let table = LeaseTable::open(leasing, &config.name, &worker, aws, arn);
        let table = table.await.map_err(SourceCause::Aws)?;
        patiently(|| table.ensure())
            .await
            .map_err(SourceCause::Call)?;
        tracing::info!(
            mapping = config.name,
            table = table.name(),
            worker,
            "shards are shared"
        );
        Ok(Some(Arc::new(table)))
    }

    /// This process among those that share shards: the machine, the process, and the moment.
    fn worker(&self, leasing: &Leasing) -> String {
        leasing.worker.clone().unwrap_or_else(|| {
            let host = rustix::system::uname();
            let host = host.nodename().to_string_lossy();
            let moment = mix(self.clock.now().as_nanos());
            format!("{host}:{}:{moment:016x}", std::process::id())
        })
    }

    pub(super) fn keeper(
        &self,
        config: &MappingConfig,
        table: Arc<LeaseTable>,
        now: Time,
        listed: &[ListedShard],
    ) -> Keeper {
        let leasing = self.file.poller.leases.as_ref();
        let mut leases = LeaseConfig::new(table.worker());
        if let Some(leasing) = leasing {
            leases.failover = leasing.failover;
            leases.steal_max = leasing.steal_max;
            leases.leases_max = leasing.leases_max;
        }
        // Workers that begin together draw different orders.
        let rng = Rng::stream(self.file.poller.seed, table.worker());
        let mut keeper = Keeper::new(leases, rng, now, table, config.starting_position);
        keeper.listed(now, listed.to_vec());
        keeper
    }
}
