"""The PyTorch side of the benchmarks: reads requests as JSON lines on stdin, answers each with a JSON line on stdout, until stdin ends.

  request  {"op": "train_step" | "sample", "work": {...}, "repeats": n}      `work` as bench/workloads.mjs makes it, the same every time
  answer   {"timesMs": [...], "medianMs": x, "peakRssBytes": n, "baseRssBytes": n, "version": "..."}

baseRssBytes is the peak before anything was loaded: the interpreter and libtorch themselves.
"""

import json
import statistics
import sys
import time

import torch
from safetensors.torch import load_file

from pytorch_gpt2 import Gpt2
from pytorch_ldlm import LDLM
from pytorch_training import JointTraining, sample


def peak_rss():
    """Of this process image; getrusage's ru_maxrss would begin at that of the parent."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


BASE_RSS = peak_rss()


def open_training(work):
    config, device = work["config"], work["device"]
    tensors = load_file(f"{work['checkpoint']}/model.safetensors", device=device)
    moments = [tensors.pop(f"feature_statistics.{name}") for name in ("mean", "deviation")]
    training = JointTraining(config, Gpt2(work["encoder"], work["encoderShape"], device), tensors, moments, device)
    shape = (config["train"]["batch"], config["model"]["maxLength"])
    ids, lengths = torch.tensor(work["ids"]).view(shape), torch.tensor(work["lengths"])
    return lambda: training.step(ids, lengths)


def open_sampling(work):
    config, device = work["config"], work["device"]
    model = LDLM(config["model"]).to(device).eval()
    tensors = load_file(f"{work['checkpoint']}/ema.safetensors", device=device)
    model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("feature_statistics.")})
    return lambda: sample(model, config, work["count"], work["steps"], device)


OPENERS = {"train_step": open_training, "sample": open_sampling}


def timed(run, device):
    start = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1000


def main():
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        work = request["work"]
        if run is None:
            torch.set_num_threads(work["threads"])
            run = OPENERS[request["op"]](work)
        times = [timed(run, work["device"]) for _ in range(request["repeats"])]
        answer = {"timesMs": times, "medianMs": statistics.median(times), "peakRssBytes": peak_rss(), "baseRssBytes": BASE_RSS}
        print(json.dumps(answer | {"version": f"torch {torch.__version__}"}), flush=True)


main()
