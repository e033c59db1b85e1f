#!/usr/bin/env bash
# Predicts in parts under a real Slurm of three nodes on this machine, while programs and one node are killed at random, and compares
# what comes out with one run. As root, on Debian:
#
#   bash crates/shards/checks/slurm.sh [WORDS OF A PREDICTION]     by default `mnist`
#
# Installs Debian's slurm-wlm if it is not there. Everything else lies in a temporary folder. PARTS, KILLS and SEED are variables.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
parts=${PARTS:-20} kills=${KILLS:-10}
RANDOM=${SEED:-1}
words=("${@:-mnist}")

command -v slurmctld > /dev/null || apt-get install --yes --no-install-recommends slurm-wlm
folder=$(mktemp -d)
export SLURM_CONF=$folder/slurm.conf
trap 'kill $(cat "$folder"/*.pid) 2> /dev/null || true; sleep 1; rm -rf "$folder"' EXIT
mkdir "$folder"/{state,log}
host=$(hostname)
cat > "$SLURM_CONF" <<END
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SlurmUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/%n
SlurmdTimeout=10
AuthInfo=cred_expire=5
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=5
NodeName=n[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17003] CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
slurmctld -c
for node in n1 n2 n3; do mkdir "$folder/$node"; slurmd -f "$SLURM_CONF" -N "$node"; done

cd "$root"
cargo xtask predict "${words[@]}" --shard 0/1 --out "$folder/one"
cargo xtask predict --merge "$folder/one" --out "$folder/one.jsonl"
cargo xtask scale slurm --parts "$parts" --to "$folder/job.sbatch" -- predict "${words[@]}" --out "$folder/parts"
sed -i "s|^#SBATCH --output=.*|#SBATCH --output=$folder/log/%A_%a|" "$folder/job.sbatch"

whole() { find "$folder/parts" -name 'part-*.jsonl' 2> /dev/null | wc -l; }
running() { squeue --noheader | wc -l; }
submissions=0 killed=0 dead=
while [ "$(whole)" -lt "$parts" ] || [ "$(running)" -gt 0 ]; do
  if [ "$(running)" -eq 0 ]; then
    sbatch "$folder/job.sbatch"
    submissions=$((submissions + 1))
  fi
  sleep "$((RANDOM % 3)).$((RANDOM % 10))"
  programs=($(pgrep -f "infer predict .*--out $folder/parts" || true))
  if [ ${#programs[@]} -gt 0 ] && [ "$killed" -lt "$kills" ]; then
    kill -KILL "${programs[RANDOM % ${#programs[@]}]}" 2> /dev/null && killed=$((killed + 1))
  fi
  # Once, in the middle, a node dies with its task still running, and comes back.
  if [ -z "$dead" ] && [ "$killed" -ge $((kills / 2)) ]; then
    kill -KILL "$(cat "$folder/n2.pid")" && dead=n2
    (sleep 30; slurmd -f "$SLURM_CONF" -N n2) &
  fi
done
cargo xtask predict --merge "$folder/parts" --out "$folder/parts.jsonl"
cmp "$folder/one.jsonl" "$folder/parts.jsonl"
left=$(find "$folder/parts" -type f ! -name 'part-*.jsonl' ! -name '.*' | wc -l)
[ "$left" -eq 0 ]
echo "$(sinfo --version): $parts parts, $submissions submissions, $killed programs and node ${dead:-none} killed; the same bytes as one run"
