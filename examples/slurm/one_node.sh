#!/bin/bash
# One tilt series on one node, with all its GPUs or cores:
#
#     sbatch one_node.sh stack.mrc result
#
#SBATCH --job-name=tomoinr
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2    # a rank for each GPU (add --gpus-per-node=2), or for some cores
#SBATCH --cpus-per-task=1
#SBATCH --time=02:00:00
#SBATCH --output=%x-%j.log

set -euo pipefail
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

# pmi2 suits MPICH and its kin, pmix Open MPI; `srun --mpi=list` tells what there is.
srun --mpi=pmi2 --kill-on-bad-exit=1 tomoinr reconstruct "$1" --out "$2" --force
