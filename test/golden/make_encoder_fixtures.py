"""Makes the small fixtures of the native encoder tests with Hugging Face transformers.

Each folder is a model in the Hugging Face layout (config.json, model.safetensors or shards) with `expected.safetensors`: ids [B, L]
and lengths [B], all hidden states hidden_0..hidden_K [B, L, C], and for GPT-2 the mean next-token loss over the real tokens.

    python make_encoder_fixtures.py        needs torch, transformers, safetensors; equal seeds give equal tensors
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
BATCH, LENGTH, VOCABULARY = 4, 12, 101
LENGTHS = torch.tensor([12, 7, 1, 10])


def widen(model):
    """Hugging Face starts weights at 0.02, where every layer is nearly the identity and an error would not show."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.15)


def save(model, folder, hidden_states, ids, extra, **options):
    folder.mkdir(exist_ok=True)
    model.save_pretrained(folder, **options)
    (folder / "generation_config.json").unlink(missing_ok=True)
    states = {f"hidden_{i}": state.contiguous() for i, state in enumerate(hidden_states)}
    save_file({"ids": ids, "lengths": LENGTHS, **states, **extra}, folder / "expected.safetensors")


def main():
    torch.manual_seed(5)
    ids = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
    mask = (torch.arange(LENGTH)[None] < LENGTHS[:, None]).long()

    gpt2 = GPT2LMHeadModel(
        GPT2Config(n_layer=3, n_embd=32, n_head=4, vocab_size=VOCABULARY, n_positions=24, bos_token_id=0, eos_token_id=0)
    ).eval()
    widen(gpt2)
    with torch.no_grad():
        out = gpt2(ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100), output_hidden_states=True)
    save(gpt2, HERE / "gpt2-tiny", out.hidden_states, ids, {"loss": out.loss.reshape(1)})

    bert = BertModel(
        BertConfig(
            num_hidden_layers=2, hidden_size=32, num_attention_heads=2, intermediate_size=96, vocab_size=VOCABULARY,
            max_position_embeddings=24,
        )
    ).eval()
    widen(bert)
    with torch.no_grad():
        out = bert(ids, attention_mask=mask, output_hidden_states=True)
    save(bert, HERE / "bert-tiny", out.hidden_states, ids, {}, max_shard_size="60KB")


main()
