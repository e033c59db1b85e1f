"""PyTorch's MNIST example under DistributedDataParallel (gloo), for `ranks.py`: prints a line after each step.

The images wait in memory, as in the benchmark `step`; PyTorch's loader is left out. Each process takes its share of every batch.
"""

import os
import pathlib
import sys
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

BATCH = 64
data, steps = pathlib.Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
torch.manual_seed(1)
dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()


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


images = np.frombuffer((data / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
labels = np.frombuffer((data / "train-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8).astype(np.int64)
images, labels = torch.tensor(images), torch.tensor(labels)
order = torch.randperm(len(images))
network = DistributedDataParallel(Net())
optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)


def step(number):
    batch = order[number * BATCH % (len(images) - BATCH) :][:BATCH]
    own = batch[rank * BATCH // size : (rank + 1) * BATCH // size]
    x = images[own].float().div_(255).sub_(0.1307).div_(0.3081)
    optimizer.zero_grad()
    F.nll_loss(network(x), labels[own]).backward()
    optimizer.step()


for number in range(steps):
    step(number)
    if rank == 0:
        print("step", flush=True)
dist.destroy_process_group()
