"""A tidegate sweep on Ray: python ray_sweep.py --out DIR -- FILE --vary PATH=VALUES ...

Starts a local cluster. For an existing one, set RAY_ADDRESS; its workers need the program, the scenario and the folder (a
shared file system). Ray keeps a token in the home directory.
"""

import os

import ray
import shards


def main():
    chosen = shards.arguments("Ray")
    here = os.path.dirname(os.path.abspath(__file__))
    local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": chosen.workers, "include_dashboard": False}
    ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": here}}, **local)
    # A shard is finished or not there: to run one again after a failure is safe.
    run = ray.remote(num_cpus=1, max_retries=2)(shards.run)
    commands = [shards.command(chosen, index) for index in range(1, chosen.shards + 1)]
    ray.get([run.remote(words) for words in commands])
    ray.shutdown()
    shards.merge(chosen)


if __name__ == "__main__":
    main()
