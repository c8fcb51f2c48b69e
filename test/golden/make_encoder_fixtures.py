"""Makes the small fixtures of the native encoder tests with Hugging Face transformers.

Each folder is a model in the Hugging Face layout (config.json, model.safetensors or shards) with `expected.safetensors`: ids [B, L]
and lengths [B], all hidden states hidden_0..hidden_K [B, L, C], and for GPT-2 the mean next-token loss over the real tokens.

    python make_encoder_fixtures.py        needs torch, transformers, safetensors; equal seeds give equal tensors
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig, BertModel, DistilBertConfig, DistilBertForMaskedLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
    MistralConfig, MistralForCausalLM, MPNetConfig, MPNetModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3Model, RobertaConfig,
    RobertaForMaskedLM, T5Config, T5EncoderModel, T5ForConditionalGeneration, XLMRobertaConfig, XLMRobertaModel,
)

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


# The shape of the smallest models. Names of the sizes differ between families, and DistilBERT and T5 have names of their own.
BERT_LIKE = dict(
    num_hidden_layers=2, hidden_size=16, num_attention_heads=2, intermediate_size=24, vocab_size=VOCABULARY, max_position_embeddings=24
)
LLAMA_LIKE = {**BERT_LIKE, "num_attention_heads": 4, "num_key_value_heads": 2}
# The four pairs of a head turn 2.5, 1.3, 0.6 and 0.3 times within the original positions: one is kept, two are mixed, one is slowed.
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 16.0, "factor": 8.0, "low_freq_factor": 0.5, "high_freq_factor": 2.0,
    "original_max_position_embeddings": 16,
}
T5_LIKE = dict(
    num_layers=2, num_decoder_layers=1, d_model=16, num_heads=2, d_kv=6, d_ff=24, vocab_size=VOCABULARY, decoder_start_token_id=0,
    relative_attention_num_buckets=8, relative_attention_max_distance=10,
)
# Files in half precision hold rounded weights: the expected states are those of the rounded weights, computed in fp32.
SMALL = {
    "roberta-tiny": (RobertaForMaskedLM, RobertaConfig(**BERT_LIKE, type_vocab_size=1, layer_norm_eps=1e-5), torch.float32),
    "distilbert-tiny": (
        DistilBertForMaskedLM,
        DistilBertConfig(n_layers=2, dim=16, n_heads=2, hidden_dim=24, vocab_size=VOCABULARY, max_position_embeddings=24),
        torch.float16,
    ),
    "mpnet-tiny": (MPNetModel, MPNetConfig(**BERT_LIKE), torch.float32),
    "t5-tiny": (T5ForConditionalGeneration, T5Config(**T5_LIKE), torch.float32),
    "t5-gated-tiny": (T5EncoderModel, T5Config(**T5_LIKE, feed_forward_proj="gated-gelu"), torch.bfloat16),
    "llama-tiny": (LlamaForCausalLM, LlamaConfig(**LLAMA_LIKE, rope_parameters={"rope_type": "default", "rope_theta": 500.0}), torch.float32),
    "qwen2-tiny": (Qwen2ForCausalLM, Qwen2Config(**LLAMA_LIKE, tie_word_embeddings=True), torch.bfloat16),
    "qwen3-tiny": (Qwen3Model, Qwen3Config(**LLAMA_LIKE, head_dim=8), torch.float16),
    "xlm-roberta-tiny": (XLMRobertaModel, XLMRobertaConfig(**BERT_LIKE, type_vocab_size=1, layer_norm_eps=1e-5), torch.float16),
    "mistral-tiny": (MistralForCausalLM, MistralConfig(**LLAMA_LIKE, sliding_window=16), torch.bfloat16),
    "llama3-tiny": (LlamaForCausalLM, LlamaConfig(**LLAMA_LIKE, head_dim=8, rope_parameters=LLAMA3_ROPE), torch.float16),
    "llama-linear-tiny": (
        LlamaForCausalLM,
        LlamaConfig(**LLAMA_LIKE, rope_parameters={"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}),
        torch.bfloat16,
    ),
}


def make_small(name, ids, mask):
    kind, config, dtype = SMALL[name]
    config._attn_implementation = "eager"
    model = kind(config).eval()
    widen(model)
    model.to(dtype)
    rounded = kind(config).eval()
    rounded.load_state_dict(model.state_dict())
    encoder = rounded.get_encoder() if isinstance(rounded, T5ForConditionalGeneration) else rounded
    with torch.no_grad():
        out = encoder(ids, attention_mask=mask, output_hidden_states=True)
    sharded = {"max_shard_size": "10KB"} if name == "llama-tiny" else {}
    save(model, HERE / name, out.hidden_states, ids, {}, **sharded)


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

    for name in SMALL:
        make_small(name, ids, mask)


main()
