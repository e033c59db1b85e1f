"""One training step of PyTorch's MNIST example, timed phase by phase, for the benchmark `step`.

Each line of standard input says how many steps to take; each answer is a line of JSON. The images wait in memory,
normalised: PyTorch's own loader, which decodes and normalises one image at a time, is left out of the comparison.
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


def idx(name, offset):
    return np.frombuffer((arguments.data / name).read_bytes(), np.uint8, offset=offset)


count = 6400
images = torch.tensor(idx("train-images-idx3-ubyte", 16)[: count * 784].reshape(count, 1, 28, 28) / 255)
images = ((images - 0.1307) / 0.3081).float()
labels = torch.tensor(idx("train-labels-idx1-ubyte", 8)[:count].astype(np.int64))
torch.manual_seed(1)
network = Net()
network.train()
optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
done = 0
for order in sys.stdin:
    steps = []
    for _ in range(int(order)):
        laps = [time.perf_counter()]
        chosen = (torch.arange(arguments.batch_size) + done * arguments.batch_size) * 7919 % count
        x, y = images[chosen], labels[chosen]
        laps.append(time.perf_counter())
        optimizer.zero_grad()
        loss = F.nll_loss(network(x), y)
        laps.append(time.perf_counter())
        loss.backward()
        laps.append(time.perf_counter())
        optimizer.step()
        laps.append(time.perf_counter())
        steps.append([1e3 * (end - start) for start, end in zip(laps, laps[1:])])
        done += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"steps": steps, "peak_mib": peak, "cpu_seconds": time.process_time()}), flush=True)
