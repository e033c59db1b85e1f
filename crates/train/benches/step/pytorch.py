"""PyTorch's MNIST example, timed phase by phase, for the benchmark `step`.

Each line of standard input is an order; each answer is a line of JSON. The images wait in memory as bytes, and a batch is
normalised at once: PyTorch's own loader, which decodes and normalises one image at a time, is left out of the comparison.
"""

import argparse
import json
import pathlib
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--batch-size", type=int)
parser.add_argument("--threads", type=int)
parser.add_argument("--seed", type=int)
parser.add_argument("--mode", choices=["eager", "channels_last", "compiled", "bf16"], default="eager")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout2d(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


def digits(name):
    images = (arguments.data / f"{name}-images-idx3-ubyte").read_bytes()
    labels = (arguments.data / f"{name}-labels-idx1-ubyte").read_bytes()
    images = torch.tensor(np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28))
    return images, torch.tensor(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64))


def normalized(images):
    return images.float().div_(255).sub_(0.1307).div_(0.3081)


class Training:
    def __init__(self):
        self.train, self.test_digits = digits("train"), digits("t10k")
        torch.manual_seed(arguments.seed)
        self.network = Net()
        self.channels_last = arguments.mode in ("channels_last", "bf16")
        if self.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)
        self.compiled = torch.compile(self.network) if arguments.mode == "compiled" else self.network
        self.optimizer = torch.optim.Adadelta(self.network.parameters(), lr=1.0)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=1, gamma=0.7)
        self.batches = iter(())
        self.done = 0

    def next_batch(self):
        chosen = next(self.batches, None)
        if chosen is None:
            images, _ = self.train
            self.batches = iter(torch.randperm(len(images)).split(arguments.batch_size))
            chosen = next(self.batches)
        images, labels = self.train
        return normalized(images[chosen]), labels[chosen]

    def step(self):
        laps = [time.perf_counter()]
        x, y = self.next_batch()
        laps.append(time.perf_counter())
        self.optimizer.zero_grad()
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.mode == "bf16"):
            loss = F.nll_loss(self.compiled(x), y)
        self.loss = loss.detach()
        laps.append(time.perf_counter())
        loss.backward()
        laps.append(time.perf_counter())
        self.optimizer.step()
        self.done += 1
        if self.done % -(-len(self.train[1]) // arguments.batch_size) == 0:
            self.schedule.step()
        laps.append(time.perf_counter())
        return [1e3 * (end - start) for start, end in zip(laps, laps[1:])]

    def steps(self, count):
        self.network.train()
        steps, losses = [], []
        for _ in range(int(count)):
            steps.append(self.step())
            losses.append(self.loss)
        losses = [loss.item() for loss in losses]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"steps": steps, "losses": losses, "peak_mib": peak, "cpu_seconds": time.process_time()}

    def test(self):
        self.network.eval()
        images, labels = self.test_digits
        with torch.inference_mode():
            read = torch.cat([self.network(normalized(part)).argmax(1) for part in images.split(1000)])
        correct = int((read == labels).sum())
        return {"correct": correct, "total": len(labels), "cpu_seconds": time.process_time()}

    def forward(self, count, size):
        self.network.eval()
        images = normalized(self.test_digits[0][: int(size)])
        passes = []
        with torch.inference_mode():
            for _ in range(int(count)):
                started = time.perf_counter()
                self.network(images)
                passes.append(1e3 * (time.perf_counter() - started))
        return {"passes": passes}

    def peak(self):
        a, b = torch.full((2048, 2048), 0.5), torch.full((2048, 2048), 0.5)
        times = []
        for _ in range(20):
            started = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - started)
        return {"gflops": 2 * 2048**3 / min(times) / 1e9}


training = Training()
for line in sys.stdin:
    order, *words = line.split()
    print(json.dumps(getattr(training, order)(*words)), flush=True)
