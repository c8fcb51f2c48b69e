"""Adds `scores.safetensors` to gpt2-tiny: ids [B, L], lengths [B], log_likelihoods [B, L] (0 at the first token and behind a row's
length) and last_hidden [B, C]. The hidden states are those of Hugging Face transformers (expected.safetensors, made by
make_encoder_fixtures.py); the tied head and the softmax are numpy's in double precision, checked against Hugging Face's loss.

    python make_scorer_fixture.py        needs numpy, safetensors
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FOLDER = Path(__file__).parent / "gpt2-tiny"


def main():
    given = load_file(FOLDER / "expected.safetensors")
    ids, lengths, hidden = given["ids"], given["lengths"], given["hidden_3"].astype(np.float64)
    embedding = load_file(FOLDER / "model.safetensors")["transformer.wte.weight"].astype(np.float64)
    logits = hidden @ embedding.T
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    log_likelihoods = np.zeros(ids.shape)
    for row, length in enumerate(lengths):
        for i in range(1, length):
            log_likelihoods[row, i] = logs[row, i - 1, ids[row, i]]
    assert abs(-log_likelihoods.sum() / (lengths - 1).sum() - given["loss"][0]) < 1e-5
    last_hidden = hidden[np.arange(len(ids)), lengths - 1]
    save_file(
        {"ids": ids, "lengths": lengths, "log_likelihoods": log_likelihoods.astype(np.float32), "last_hidden": last_hidden.astype(np.float32)},
        FOLDER / "scores.safetensors",
    )


main()
