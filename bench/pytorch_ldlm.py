"""The networks of native/model in plain PyTorch, as one writes them without custom kernels. Two uses: the opponent of the
benchmarks, and the oracle of test/native/pytorch_parity_test.cpp. Parameter names are those of the native checkpoints.

Letters: B batch, L tokens, N latents, D latent width, H hidden width of the frozen LM, C width of the DiT, V vocabulary.
"""

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

POSITION_SCALE = 0.3
TIME_FEATURES = 256


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.gain.shape, self.gain, 1e-6)


class FeedForward(nn.Module):
    def __init__(self, width, bias):
        super().__init__()
        self.up = nn.Linear(width, 4 * width, bias)
        self.down = nn.Linear(4 * width, width, bias)

    def forward(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class RotaryTable(nn.Module):
    def __init__(self, length, head_width):
        super().__init__()
        frequency = 10000.0 ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        angle = torch.outer(torch.arange(length, dtype=torch.float64), frequency)
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, x):  # [B, heads, L, d]
        first, second = x.chunk(2, -1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def split_heads(x, heads):  # [B, L, heads d] -> [B, heads, L, d]
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class PerceiverBlock(nn.Module):
    def __init__(self, width, context_width, heads):
        super().__init__()
        self.heads = heads
        self.stream_norm, self.context_norm = RmsNorm(width), RmsNorm(context_width)
        self.query_norm, self.key_norm = RmsNorm(width // heads), RmsNorm(width // heads)
        self.feed_forward_norm = RmsNorm(width)
        self.stream_qkv = nn.Linear(width, 3 * width, bias=False)
        self.context_kv = nn.Linear(context_width, 2 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.feed_forward = FeedForward(width, bias=False)

    def forward(self, x, context):
        q, k_own, v_own = self.stream_qkv(self.stream_norm(x)).chunk(3, -1)
        k, v = self.context_kv(self.context_norm(context)).chunk(2, -1)
        q = self.query_norm(split_heads(q, self.heads))
        k = self.key_norm(split_heads(torch.cat([k_own, k], 1), self.heads))
        v = split_heads(torch.cat([v_own, v], 1), self.heads)
        x = x + self.output(merge_heads(F.scaled_dot_product_attention(q, k, v)))
        return x + self.feed_forward(self.feed_forward_norm(x))


class LatentEncoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(c.latents, c.latentWidth))
        self.positions = nn.Parameter(torch.randn(c.maxLength, c.hiddenWidth))
        self.query_input = nn.Linear(c.hiddenWidth, c.latentWidth, bias=False) if c.latents == c.maxLength else None
        stack = c.latentEncoder
        self.blocks = nn.ModuleList(PerceiverBlock(c.latentWidth, c.hiddenWidth, stack.heads) for _ in range(stack.layers))

    def forward(self, h):  # [B, L, H] -> [B, N, D]
        context = h + POSITION_SCALE * self.positions
        x = (POSITION_SCALE * self.queries).expand(h.shape[0], -1, -1)
        if self.query_input is not None:
            x = x + self.query_input(h)
        for block in self.blocks:
            x = block(x, context)
        return F.rms_norm(x, x.shape[-1:], None, 1e-6)


class LatentDecoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.queries_take_latents = c.latents == c.maxLength
        self.queries = nn.Parameter(torch.randn(c.maxLength, c.latentWidth))
        self.positions = nn.Parameter(torch.randn(c.latents, c.latentWidth))
        stack = c.latentDecoder
        self.blocks = nn.ModuleList(PerceiverBlock(c.latentWidth, c.latentWidth, stack.heads) for _ in range(stack.layers))
        self.output_norm = RmsNorm(c.latentWidth)
        self.output = nn.Linear(c.latentWidth, c.hiddenWidth)

    def forward(self, z):  # [B, N, D] -> [B, L, H]
        z = z.to(self.positions.dtype)
        context = z + POSITION_SCALE * self.positions
        x = (POSITION_SCALE * self.queries).expand(z.shape[0], -1, -1)
        if self.queries_take_latents:
            x = x + z
        for block in self.blocks:
            x = block(x, context)
        return self.output(self.output_norm(x))


class TokenDecoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_forward_norm = RmsNorm(width), RmsNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 8 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, rotary):
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(self.attention_norm(x)).chunk(3, -1))
        x = x + self.output(merge_heads(F.scaled_dot_product_attention(rotary(q), rotary(k), v)))
        gate, up = self.gate_up(self.feed_forward_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class TokenDecoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, stack = c.hiddenWidth, c.tokenDecoder
        self.rotary = RotaryTable(c.maxLength, width // stack.heads)
        self.blocks = nn.ModuleList(TokenDecoderBlock(width, stack.heads) for _ in range(stack.layers))
        self.output_norm = RmsNorm(width)
        self.head = nn.Linear(width, c.vocabulary, bias=False)

    def forward(self, h_hat):  # [B, L, H] -> [B, L, V]
        for block in self.blocks:
            h_hat = block(h_hat, self.rotary)
        return self.head(self.output_norm(h_hat))


def modulated_norm(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


def time_features(u):  # [B] -> [B, 256]
    half = TIME_FEATURES // 2
    frequency = torch.exp(torch.arange(half, device=u.device) * (-math.log(10000.0) / half))
    angle = torch.outer(1000.0 * u, frequency)
    return torch.cat([angle.cos(), angle.sin()], -1)


class DitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.modulation = nn.Linear(width, 6 * width)
        self.query_norm, self.key_norm = RmsNorm(width // heads), RmsNorm(width // heads)
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, bias=True)

    def forward(self, x, condition, rotary):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition).chunk(6, -1)
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(modulated_norm(x, shift1, scale1)).chunk(3, -1))
        q, k = rotary(self.query_norm(q)), rotary(self.key_norm(k))
        x = x + gate1.unsqueeze(1) * self.output(merge_heads(F.scaled_dot_product_attention(q, k, v)))
        return x + gate2.unsqueeze(1) * self.feed_forward(modulated_norm(x, shift2, scale2))


class DiT(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, heads = c.dit.width, c.dit.heads
        self.rotary = RotaryTable(c.latents, width // heads)
        self.input = nn.Linear(2 * c.latentWidth, width)
        self.time_up, self.time_down = nn.Linear(TIME_FEATURES, width), nn.Linear(width, width)
        self.blocks = nn.ModuleList(DitBlock(width, heads) for _ in range(c.dit.layers))
        self.output_modulation = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, c.latentWidth)
        self.skip = nn.Linear(width, 2 * c.latentWidth)

    def forward(self, x_u, u, self_condition):  # [B, N, D], [B], [B, N, D] -> [B, N, D]
        dtype = self.input.weight.dtype
        condition = F.silu(self.time_down(F.silu(self.time_up(time_features(u).to(dtype)))))
        x = self.input(torch.cat([x_u, self_condition], -1).to(dtype))
        for block in self.blocks:
            x = block(x, condition, self.rotary)
        shift, scale = self.output_modulation(condition).chunk(2, -1)
        gate_x, gate_self = self.skip(condition).unsqueeze(1).chunk(2, -1)
        return self.output(modulated_norm(x, shift, scale)).to(x_u.dtype) + gate_x * x_u + gate_self * self_condition


class LDLM(nn.Module):
    """`config` is the native model configuration as a dictionary: config.model with hiddenWidth and vocabulary."""

    def __init__(self, config):
        super().__init__()
        c = SimpleNamespace(**{k: SimpleNamespace(**v) if isinstance(v, dict) else v for k, v in config.items()})
        self.latent_encoder, self.latent_decoder = LatentEncoder(c), LatentDecoder(c)
        self.token_decoder, self.dit = TokenDecoder(c), DiT(c)

    def compile_modules(self):
        for network in (self.latent_encoder, self.latent_decoder, self.token_decoder, self.dit):
            network.compile()
