"""Adds `scores.safetensors` to gpt2-tiny, with Hugging Face transformers: ids [B, L] and lengths [B] of the folder's
expected.safetensors, log_likelihoods [B, L] (0 at the first token and behind a row's length), and last_hidden [B, C].

    python make_scorer_fixture.py        needs torch, transformers, safetensors
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

FOLDER = Path(__file__).parent / "gpt2-tiny"


def main():
    model = GPT2LMHeadModel.from_pretrained(FOLDER).eval()
    given = load_file(FOLDER / "expected.safetensors")
    ids, lengths = given["ids"], given["lengths"]
    log_likelihoods = torch.zeros(ids.shape)
    last_hidden = torch.zeros(ids.shape[0], model.config.n_embd)
    with torch.no_grad():
        for row, length in enumerate(lengths.tolist()):  # one row at a time: no padding that could leak into the result
            out = model(ids[row : row + 1, :length], output_hidden_states=True)
            logs = torch.log_softmax(out.logits[0, :-1].double(), -1)
            log_likelihoods[row, 1:length] = logs.gather(-1, ids[row, 1:length, None])[:, 0].float()
            last_hidden[row] = out.hidden_states[-1][0, -1]
    save_file({"ids": ids, "lengths": lengths, "log_likelihoods": log_likelihoods, "last_hidden": last_hidden}, FOLDER / "scores.safetensors")


main()
