"""The joint training step of native/train/joint_trainer.cpp in plain PyTorch: the same losses, self-conditioning for half of the samples,
fused AdamW, gradient clipping, EMA by foreach. Timesteps are stratified uniform: the adaptive warp's bookkeeping is left out, which
is time in PyTorch's favour."""

import contextlib
import math
import time

import torch
import torch.nn.functional as F

from pytorch_ldlm import LDLM


def signal_and_noise(u, d):
    c, s = torch.cos(0.5 * math.pi * u), d * torch.sin(0.5 * math.pi * u)
    norm = torch.hypot(c, s)
    return c / norm, s / norm


class JointTraining:
    """`config` as for the native JointTrainer; `weights` and `statistics` are those of a native checkpoint."""

    def __init__(self, config, gpt2, weights, statistics, device):
        self.config, self.gpt2, self.device = config, gpt2, device
        self.mean, self.deviation = statistics
        self.model, self.ema = LDLM(config["model"]).to(device), LDLM(config["model"]).to(device)
        for model in (self.model, self.ema):
            model.load_state_dict(weights)
        self.ema.requires_grad_(False)
        named = list(self.model.named_parameters())
        matrix = [p.dim() >= 2 and name.endswith("weight") for name, p in named]
        train = config["train"]
        groups = [
            {"params": [p for (_, p), m in zip(named, matrix) if m], "weight_decay": train["weightDecay"]},
            {"params": [p for (_, p), m in zip(named, matrix) if not m], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=train["lr"], betas=(train["beta1"], train["beta2"]), eps=train["eps"], fused=True)
        self.parameters = list(self.model.parameters())
        self.ema_parameters = list(self.ema.parameters())
        self.steps_done = 0

    def compile(self):
        """torch.compile for every network; losses and optimiser stay as they are."""
        self.model.compile_modules()
        self.gpt2.hidden = torch.compile(self.gpt2.hidden)

    def step(self, ids, lengths):
        ids, lengths = ids.to(self.device), lengths.to(self.device)
        train, recipe = self.config["train"], self.config["recipe"]
        self.optimizer.zero_grad(set_to_none=True)
        bfloat16 = torch.autocast(self.device, torch.bfloat16) if train["bfloat16"] else contextlib.nullcontext()
        with bfloat16:
            loss = self.loss(ids, lengths, recipe["encoderWarmup"]["max"], recipe["decoderNoise"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, train["clip"])
        self.optimizer.step()
        decay = min(train["ema"], (1 + self.steps_done) / (10 + self.steps_done))
        with torch.no_grad():
            torch._foreach_lerp_(self.ema_parameters, self.parameters, 1 - decay)
        self.steps_done += 1
        return loss.detach()

    def loss(self, ids, lengths, gamma, decoder_noise):
        real = torch.arange(ids.shape[1], device=self.device) < lengths.unsqueeze(1)  # [B, L]
        h = self.gpt2.hidden(ids, self.config["encoderLayer"])
        h = ((h - self.mean) / self.deviation).clamp(-10, 10).masked_fill(~real.unsqueeze(-1), 0.0)

        z0 = self.model.latent_encoder(h).float()
        h_hat = self.model.latent_decoder(z0 + decoder_noise * torch.randn_like(z0))
        hidden = ((h_hat.float() - h).square().mean(-1) * real).sum() / real.sum()
        logits = self.model.token_decoder(h_hat.detach()).float()
        token = F.cross_entropy(logits.flatten(0, 1), ids.masked_fill(~real, -100).flatten(), ignore_index=-100)

        still = z0.detach()
        target = still + gamma * (z0 - still)
        batch = ids.shape[0]
        u = (torch.arange(batch, device=self.device) + torch.rand((), device=self.device)) / batch
        a, s = (x.view(-1, 1, 1) for x in signal_and_noise(u, self.config["scheduleD"]))
        x_u = a * target + s * torch.randn_like(z0)
        z0_hat = self.model.dit(x_u, u, self.self_condition(x_u.detach(), u)).float()
        diffusion = (z0_hat - target).square().mean()
        return diffusion + hidden + token

    @torch.no_grad()
    def self_condition(self, x_u, u):
        estimate = torch.zeros_like(x_u)
        rows = (torch.rand(len(u)) < self.config["selfConditioning"]).nonzero().squeeze(1).to(self.device)
        if len(rows) > 0:
            x = x_u[rows]
            estimate[rows] = self.model.dit(x, u[rows], torch.zeros_like(x)).float()
        return estimate


@torch.inference_mode()
def sample(model, config, count, steps, device):
    """Ancestral sampling (eta = 1) of a batch on a uniform grid from 1 to 0.05, as native/generate does. Ends with ids [count, L] on the host;
    returns the milliseconds of an evaluation with its update, from the end of the first to the end of the last."""
    x = torch.randn(count, config["model"]["latents"], config["model"]["latentWidth"], device=device)
    self_condition = torch.zeros_like(x)
    grid = torch.linspace(1, 0.05, steps, dtype=torch.float64)
    signal, noise = (v.tolist() for v in signal_and_noise(grid, config["scheduleD"]))
    ends = []
    for k, u in enumerate(grid.tolist()):
        self_condition = model.dit(x, torch.full((count,), u, device=device), self_condition)
        ends.append(time.perf_counter())
        if k + 1 < steps:
            a, s, a_next, s_next = signal[k], noise[k], signal[k + 1], noise[k + 1]
            deviation = math.sqrt(max(0.0, (1 - a_next**2) / (1 - a**2) * (1 - a**2 / a_next**2)))
            direction = math.sqrt(max(0.0, s_next**2 - deviation**2))
            x = a_next * self_condition + direction * (x - a * self_condition) / s + deviation * torch.randn_like(x)
    model.token_decoder(model.latent_decoder(self_condition)).argmax(-1).cpu()
    return 1000 * (ends[-1] - ends[0]) / (steps - 1)
