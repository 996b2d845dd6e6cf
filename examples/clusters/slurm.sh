#!/usr/bin/env bash
# A tidegate sweep as a job array of Slurm: every task runs one shard.
#
#   sbatch slurm.sh
#   sbatch --dependency=afterok:JOB --wrap 'tidegate merge sweep/parts/shard-*.json --out sweep'
#
# Replace FILE and PATH=VALUES; the folder must be on a file system that all nodes see. The number of tasks is the number of
# shards. A task that is run again (`scontrol requeue`) goes on where it stopped; to submit one task alone, give its shard
# by hand (`--shard 3/8`), because an array of one task says of itself that there is one.
#SBATCH --job-name=tidegate-sweep
#SBATCH --array=1-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=01:00:00
set -euo pipefail

srun tidegate sweep FILE \
    --vary PATH=VALUES \
    --replications 5 \
    --shard auto \
    --jobs "$SLURM_CPUS_PER_TASK" \
    --quiet \
    --out sweep/parts
