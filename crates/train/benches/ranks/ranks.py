"""Times the training of digits in turns: one process of two threads, two ranks and four ranks of one thread, and PyTorch's
DistributedDataParallel with two processes.

    python3 crates/train/benches/ranks/ranks.py [--rounds 9] [--steps 150] [--torch a-python-with-torch]

Needs Open MPI (see crates/train/checks/mpi.sh) and MNIST below datasets. A step is timed by the line that it prints. Where others load
the machine, the median tells of them; the fastest tenth of the steps is nearer to what the programs can do. Both are printed.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
BATCH, WARM_UP = 64, 20

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--steps", type=int, default=150)
parser.add_argument("--torch", help="a Python that has PyTorch; without one PyTorch is left out")
parser.add_argument("--program", help="the trainer, built with the feature mpi; by default it is built")
arguments = parser.parse_args()
os.chdir(ROOT)
os.environ.update(
    OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_WAIT_POLICY="passive", GLOO_SOCKET_IFNAME="lo"
)
if arguments.program is None:
    subprocess.run(["cargo", "xtask", "train", "--mpi", "--probe"], check=True, stdout=subprocess.DEVNULL)
    arguments.program = "target/release/train"

train = ["--epochs", "1", "--limit", str(BATCH * arguments.steps), "--log-interval", "1", "--no-save-model"]
mpirun = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-n"]
contenders = {
    "one process of 2 threads": [arguments.program, *train, "--threads", "2"],
    "2 ranks": [*mpirun, "2", arguments.program, *train, "--threads", "1", "--mpi"],
    "4 ranks": [*mpirun, "4", arguments.program, *train, "--threads", "1", "--mpi"],
}
if arguments.torch:
    launch = [arguments.torch, "-m", "torch.distributed.run", "--nproc-per-node", "2", HERE / "ddp.py"]
    contenders["DDP of 2 processes"] = [*launch, "datasets/mnist", str(arguments.steps)]


def speeds(command):
    """Images a second in the median step and in the fastest tenth."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    times = [time.perf_counter() for line in process.stdout if line.startswith(("Train Epoch", "step"))]
    if process.wait() != 0 or len(times) != arguments.steps:
        raise SystemExit(f"{command} failed")
    steps = sorted(after - before for before, after in zip(times[WARM_UP:], times[WARM_UP + 1 :]))
    return BATCH / statistics.median(steps), BATCH / steps[len(steps) // 10]


found = {name: [] for name in contenders}
for turn in range(arguments.rounds):
    for name, command in contenders.items():
        found[name].append(speeds(command))
    print(turn + 1, {name: [round(speed) for speed in turns[-1]] for name, turns in found.items()}, flush=True)
for which, label in enumerate(["median step", "fastest tenth"]):
    middle = {name: statistics.median(turn[which] for turn in turns) for name, turns in found.items()}
    print(f"{label}: " + ", ".join(f"{name} {speed:.0f} images/s" for name, speed in middle.items()))
    two = found["2 ranks"]
    for name, turns in found.items():
        if name != "2 ranks":
            ratio = statistics.median(a[which] / b[which] for a, b in zip(two, turns))
            print(f"  2 ranks / {name}: {ratio:.2f}")
