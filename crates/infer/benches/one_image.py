"""One input through Python's onnxruntime, in blocks that another program asks for.

Reads the number of runs from each line of standard input and answers with the seconds that each took, on one line.
"""

import sys
import time

import numpy
import onnxruntime

model, threads = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
feed = {"input": numpy.zeros((1, 1, 28, 28), numpy.float32)}
print(onnxruntime.__version__, flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    print(" ".join(map(repr, times)), flush=True)
