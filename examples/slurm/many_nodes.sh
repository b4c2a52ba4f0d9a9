#!/bin/bash
# One tilt series on several nodes:
#
#     sbatch many_nodes.sh stack.mrc result
#
#SBATCH --job-name=tomoinr
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=02:00:00
#SBATCH --output=%x-%j.log

set -euo pipefail
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
export TOMOINR_DEADLINE=60 # seconds without a word from a rank, after which the job ends

# What the nodes offer, and whether MPI and the network are as they should be.
srun --mpi=pmi2 --kill-on-bad-exit=1 tomoinr doctor
srun --mpi=pmi2 --kill-on-bad-exit=1 tomoinr reconstruct "$1" --out "$2" --force
