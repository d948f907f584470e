#!/bin/sh
#SBATCH --job-name=restow-scrub
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --requeue
# A scrub in four parts as an array job of Slurm, and a job that joins them: deploy/slurm.sh STORAGE STATES
# Both folders are seen by every node. A part that is requeued reads what it had not read.
set -eu
storage=$1 states=$2
if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    exec restow scrub --quiet --shard auto --state "$states/part-{}.db" "registry-storage:$storage"
elif [ -n "${SLURM_JOB_ID:-}" ]; then
    exec restow scrub merge --report "json=$states/report.json" "$states/part-0.db" "$states/part-1.db" "$states/part-2.db" "$states/part-3.db"
fi
parts=$(sbatch --parsable --array=0-3 "$0" "$storage" "$states")
sbatch --dependency="afterok:$parts" "$0" "$storage" "$states"
