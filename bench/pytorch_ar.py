"""An autoregressive transformer of GPT-2's kind with random weights, sampled in PyTorch as one does it: a KV cache, one token at a time,
fp64 probabilities. On a GPU a token can be one CUDA graph, with attention over the whole cache; else every operation is started by itself."""

import torch
import torch.nn.functional as F


class AutoregressiveModel:
    """Sizes of the LDLM's denoiser: `dit` has layers, width, heads. Everything is in `dtype` but the probabilities."""

    def __init__(self, config, count, device, dtype):
        dit, self.vocabulary, self.length = config["dit"], config["vocabulary"], config["maxLength"]
        self.layers, self.width, self.heads, self.count = dit["layers"], dit["width"], dit["heads"], count
        options = {"device": device, "dtype": dtype}
        weights = lambda *shape: 0.02 * torch.randn(*shape, **options)  # noqa: E731
        c = self.width
        self.tokens, self.positions = weights(self.vocabulary, c), weights(self.length, c)
        shapes = {"qkv": (3 * c, c), "output": (c, c), "up": (4 * c, c), "down": (c, 4 * c)}
        self.blocks = [{name: (weights(*shape), weights(shape[0])) for name, shape in shapes.items()} for _ in range(self.layers)]
        self.gain, self.bias = torch.ones(c, **options), torch.zeros(c, **options)  # of every norm
        self.cache = torch.zeros(self.layers, 2, count, self.heads, self.length, c // self.heads, **options)
        self.everywhere = torch.arange(self.length, device=device)
        self.ids = torch.zeros(count, self.length + 1, dtype=torch.long, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)

    def _norm(self, x):
        return F.layer_norm(x, (self.width,), self.gain, self.bias)

    def _attention(self, x, layer, block, length):
        q, k, v = F.linear(self._norm(x), *block["qkv"]).view(self.count, 1, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        keys, values = self.cache[layer]
        keys.index_copy_(2, self.position, k)
        values.index_copy_(2, self.position, v)
        if length is None:  # a graph has one shape for all tokens
            mixed = F.scaled_dot_product_attention(q, keys, values, attn_mask=(self.everywhere <= self.position).view(1, 1, 1, -1))
        else:
            mixed = F.scaled_dot_product_attention(q, keys[:, :, :length], values[:, :, :length])
        return F.linear(mixed.transpose(1, 2).flatten(2), *block["output"])

    def token(self, length=None):
        """Reads the token at `position`, writes the next one. `length`: tokens in the cache with this one, None for all of its places."""
        x = (F.embedding(self.ids.index_select(1, self.position), self.tokens) + self.positions.index_select(0, self.position))
        for layer, block in enumerate(self.blocks):
            x = x + self._attention(x, layer, block, length)
            x = x + F.linear(F.gelu(F.linear(self._norm(x), *block["up"]), approximate="tanh"), *block["down"])
        probabilities = F.linear(self._norm(x)[:, 0], self.tokens).double().softmax(-1)
        drawn = (probabilities / torch.empty_like(probabilities).exponential_()).argmax(-1, keepdim=True)
        self.position += 1
        self.ids.index_copy_(1, self.position, drawn)

    def record(self):
        """The CUDA graph of a token."""
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.token()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.token()
        return graph


@torch.inference_mode()
def open_autoregressive(work, graph):
    model = AutoregressiveModel(work["config"]["model"], work["count"], work["device"], getattr(torch, work["dtype"]))
    recorded = model.record() if graph else None

    @torch.inference_mode()
    def run():
        model.position.zero_()
        for token in range(model.length):
            recorded.replay() if recorded else model.token(token + 1)
        model.ids.cpu()

    return run
