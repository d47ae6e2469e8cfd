"""Language models: what comes next."""

from zoo.hugging.making import WORDS, Architectures, small, translated, written

DECODERS = Architectures("transformers")

DECODERS.model(
    "GPT2LMHeadModel", "GPT2", written, vocab_size=WORDS, n_embd=32, n_layer=3, n_head=4,
    n_positions=32, bos_token_id=1, eos_token_id=2,
)  # fmt: skip
DECODERS.model(
    "GPTNeoForCausalLM", "GPTNeo", written, vocab_size=WORDS, hidden_size=32, num_layers=2,
    num_heads=4, attention_types=[[["global", "local"], 1]], max_position_embeddings=32,
    window_size=4,
)  # fmt: skip
DECODERS.model(
    "GPTJForCausalLM", "GPTJ", written, vocab_size=WORDS, n_embd=32, n_layer=2, n_head=4,
    n_positions=32, rotary_dim=4,
)  # fmt: skip
DECODERS.model(
    "OPTForCausalLM", "OPT", written, **small(ffn_dim=64, word_embed_proj_dim=32,
    intermediate_size=None),
)  # fmt: skip
DECODERS.model(
    "BloomForCausalLM", "Bloom", written, vocab_size=WORDS, hidden_size=32, n_layer=2, n_head=4
)
DECODERS.model(
    "CTRLLMHeadModel", "CTRL", written, vocab_size=WORDS, n_embd=32, n_layer=2, n_head=4, dff=64,
    n_positions=32,
)  # fmt: skip
DECODERS.model("BioGptForCausalLM", "BioGpt", written, **small())
DECODERS.model(
    "CodeGenForCausalLM", "CodeGen", written, vocab_size=WORDS, n_embd=32, n_layer=2, n_head=4,
    rotary_dim=4, n_positions=32,
)  # fmt: skip
for kind in (
    "GPTNeoX", "Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2", "Phi", "Phi3", "StableLm",
    "Starcoder2", "Olmo", "Olmo2", "Cohere", "Granite", "Persimmon", "Glm", "Nemotron", "SmolLM3",
    "Helium", "Gemma3Text", "Ernie4_5", "Exaone4",
):  # fmt: skip
    model = kind.removesuffix("Text") + "ForCausalLM"
    heads = {"num_key_value_heads": 4 if kind in ("Phi", "StableLm") else 2, "head_dim": 8}
    DECODERS.model(
        model, kind, written, **small(**({} if kind in ("GPTNeoX", "Persimmon") else heads))
    )
DECODERS.model("FalconForCausalLM", "Falcon", written, **small())
DECODERS.model(
    "MptForCausalLM", "Mpt", written, vocab_size=WORDS, d_model=32, n_layers=2, n_heads=4,
    max_seq_len=32,
)  # fmt: skip
ROUTED = {"num_key_value_heads": 2, "num_experts_per_tok": 2}
DECODERS.model("MixtralForCausalLM", "Mixtral", written, **small(num_local_experts=4, **ROUTED))
DECODERS.model(
    "Qwen2MoeForCausalLM", "Qwen2Moe", written, **small(num_experts=4, moe_intermediate_size=32,
    shared_expert_intermediate_size=32, **ROUTED),
)  # fmt: skip
DECODERS.model("OlmoeForCausalLM", "Olmoe", written, **small(num_experts=4, **ROUTED))
DECODERS.model(
    "DeepseekV3ForCausalLM", "DeepseekV3", written, **small(n_routed_experts=4,
    num_experts_per_tok=2, moe_intermediate_size=32, n_shared_experts=1, n_group=1, topk_group=1,
    first_k_dense_replace=1, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8,
    qk_nope_head_dim=8, v_head_dim=8, num_key_value_heads=4),
)  # fmt: skip
DECODERS.model(
    "SwitchTransformersForConditionalGeneration", "SwitchTransformers", translated,
    vocab_size=WORDS, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_decoder_layers=2,
    num_heads=4, num_experts=4, decoder_start_token_id=0,
)  # fmt: skip
DECODERS.model(
    "MambaForCausalLM", "Mamba", written, vocab_size=WORDS, hidden_size=32, num_hidden_layers=2,
    state_size=8,
)  # fmt: skip
DECODERS.model(
    "Mamba2ForCausalLM", "Mamba2", written, vocab_size=WORDS, hidden_size=32, num_hidden_layers=2,
    state_size=8, head_dim=16, num_heads=4, n_groups=1, chunk_size=4,
)  # fmt: skip
DECODERS.model(
    "RwkvForCausalLM", "Rwkv", written, vocab_size=WORDS, hidden_size=32, num_hidden_layers=2,
    attention_hidden_size=32, context_length=32,
)  # fmt: skip
