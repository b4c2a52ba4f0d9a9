#!/bin/bash
# Many tilt series, each a job of its own: a line of a list each, as in
#
#     ls stacks/*.mrc > stacks.txt
#     sbatch --array=1-$(wc -l < stacks.txt)%8 array.sh stacks.txt results
#
#SBATCH --job-name=tomoinr
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=02:00:00
#SBATCH --output=%x-%A-%a.log

set -euo pipefail
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

stack=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$1")
name=$(basename "${stack%.*}")
mkdir -p "$2"
srun --kill-on-bad-exit=1 tomoinr reconstruct "$stack" --out "$2/$name" --force
