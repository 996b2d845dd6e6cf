"""What the examples for Ray, Dask and HyperQueue share: the arguments, a shard, and the merge."""

import argparse
import os
import subprocess


def arguments(engine):
    parser = argparse.ArgumentParser(
        description=f"Runs the shards of a tidegate sweep on {engine} and merges them. Everything after"
        " -- is what `tidegate sweep` gets: the scenario, --vary and so on."
    )
    parser.add_argument("--tidegate", default="tidegate", help="the program; every worker must have it")
    parser.add_argument("--shards", type=int, default=8, help="parts of the sweep; ten seconds each or longer is good")
    parser.add_argument("--workers", type=int, default=2, help="workers of the local cluster")
    parser.add_argument("--out", required=True, help="folder for shards and results; every worker must see it")
    parser.add_argument("sweep", nargs="+", help="FILE --vary PATH=VALUES ...")
    chosen = parser.parse_args()
    chosen.out = os.path.abspath(chosen.out)
    return chosen


def folder(chosen):
    """Where the shards go, beside the results."""
    return os.path.join(chosen.out, "shards")


def command(chosen, index):
    """The command of shard `index`, counted from 1. It uses one thread: the cluster has one task per core."""
    shard = f"{index}/{chosen.shards}"
    return [chosen.tidegate, "sweep", *chosen.sweep, "--shard", shard, "--jobs", "1", "--quiet", "--out", folder(chosen)]


def run(words):
    """Runs a command in a worker. What it says on standard error comes back in the error."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr}")


def merge(chosen):
    shards = [
        os.path.join(folder(chosen), f"shard-{index}-of-{chosen.shards}.json")
        for index in range(1, chosen.shards + 1)
    ]
    subprocess.run([chosen.tidegate, "merge", *shards, "--out", chosen.out], check=True)
