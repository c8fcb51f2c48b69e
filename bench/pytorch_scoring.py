"""The Python side of bench/scoring.mjs, with the protocol of pytorch_worker.py.

  {"open": "score", "work": {"folder", "shape", "ids", "rows", "length", "together", "threads"}}   GPT-2 in plain PyTorch
  {"open": "mauve", "work": {"features", "rows", "width", "clusters", "seeds", "threads"}}          mauve-text, features of a raw fp32 file
  {"repeats": n}    -> {"timesMs": [...], "cpuMs": [...], "mauve": [a value a seed]}
"""

import json
import sys
import time


def open_scoring(work):
    import torch
    import torch.nn.functional as F

    from pytorch_gpt2 import Gpt2

    torch.set_num_threads(work["threads"])
    gpt2 = Gpt2(work["folder"], work["shape"])
    head = gpt2.weights["wte.weight"]
    ids = torch.tensor(work["ids"]).view(work["rows"], work["length"])

    @torch.inference_mode()
    def run():
        for batch in ids.split(work["together"]):
            hidden = gpt2.hidden(batch, gpt2.layers)
            logits = F.linear(hidden[:, :-1], head)
            F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="none")
            hidden[:, -1].clone()

    return run


def open_mauve(work):
    import faiss
    import mauve
    import numpy

    faiss.omp_set_num_threads(work["threads"])
    features = numpy.fromfile(work["features"], dtype=numpy.float32).reshape(2, work["rows"], work["width"])

    def run():
        settings = {"num_buckets": work["clusters"], "mauve_scaling_factor": 5, "kmeans_num_redo": 5, "kmeans_max_iter": 500, "verbose": False}
        return [float(mauve.compute_mauve(p_features=features[0], q_features=features[1], seed=seed, **settings).mauve) for seed in work["seeds"]]

    return run


OPENERS = {"score": open_scoring, "mauve": open_mauve}


def main():
    run = None
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is not an answer
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        if "open" in request:
            run = OPENERS[request["open"]](request["work"])
        else:
            answer = {"timesMs": [], "cpuMs": [], "mauve": []}
            for _ in range(request["repeats"]):
                start, cpu = time.perf_counter(), time.process_time()
                answer["mauve"] = run()
                answer["timesMs"].append(1000 * (time.perf_counter() - start))
                answer["cpuMs"].append(1000 * (time.process_time() - cpu))
        print(json.dumps(answer), file=out, flush=True)


main()
