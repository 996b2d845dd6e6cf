"""A tidegate sweep on HyperQueue: python hyperqueue_sweep.py --out DIR -- FILE --vary PATH=VALUES ...

Starts a server and workers here. For an existing server, make a Client of its folder. With the `hq` program no Python is
needed:

    hq submit --array=1-8 --cpus=1 -- tidegate sweep FILE --vary PATH=VALUES --shard auto/8 --jobs 1 --out DIR
"""

import os

import shards
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def main():
    chosen = shards.arguments("HyperQueue")
    with LocalCluster() as cluster:
        for _ in range(chosen.workers):
            cluster.start_worker(WorkerConfig(cores=1))
        client = cluster.client()
        job = Job(max_fails=0)
        logs = os.path.join(chosen.out, "logs")
        os.makedirs(logs, exist_ok=True)
        for index in range(1, chosen.shards + 1):
            log = os.path.join(logs, f"shard-{index}.txt")
            job.program(shards.command(chosen, index), cwd=os.getcwd(), stdout=log, stderr=log)
        client.wait_for_jobs([client.submit(job)])
    shards.merge(chosen)


if __name__ == "__main__":
    main()
