#!/bin/bash
# A run that may be stopped at any time and goes on by itself where it was:
#
#     sbatch preemptible.sh stack.mrc result
#
#SBATCH --job-name=tomoinr
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=1
#SBATCH --time=00:30:00
#SBATCH --requeue
#SBATCH --signal=USR1@120      # two minutes before the time is up; preemption sends TERM
#SBATCH --open-mode=append     # one log for all turns
#SBATCH --output=%x-%j.log

set -euo pipefail
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
STOPPED=75 # the exit code of a run that has kept all it knows and can go on

# A number of its own for each turn's step: MPICH trips over what an earlier one, if it was killed,
# has left behind in shared memory under the same number.
for _ in $(seq "${SLURM_RESTART_COUNT:-0}"); do
    srun --ntasks=1 --nodes=1 true
done

# The first turn finds nothing to go on from, and begins.
code=0
srun --mpi=pmi2 --kill-on-bad-exit=1 \
    tomoinr reconstruct "$1" --out "$2" --force --resume --checkpoint-every 5min || code=$?
if [ "$code" -eq "$STOPPED" ]; then
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60 # until that ends this script: its own end would be the job's
fi
exit "$code"
