#!/bin/bash
# {count} parts of a prediction or an evaluation, a task of a job array each:
#
#   sbatch {script}
#
# A part that is there and whole is left as it is, so submit the same script again after a failure. Then put the parts together:
#
#   {merge}
#
#SBATCH --job-name=kiln
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={threads}
#SBATCH --output=kiln-%A_%a.log
# A task whose node dies starts again elsewhere, and its log goes on. The first copy may live on: both write the same part, whole.
#SBATCH --requeue
#SBATCH --open-mode=append
# Slurm takes 1,001 tasks in an array unless MaxArraySize says more.

set -euo pipefail
cd {root}

# The program takes the place of this shell, so that Slurm ends it with the task.
exec {command} --shard "$SLURM_ARRAY_TASK_ID/{count}"
