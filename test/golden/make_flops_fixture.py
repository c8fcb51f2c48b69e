"""Counts the operations of the networks of bench/pytorch_ldlm.py with PyTorch's own counter, for src/bench/flops.ts to equal:
`python test/golden/make_flops_fixture.py > test/golden/flops.json`. Attention runs by its plain formula, so that nothing is computed twice.
"""

import json
import sys
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from pytorch_ldlm import LDLM  # noqa: E402

SIZES = {
    "as long as the text": dict(
        maxLength=6, latents=6, latentWidth=8, hiddenWidth=12, vocabulary=17, latentEncoder=dict(layers=2, heads=2),
        latentDecoder=dict(layers=1, heads=4), tokenDecoder=dict(layers=2, heads=3), dit=dict(layers=3, width=16, heads=2),
    ),
    "compressed": dict(
        maxLength=10, latents=4, latentWidth=16, hiddenWidth=24, vocabulary=31, latentEncoder=dict(layers=1, heads=2),
        latentDecoder=dict(layers=3, heads=4), tokenDecoder=dict(layers=1, heads=2), dit=dict(layers=2, width=8, heads=2),
    ),
}
BATCH = 3


def count(run):
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def counts(sizes):
    model = LDLM(sizes)
    h = torch.randn(BATCH, sizes["maxLength"], sizes["hiddenWidth"])
    z = torch.randn(BATCH, sizes["latents"], sizes["latentWidth"], requires_grad=True)
    u = torch.rand(BATCH)
    runs = {
        "latentEncoder": lambda: model.latent_encoder(h),
        "latentDecoder": lambda: model.latent_decoder(z),
        "tokenDecoder": lambda: model.token_decoder(h),
        "dit": lambda: model.dit(z, u, torch.zeros_like(z)),
    }
    result = {}
    for name, run in runs.items():
        forward = count(run)
        result[name] = {"forward": forward, "backward": count(lambda: run().sum().backward()) - forward}
    return result


torch.manual_seed(0)
print(json.dumps({"batch": BATCH, "torch": torch.__version__, "networks": [{"name": n, "model": s, "work": counts(s)} for n, s in SIZES.items()]}, indent=1))
