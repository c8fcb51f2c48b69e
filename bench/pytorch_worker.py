"""The PyTorch side of `ldlm bench`: reads requests as JSON lines on stdin, answers each with a JSON line on stdout, until stdin ends
(src/bench/worker_process.ts has the other side).

  {"open": "train" | "sample", "system": SYSTEM, "work": {...}}     -> {} or {"unavailable": "why"}
  SYSTEM: "pytorch" | "pytorch-compiled" | "pytorch-ar" | "pytorch-ar-graph"
  {"repeats": n}    -> {"timesMs": [...], "cpuMs": [...], "evaluationMs": [...], "peakRssBytes": n, "baseRssBytes": n, "version": "..."}

baseRssBytes is the peak before anything was loaded: the interpreter and libtorch themselves.
"""

import json
import sys
import time

import torch
from safetensors.torch import load_file

from pytorch_ar import open_autoregressive
from pytorch_gpt2 import Gpt2
from pytorch_ldlm import LDLM
from pytorch_training import JointTraining, sample


def peak_rss():
    """Of this process image; getrusage's ru_maxrss would begin at that of the parent."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


BASE_RSS = peak_rss()


def open_training(work, compiled):
    config, device = work["config"], work["device"]
    tensors = load_file(work["weights"], device=device)
    moments = [tensors.pop(f"feature_statistics.{name}") for name in ("mean", "deviation")]
    training = JointTraining(config, Gpt2(work["encoder"], work["encoderShape"], device), tensors, moments, device)
    if compiled:
        training.compile()
    shape = (config["train"]["batch"], config["model"]["maxLength"])
    ids, lengths = torch.tensor(work["ids"]).view(shape), torch.tensor(work["lengths"])

    def step():
        training.step(ids, lengths)

    return step


def open_sampling(work, compiled):
    config, device = work["config"], work["device"]
    model = LDLM(config["model"]).to(device).eval()
    tensors = load_file(work["weights"], device=device)
    model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("feature_statistics.")})
    del tensors
    if work["dtype"] == "bfloat16":
        model = model.to(torch.bfloat16)
    if compiled:
        model.compile_modules()
    return lambda: sample(model, config, work["count"], work["steps"], device)


OPENERS = {"train": open_training, "sample": open_sampling}


def why_not_compiled():
    """Nothing if torch.compile works here; else the last line of why not. It needs a C++ compiler, and a Python with headers."""
    try:
        torch.compile(lambda x: torch.nn.functional.gelu(x) * 2)(torch.ones(8))
    except Exception as error:  # noqa: BLE001: whatever stops it is the answer
        return str(error).strip().splitlines()[-1]
    return None


def open_system(request):
    torch.set_num_threads(request["work"]["threads"])
    if request["system"].startswith("pytorch-ar"):
        graph = request["system"] == "pytorch-ar-graph"
        if graph and request["work"]["device"] != "cuda":
            return None, {"unavailable": "a CUDA graph takes a GPU"}
        return open_autoregressive(request["work"], graph), {}
    compiled = request["system"] == "pytorch-compiled"
    if compiled and (reason := why_not_compiled()):
        return None, {"unavailable": f"torch.compile does not work here: {reason}"}
    if request["work"]["config"]["train"]["muon"] and request["open"] == "train":
        return None, {"unavailable": "the PyTorch side has AdamW only, and Muon was asked for"}
    return OPENERS[request["open"]](request["work"], compiled), {}


def timed(run, device):
    start, cpu = time.perf_counter(), time.process_time()
    evaluation_ms = run()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000, evaluation_ms


def main():
    run = device = None
    for line in sys.stdin:
        request = json.loads(line)
        if "open" in request:
            device = request["work"]["device"]
            run, answer = open_system(request)
        else:
            timings = [timed(run, device) for _ in range(request["repeats"])]
            answer = {"timesMs": [t[0] for t in timings], "cpuMs": [t[1] for t in timings]}
            answer |= {"peakRssBytes": peak_rss(), "baseRssBytes": BASE_RSS, "version": f"torch {torch.__version__}"}
            if timings[0][2] is not None:
                answer["evaluationMs"] = [t[2] for t in timings]
        print(json.dumps(answer), flush=True)


main()
