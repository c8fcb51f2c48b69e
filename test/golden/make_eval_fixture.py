"""Writes eval.json: inputs of the evaluation protocols and their values, by public libraries (numpy, scipy, and mauve-text, the MAUVE
of the paper's authors) and by other code than src/eval.

    python make_eval_fixture.py        needs numpy, scipy, scikit-learn, faiss-cpu, mauve-text; equal seeds give equal files
"""

import json
from collections import Counter
from pathlib import Path

import mauve
import numpy as np
from mauve.compute_mauve import get_divergence_curve_for_multinomials
from scipy.stats import entropy, trim_mean
from sklearn.metrics import auc

VOCABULARY, EOS, LENGTH, POSITIONS = 9, 0, 20, 8
RANDOM = np.random.default_rng(7)


def bigram_scorer():
    """log p(next | previous): a causal LM that sees one token back. What it gives depends on where a window begins."""
    logits = RANDOM.normal(size=(VOCABULARY, VOCABULARY)) * 1.5
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def token_samples():
    lengths = [25, 20, 17, 9, 8, 2, 1, 0, *RANDOM.integers(3, 24, 32).tolist()]
    return [RANDOM.choice(VOCABULARY, n, p=[0.04, *[0.12] * 8]).tolist() for n in lengths]


def nll_of(row, table):
    return np.array([-table[a, b] for a, b in zip(row[:-1], row[1:])])


def mdlm(samples, table):
    """As published code does it: padded rows, windows, masks."""
    total, count = 0.0, 0
    for ids in samples:
        row = np.array(ids[:LENGTH], dtype=int)
        is_end = row == EOS
        keep = (np.cumsum(is_end) == 0) | (is_end & (np.cumsum(is_end) == 1))
        for start in range(0, len(row), POSITIONS):
            window, mask = row[start : start + POSITIONS], keep[start : start + POSITIONS]
            nll = nll_of(window, table)
            total += (nll * mask[1:]).sum() if len(nll) else 0.0
            count += int(mask[1:].sum())
    return {"perplexity": float(np.exp(total / count)), "scoredTokens": count}


def sedd(samples, table):
    return float(np.mean([np.exp(nll_of(ids, table).mean()) for ids in samples if len(ids) > 1]))


def cosmos(samples, table):
    rows = [([EOS] + ids)[:POSITIONS] for ids in samples if ids]
    return float(trim_mean([np.exp(nll_of(row, table).mean()) for row in rows], 0.05))


def distinct(samples, n):
    grams = [tuple(ids[i : i + n]) for ids in samples for i in range(len(ids) - n + 1)]
    return len(set(grams)) / len(grams)


def fourgram_share(samples, training):
    grams = lambda ids: [tuple(ids[i : i + 4]) for i in range(len(ids) - 3)]
    known = {gram for text in training for gram in grams(text)}
    return float(np.mean([np.mean([gram in known for gram in grams(ids)]) for ids in samples if len(ids) > 3]))


def text_features(count, shares, shift):
    """A mixture of six clouds, as hidden states of six kinds of text would be."""
    centres = np.random.default_rng(3).normal(size=(6, 12)) * 2
    kinds = RANDOM.choice(6, count, p=shares)
    return np.round(centres[kinds] + RANDOM.normal(size=(count, 12)) + shift, 3)


def mauve_of(p, q):
    runs = [mauve.compute_mauve(p_features=p, q_features=q, num_buckets=len(p) // 10, seed=s, mauve_scaling_factor=5, verbose=False) for s in range(1, 21)]
    values = [float(run.mauve) for run in runs]
    curve = get_divergence_curve_for_multinomials(runs[0].p_hist, runs[0].q_hist, np.linspace(1e-6, 1 - 1e-6, 25), 5)
    x, y = curve.T
    by_x, by_y = np.argsort(x), np.argsort(y)
    area = 0.5 * (auc(x[by_x], y[by_x]) + auc(y[by_y], x[by_y]))
    return {
        "samples": p.tolist(), "references": q.tolist(), "mean": float(np.mean(values)), "deviation": float(np.std(values, ddof=1)),
        "histograms": [runs[0].p_hist.tolist(), runs[0].q_hist.tolist()], "area": float(area),
    }


def main():
    table, samples = bigram_scorer(), token_samples()
    training = token_samples()[:4] + [samples[0][2:14]]
    even = [1 / 6] * 6
    near = mauve_of(text_features(200, [0.25, 0.25, 0.2, 0.1, 0.1, 0.1], 0.2), text_features(200, even, 0))
    far = mauve_of(text_features(200, [0.35, 0.25, 0.2, 0.1, 0.1, 0], 0.5), text_features(200, even, 0))
    result = {
        "table": np.round(table, 12).tolist(), "endId": EOS, "length": LENGTH, "positions": POSITIONS,
        "samples": samples, "training": training,
        "mdlm": mdlm(samples, table), "sedd": sedd(samples, table), "cosmos": cosmos(samples, table),
        "entropy": float(np.mean([entropy(list(Counter(ids).values())) if ids else 0.0 for ids in samples])),
        "distinct": [distinct(samples, n) for n in (2, 3, 4)],
        "fourgramShare": fourgram_share(samples, training),
        "mauve": [near, far],
    }
    (Path(__file__).parent / "eval.json").write_text(json.dumps(result) + "\n")
    print({key: result[key] for key in ("mdlm", "sedd", "cosmos", "entropy", "distinct", "fourgramShare")}, near["mean"], far["mean"])


main()
