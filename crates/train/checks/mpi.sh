#!/usr/bin/env bash
# Trains on 1, 2, 3 and 4 real processes under Open MPI, kills ranks meanwhile, and compares the weights with those of a single process
# without MPI. As root, on Debian:
#
#   bash crates/train/checks/mpi.sh [OPTIONS OF A TRAINING]     by default `--limit 6000 --epochs 2`
#
# Installs Open MPI and libclang if they are not there. Results lie in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/../../.."
words=("${@:---limit 6000 --epochs 2}")
[ $# -gt 0 ] || words=(--limit 6000 --epochs 2)

if ! command -v mpirun mpicc > /dev/null || ! ldconfig -p | grep -q libclang; then
  apt-get install --yes --no-install-recommends openmpi-bin libopenmpi-dev libclang1-14
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cargo xtask train "${words[@]}" --out "$folder/single"
cargo xtask train --mpi --probe
# The program itself, so that a signal reaches it and not cargo.
cp target/release/train "$folder/train"
ranks() {
  local count=$1
  shift
  timeout --kill-after 5 600 mpirun --oversubscribe --bind-to none -n "$count" "$folder/train" "${words[@]}" --mpi --threads 1 "$@"
}
same() { for file in model.safetensors metrics.jsonl; do cmp "$folder/single/$file" "$1/$file"; done; }

for count in 1 2 3 4; do
  ranks "$count" --out "$folder/$count" > /dev/null
  same "$folder/$count"
  echo "$count ranks: the same weights and metrics as a single process"
done

# A rank dies; the others must be gone within seconds, and another number of ranks goes on.
for count in 3 2 4; do
  ranks "$count" --out "$folder/killed" --resume --checkpoint-interval 0 > "$folder/log" 2>&1 &
  job=$!
  until [ -e "$folder/killed/checkpoint.safetensors" ] && grep -q 'Train Epoch' "$folder/log"; do sleep 0.1; done
  sleep "1.$((RANDOM % 10))"
  mapfile -t programs < <(pgrep -f "^$folder/train ")
  kill -KILL "${programs[RANDOM % ${#programs[@]}]}"
  started=$SECONDS
  if wait "$job"; then echo "a training without one of its ranks succeeded" >&2; exit 1; fi
  took=$((SECONDS - started))
  [ "$took" -le 10 ]
  if pgrep -f "^$folder/train " > /dev/null; then echo "a rank is left" >&2; exit 1; fi
  echo "$count ranks, one killed: all gone after $took s: $(grep -m 1 -E '^(interrupted|mpirun noticed)' "$folder/log")"
done
ranks 1 --out "$folder/killed" --resume > /dev/null
same "$folder/killed"
echo "resumed on 3, 2, 4 and 1 ranks: the same weights and metrics as a single process"
