"""A tidegate sweep on Dask: python dask_sweep.py --out DIR -- FILE --vary PATH=VALUES ...

Starts a local cluster. For an existing one, give Client the address of its scheduler; its workers need the program, the
scenario and the folder (a shared file system), and this file's folder on their PYTHONPATH.
"""

import shards
from dask.distributed import Client, LocalCluster


def main():
    chosen = shards.arguments("Dask")
    cluster = LocalCluster(
        n_workers=chosen.workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        commands = [shards.command(chosen, index) for index in range(1, chosen.shards + 1)]
        # A shard is finished or not there: to run one again after a failure is safe.
        client.gather(client.map(shards.run, commands, pure=False, retries=2))
    shards.merge(chosen)


if __name__ == "__main__":
    main()
