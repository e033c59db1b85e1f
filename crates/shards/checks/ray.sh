#!/usr/bin/env bash
# Predicts in parts under a real Ray on this machine, while programs and workers are killed at random, and compares what comes out with
# one run:
#
#   bash crates/shards/checks/ray.sh [WORDS OF A PREDICTION]     by default `mnist`
#
# Installs PyPI's ray in a temporary folder. PARTS, KILLS and SEED are variables. Ray takes the machine's outer address where it can, so
# it runs where there is only the loopback.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
parts=${PARTS:-20} kills=${KILLS:-6}
RANDOM=${SEED:-1}
words=("${@:-mnist}")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
cd "$root"
cargo xtask predict "${words[@]}" --shard 0/1 --out "$folder/one"
cargo xtask predict --merge "$folder/one" --out "$folder/one.jsonl"
cargo xtask scale ray --parts "$parts" --to "$folder/job.py" -- predict "${words[@]}" --out "$folder/parts"

run() { unshare -rn sh -c "ip link set lo up; exec '$folder/venv/bin/python' '$folder/job.py'" > "$folder/log" 2>&1; }
runs=1 killed=0
run & driver=$!
while true; do
  sleep "$((RANDOM % 3)).$((RANDOM % 10))"
  if ! kill -0 "$driver" 2> /dev/null; then
    wait "$driver" && break
    [ "$runs" -lt 10 ] || { cat "$folder/log"; exit 1; }
    runs=$((runs + 1))
    run & driver=$!
  fi
  # A program of ours, or the worker that started it.
  victims=($(pgrep -f "infer predict .*--out $folder/parts" || true) $(pgrep -f '^ray::predict' || true))
  if [ ${#victims[@]} -gt 0 ] && [ "$killed" -lt "$kills" ]; then
    kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2> /dev/null && killed=$((killed + 1))
  fi
done
cmp "$folder/one.jsonl" "$folder/parts/predictions.jsonl"
echo "ray 2.60.0: $parts parts, $runs runs of the driver, $killed programs and workers killed; the same bytes as one run"
