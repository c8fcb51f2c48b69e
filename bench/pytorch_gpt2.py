"""The frozen GPT-2 of native/model/gpt2.cpp in plain PyTorch, up to the hidden state that is asked for."""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from pytorch_ldlm import merge_heads, split_heads


class Gpt2:
    def __init__(self, folder, shape, device="cpu"):
        tensors = load_file(f"{folder}/model.safetensors", device=str(device))
        self.weights = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        self.layers, self.heads, self.eps = shape["layers"], shape["heads"], shape["normEpsilon"]

    def _norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self.eps)

    def _linear(self, x, name):  # GPT-2 stores its matrices [in, out]
        return F.linear(x, self.weights[f"{name}.weight"].t(), self.weights[f"{name}.bias"])

    def _block(self, x, name):
        q, k, v = (split_heads(part, self.heads) for part in self._linear(self._norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn").chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self._linear(merge_heads(mixed), f"{name}.attn.c_proj")
        inner = F.gelu(self._linear(self._norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc"), approximate="tanh")
        return x + self._linear(inner, f"{name}.mlp.c_proj")

    @torch.no_grad()
    def hidden(self, ids, layer):
        """ids [B, L] -> hidden state `layer` (0 .. layers, as Hugging Face counts) [B, L, H]."""
        x = F.embedding(ids, self.weights["wte.weight"]) + self.weights["wpe.weight"][: ids.shape[1]]
        for i in range(layer):
            x = self._block(x, f"h.{i}")
        return self._norm(x, "ln_f") if layer == self.layers else x
