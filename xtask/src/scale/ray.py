"""{count} parts of a prediction or an evaluation, one task of Ray each:

    python {script}

A part that is there and whole is left as it is, so run the same script again after a failure.
"""

import subprocess

import ray

ROOT = {root}
COMMAND = {command}
MERGE = {merge}
PARTS = {count}

ray.init()


# A task whose worker is killed or whose program fails runs again, three times at the most.
@ray.remote(num_cpus={threads}, max_retries=3, retry_exceptions=True)
def predict(part):
    # No session of its own: what ends the worker's group ends the program.
    result = subprocess.run([*COMMAND, "--shard", f"{part}/{PARTS}"], cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"part {part}: {result.stderr.strip() or result.returncode}")
    return part


waiting = [predict.remote(part) for part in range(PARTS)]
failed = []
while waiting:
    done, waiting = ray.wait(waiting)
    for task in done:
        try:
            ray.get(task)
        except Exception as error:
            failed.append(str(error))
        print(f"{PARTS - len(waiting)} of {PARTS} parts, {len(failed)} failed", flush=True)
if failed:
    raise SystemExit("\n".join(failed))
subprocess.run(MERGE, cwd=ROOT, check=True)
