"""Makes the oracle of the native networks with the plain PyTorch implementation in bench/pytorch_ldlm.py.

ldlm-tiny/ has as many latents as tokens, ldlm-compressed/ fewer. Each holds `weights.safetensors`, in the names of a native checkpoint,
and `io.safetensors`: random inputs of the four networks, their outputs, random output weights and the gradient of the weighted sum
of the outputs for every input. test/native/pytorch_parity_test.cpp knows the sizes.

    python3 make_ldlm_fixtures.py        needs torch, safetensors; equal seeds give equal tensors
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "bench"))
from pytorch_gpt2 import Gpt2  # noqa: E402
from pytorch_ldlm import LDLM  # noqa: E402

BATCH = 3
SIZES = {
    "maxLength": 10,
    "latents": 10,
    "latentWidth": 16,
    "hiddenWidth": 24,
    "vocabulary": 31,
    "latentEncoder": {"layers": 2, "heads": 2},
    "latentDecoder": {"layers": 2, "heads": 4},
    "tokenDecoder": {"layers": 2, "heads": 3},
    "dit": {"layers": 2, "width": 20, "heads": 2},
}


def away_from_start(model, generator):
    """Zero gates and unit gains would hide an error."""
    with torch.no_grad():
        for parameter in model.parameters():
            start = 1.0 if parameter.dim() == 1 and bool((parameter == 1).all()) else 0.0
            parameter.copy_(start + 0.25 * torch.randn(parameter.shape, generator=generator))


def make(folder, config):
    generator = torch.Generator().manual_seed(17)
    model = LDLM(config)
    away_from_start(model, generator)

    def random(*shape):
        return torch.randn(shape, generator=generator)

    length, latents, width, hidden = (config[k] for k in ("maxLength", "latents", "latentWidth", "hiddenWidth"))
    calls = {
        "latent_encoder": (model.latent_encoder, [random(BATCH, length, hidden)]),
        "latent_decoder": (model.latent_decoder, [random(BATCH, latents, width)]),
        "token_decoder": (model.token_decoder, [random(BATCH, length, hidden)]),
        "dit": (model.dit, [random(BATCH, latents, width), torch.tensor([0.05, 0.5, 1.0]), random(BATCH, latents, width)]),
    }
    io = {}
    for name, (network, inputs) in calls.items():
        leaves = [x.requires_grad_() for x in inputs]
        output = network(*leaves)
        weights = random(*output.shape)
        gradients = torch.autograd.grad((output * weights).sum(), leaves)
        io |= {f"{name}.output": output.detach(), f"{name}.output_weights": weights}
        for i, (leaf, gradient) in enumerate(zip(leaves, gradients)):
            io |= {f"{name}.input_{i}": leaf.detach(), f"{name}.gradient_{i}": gradient}

    statistics = {"feature_statistics.mean": random(hidden), "feature_statistics.deviation": random(hidden).abs() + 0.5}
    folder.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in (model.state_dict() | statistics).items()}, folder / "weights.safetensors")
    save_file({k: v.contiguous() for k, v in io.items()}, folder / "io.safetensors")


def check_gpt2():
    """The frozen LM of the benchmarks against the hidden states of Hugging Face."""
    expected = load_file(HERE / "gpt2-tiny" / "expected.safetensors")
    gpt2 = Gpt2(HERE / "gpt2-tiny", {"layers": 3, "heads": 4, "normEpsilon": 1e-5})
    real = torch.arange(expected["ids"].shape[1])[None] < expected["lengths"][:, None]
    for layer in range(4):
        difference = (gpt2.hidden(expected["ids"], layer) - expected[f"hidden_{layer}"])[real].abs().max().item()
        if difference > 1e-5:
            raise SystemExit(f"hidden state {layer} of bench/pytorch_gpt2.py must equal Hugging Face's, got a difference of {difference}")


check_gpt2()
make(HERE / "ldlm-tiny", SIZES)
make(HERE / "ldlm-compressed", SIZES | {"latents": 4})
