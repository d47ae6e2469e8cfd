"""Architectures of Hugging Face transformers from small configs, each with labels of its own task.

Nothing is downloaded: a config builds the model with the start that its authors gave it.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.case import Cage
from zoo.data import normal, whole

HUGGING = Cage("transformers")
WORDS, LENGTH, EXAMPLES = 120, 12, 4
Inputs = Callable[[], dict[str, Tensor]]
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def text() -> dict[str, Tensor]:
    words = whole(EXAMPLES, LENGTH, below=WORDS - 10) + 5
    return {"input_ids": words, "attention_mask": torch.ones_like(words)}


def written() -> dict[str, Tensor]:
    """Each word is to be told again, or the next one foretold."""
    return {**text(), "labels": text()["input_ids"]}


def judged() -> dict[str, Tensor]:
    """One of two classes for each text."""
    return {**text(), "labels": whole(EXAMPLES, below=2, seed=1)}


def tagged() -> dict[str, Tensor]:
    return {**text(), "labels": whole(EXAMPLES, LENGTH, below=2, seed=1)}


def answered() -> dict[str, Tensor]:
    start = whole(EXAMPLES, below=6, seed=1)
    return {**text(), "start_positions": start, "end_positions": start + 4}


def translated() -> dict[str, Tensor]:
    return {**text(), "labels": whole(EXAMPLES, 8, below=WORDS - 10, seed=1) + 5}


def pictures(size: int = 32, classes: int = 10) -> Inputs:
    def batch() -> dict[str, Tensor]:
        return {
            "pixel_values": normal(EXAMPLES, 3, size, size),
            "labels": whole(EXAMPLES, below=classes, seed=1),
        }

    return batch


def made(model: str, config: str, settings: dict[str, Any]) -> nn.Module:
    import transformers

    return getattr(transformers, model)(getattr(transformers, config)(**settings))


def add(model: str, config: str, batch: Inputs, fine: str = "", **settings: Any) -> None:
    """Add an architecture by the name of its class, and of its config without the ending."""
    build = functools.partial(made, model, f"{config}Config", settings)
    HUGGING.add(model, build, lambda: (batch(),), None, fine)


def small(**more: Any) -> dict[str, Any]:
    """The common settings, some of them changed; those set to None are left out."""
    both = {**SMALL, **more}
    return {name: value for name, value in both.items() if value is not None}


# ------------------------------------------------------------------------------------- encoders

for kind in ("Bert", "Electra", "Ernie", "MegatronBert", "MPNet", "Nystromformer", "Roformer"):
    name = {"Roformer": "RoFormer"}.get(kind, kind)
    add(f"{name}ForMaskedLM", name, written, **small(embedding_size=32))
add("BertForSequenceClassification", "Bert", judged, **small())
for kind in ("Roberta", "XLMRoberta", "Camembert", "XLMRobertaXL"):
    add(f"{kind}ForMaskedLM", kind, written, **small())
add(
    "DistilBertForMaskedLM",
    "DistilBert",
    written,
    **small(
        dim=32,
        hidden_dim=64,
        n_heads=4,
        n_layers=2,
        hidden_size=None,
        num_hidden_layers=None,
        num_attention_heads=None,
    ),
)
add("AlbertForMaskedLM", "Albert", written, "one block for all layers", **small(embedding_size=16))
add(
    "DebertaForSequenceClassification",
    "Deberta",
    judged,
    **small(relative_attention=True, pos_att_type=["c2p", "p2c"]),
)
add(
    "DebertaV2ForTokenClassification",
    "DebertaV2",
    tagged,
    **small(relative_attention=True, pos_att_type=["c2p", "p2c"]),
)
add(
    "MobileBertForMaskedLM",
    "MobileBert",
    written,
    **small(embedding_size=32, true_hidden_size=32, intra_bottleneck_size=32),
)
add(
    "FunnelForMaskedLM",
    "Funnel",
    written,
    vocab_size=WORDS,
    block_sizes=[1, 1],
    num_decoder_layers=1,
    d_model=32,
    n_head=4,
    d_head=8,
    d_inner=64,
    pad_token_id=0,
)
add("SqueezeBertForMaskedLM", "SqueezeBert", written, **small(embedding_size=32))
add("ConvBertForMaskedLM", "ConvBert", written, **small(embedding_size=32))
add("FNetForMaskedLM", "FNet", written, **small(num_attention_heads=None))
add("IBertForMaskedLM", "IBert", written, **small())
add("LayoutLMForMaskedLM", "LayoutLM", written, **small())
add("SplinterForQuestionAnswering", "Splinter", answered, **small())
add(
    "CanineForSequenceClassification",
    "Canine",
    judged,
    **small(
        max_position_embeddings=64,
        local_transformer_stride=64,
        num_hash_buckets=64,
        downsampling_rate=2,
        attend_from_chunk_width=8,
        attend_from_chunk_stride=8,
        attend_to_chunk_width=8,
        attend_to_chunk_stride=8,
    ),
)
add("YosoForMaskedLM", "Yoso", written, **small(use_expectation=True))
add("LongformerForMaskedLM", "Longformer", written, **small(attention_window=[4, 4]))
add("BigBirdForMaskedLM", "BigBird", written, **small(attention_type="original_full"))
add(
    "XLNetLMHeadModel",
    "XLNet",
    written,
    vocab_size=WORDS,
    d_model=32,
    n_layer=2,
    n_head=4,
    d_inner=64,
)
add("ModernBertForMaskedLM", "ModernBert", written, **small())
add(
    "RemBertForMaskedLM",
    "RemBert",
    written,
    **small(input_embedding_size=16, output_embedding_size=24),
)
add(
    "FlaubertWithLMHeadModel",
    "Flaubert",
    written,
    n_words=WORDS,
    vocab_size=WORDS,
    emb_dim=32,
    n_layers=2,
    n_heads=4,
    max_position_embeddings=32,
)
add(
    "XLMWithLMHeadModel",
    "XLM",
    written,
    vocab_size=WORDS,
    emb_dim=32,
    n_layers=2,
    n_heads=4,
    max_position_embeddings=32,
)
add(
    "PerceiverForMaskedLM",
    "Perceiver",
    written,
    num_latents=8,
    d_latents=32,
    d_model=32,
    num_blocks=1,
    num_self_attends_per_block=2,
    num_self_attention_heads=4,
    num_cross_attention_heads=4,
    vocab_size=WORDS,
    max_position_embeddings=LENGTH,
    qk_channels=32,
    v_channels=32,
)

# ------------------------------------------------------------------------------- language models

add(
    "GPT2LMHeadModel",
    "GPT2",
    written,
    vocab_size=WORDS,
    n_embd=32,
    n_layer=3,
    n_head=4,
    n_positions=32,
    bos_token_id=1,
    eos_token_id=2,
)
add(
    "GPTNeoForCausalLM",
    "GPTNeo",
    written,
    vocab_size=WORDS,
    hidden_size=32,
    num_layers=2,
    num_heads=4,
    attention_types=[[["global", "local"], 1]],
    max_position_embeddings=32,
    window_size=4,
)
add(
    "GPTJForCausalLM",
    "GPTJ",
    written,
    vocab_size=WORDS,
    n_embd=32,
    n_layer=2,
    n_head=4,
    n_positions=32,
    rotary_dim=4,
)
add(
    "OPTForCausalLM",
    "OPT",
    written,
    **small(ffn_dim=64, word_embed_proj_dim=32, intermediate_size=None),
)
add("BloomForCausalLM", "Bloom", written, vocab_size=WORDS, hidden_size=32, n_layer=2, n_head=4)
add(
    "CTRLLMHeadModel",
    "CTRL",
    written,
    vocab_size=WORDS,
    n_embd=32,
    n_layer=2,
    n_head=4,
    dff=64,
    n_positions=32,
)
add("BioGptForCausalLM", "BioGpt", written, **small())
add(
    "CodeGenForCausalLM",
    "CodeGen",
    written,
    vocab_size=WORDS,
    n_embd=32,
    n_layer=2,
    n_head=4,
    rotary_dim=4,
    n_positions=32,
)
for kind in (
    "GPTNeoX", "Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2", "Phi", "Phi3", "StableLm",
    "Starcoder2", "Olmo", "Olmo2", "Cohere", "Granite", "Persimmon", "Glm", "Nemotron", "SmolLM3",
    "Helium", "Gemma3Text", "Ernie4_5", "Exaone4",
):  # fmt: skip
    model = kind.removesuffix("Text") + "ForCausalLM"
    heads = {"num_key_value_heads": 4 if kind in ("Phi", "StableLm") else 2, "head_dim": 8}
    add(model, kind, written, **small(**({} if kind in ("GPTNeoX", "Persimmon") else heads)))
add("FalconForCausalLM", "Falcon", written, **small())
add(
    "MptForCausalLM",
    "Mpt",
    written,
    vocab_size=WORDS,
    d_model=32,
    n_layers=2,
    n_heads=4,
    max_seq_len=32,
)
ROUTED = {"num_key_value_heads": 2, "num_experts_per_tok": 2}
add("MixtralForCausalLM", "Mixtral", written, **small(num_local_experts=4, **ROUTED))
add(
    "Qwen2MoeForCausalLM",
    "Qwen2Moe",
    written,
    **small(num_experts=4, moe_intermediate_size=32, shared_expert_intermediate_size=32, **ROUTED),
)
add("OlmoeForCausalLM", "Olmoe", written, **small(num_experts=4, **ROUTED))
add(
    "DeepseekV3ForCausalLM",
    "DeepseekV3",
    written,
    **small(
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        n_shared_experts=1,
        n_group=1,
        topk_group=1,
        first_k_dense_replace=1,
        q_lora_rank=16,
        kv_lora_rank=16,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=8,
        num_key_value_heads=4,
    ),
)
add(
    "SwitchTransformersForConditionalGeneration",
    "SwitchTransformers",
    translated,
    vocab_size=WORDS,
    d_model=32,
    d_kv=8,
    d_ff=64,
    num_layers=2,
    num_decoder_layers=2,
    num_heads=4,
    num_experts=4,
    decoder_start_token_id=0,
)
add(
    "MambaForCausalLM",
    "Mamba",
    written,
    vocab_size=WORDS,
    hidden_size=32,
    num_hidden_layers=2,
    state_size=8,
)
add(
    "Mamba2ForCausalLM",
    "Mamba2",
    written,
    vocab_size=WORDS,
    hidden_size=32,
    num_hidden_layers=2,
    state_size=8,
    head_dim=16,
    num_heads=4,
    n_groups=1,
    chunk_size=4,
)
add(
    "RwkvForCausalLM",
    "Rwkv",
    written,
    vocab_size=WORDS,
    hidden_size=32,
    num_hidden_layers=2,
    attention_hidden_size=32,
    context_length=32,
)

# ----------------------------------------------------------------------------- encoder and decoder

BOTH = {
    "vocab_size": WORDS, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64, "max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2,
}  # fmt: skip
SPOKEN = {
    "vocab_size": WORDS,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}
add("T5ForConditionalGeneration", "T5", translated, **SPOKEN)
add("MT5ForConditionalGeneration", "MT5", translated, **SPOKEN)
add("UMT5ForConditionalGeneration", "UMT5", translated, **SPOKEN)
for kind in ("Bart", "MBart", "Pegasus", "Blenderbot", "BlenderbotSmall", "M2M100"):
    add(f"{kind}ForConditionalGeneration", kind, translated, **BOTH)
add("MarianMTModel", "Marian", translated, **BOTH)
add("PLBartForConditionalGeneration", "PLBart", translated, **BOTH)
add(
    "LEDForConditionalGeneration",
    "LED",
    translated,
    **{
        **BOTH,
        "attention_window": [4, 4],
        "max_encoder_position_embeddings": 32,
        "max_decoder_position_embeddings": 32,
    },
)
add(
    "ProphetNetForConditionalGeneration",
    "ProphetNet",
    translated,
    vocab_size=WORDS,
    hidden_size=32,
    encoder_ffn_dim=64,
    decoder_ffn_dim=64,
    num_encoder_layers=2,
    num_decoder_layers=2,
    num_encoder_attention_heads=4,
    num_decoder_attention_heads=4,
    max_position_embeddings=32,
    ngram=2,
    decoder_start_token_id=0,
)

# ---------------------------------------------------------------------------------------- pictures

PATCHES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
    "num_labels": 10,
}
for kind in ("ViT", "DeiT", "Beit", "ViTMSN", "Dinov2", "Data2VecVision"):
    add(f"{kind}ForImageClassification", kind, pictures(), **PATCHES)
add(
    "SwinForImageClassification",
    "Swin",
    pictures(),
    image_size=32,
    patch_size=4,
    embed_dim=16,
    depths=[1, 1],
    num_heads=[2, 4],
    window_size=4,
    num_labels=10,
)
add(
    "Swinv2ForImageClassification",
    "Swinv2",
    pictures(),
    image_size=32,
    patch_size=4,
    embed_dim=16,
    depths=[1, 1],
    num_heads=[2, 4],
    window_size=4,
    num_labels=10,
)
add(
    "ConvNextForImageClassification",
    "ConvNext",
    pictures(),
    hidden_sizes=[16, 16, 32, 32],
    depths=[1, 1, 1, 1],
    num_labels=10,
)
add(
    "ConvNextV2ForImageClassification",
    "ConvNextV2",
    pictures(),
    hidden_sizes=[16, 16, 32, 32],
    depths=[1, 1, 1, 1],
    num_labels=10,
)
add(
    "ResNetForImageClassification",
    "ResNet",
    pictures(),
    embedding_size=16,
    hidden_sizes=[16, 16, 32, 32],
    depths=[1, 1, 1, 1],
    num_labels=10,
)
add(
    "RegNetForImageClassification",
    "RegNet",
    pictures(),
    embedding_size=16,
    hidden_sizes=[16, 16, 32, 32],
    depths=[1, 1, 1, 1],
    groups_width=8,
    num_labels=10,
)
add(
    "MobileNetV2ForImageClassification",
    "MobileNetV2",
    pictures(64),
    depth_multiplier=0.25,
    image_size=64,
    num_labels=10,
)
add(
    "SegformerForImageClassification",
    "Segformer",
    pictures(),
    hidden_sizes=[8, 16, 16, 32],
    depths=[1, 1, 1, 1],
    num_attention_heads=[1, 2, 2, 4],
    num_labels=10,
)
add(
    "MobileViTForImageClassification",
    "MobileViT",
    pictures(64),
    image_size=64,
    hidden_sizes=[16, 24, 32],
    neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
    num_attention_heads=2,
    num_labels=10,
)
add(
    "PoolFormerForImageClassification",
    "PoolFormer",
    pictures(),
    hidden_sizes=[8, 16, 16, 32],
    depths=[1, 1, 1, 1],
    num_labels=10,
)
add(
    "LevitForImageClassification",
    "Levit",
    pictures(64),
    image_size=64,
    hidden_sizes=[16, 24, 32],
    num_attention_heads=[1, 2, 2],
    depths=[1, 1, 1],
    key_dim=[8, 8, 8],
    num_labels=10,
)
add(
    "FocalNetForImageClassification",
    "FocalNet",
    pictures(),
    image_size=32,
    embed_dim=16,
    depths=[1, 1],
    hidden_sizes=[16, 32],
    focal_levels=[2, 2],
    focal_windows=[3, 3],
    num_labels=10,
)
add(
    "ViTMAEForPreTraining",
    "ViTMAE",
    lambda: {"pixel_values": normal(EXAMPLES, 3, 32, 32)},
    **{
        **PATCHES,
        "decoder_hidden_size": 32,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 4,
        "decoder_intermediate_size": 64,
    },
)
add(
    "VideoMAEForVideoClassification",
    "VideoMAE",
    lambda: {
        "pixel_values": normal(EXAMPLES, 4, 3, 32, 32),
        "labels": whole(EXAMPLES, below=10, seed=1),
    },
    **{**PATCHES, "num_frames": 4},
)

# ------------------------------------------------------------------------------ pictures and words

TOWERS = {
    "text_config": small(),
    "vision_config": {k: v for k, v in PATCHES.items() if k != "num_labels"},
    "projection_dim": 16,
}


def captioned() -> dict[str, Any]:
    return {**text(), "pixel_values": normal(EXAMPLES, 3, 32, 32), "return_loss": True}


add("CLIPModel", "CLIP", captioned, **TOWERS)
add(
    "SiglipModel", "Siglip", captioned, **{k: v for k, v in TOWERS.items() if k != "projection_dim"}
)

# ------------------------------------------------------------------------------------------- sound

HEARD = {
    "vocab_size": 20, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "conv_dim": (16, 16), "conv_kernel": (10, 3), "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "pad_token_id": 0,
    "num_feat_extract_layers": 2,
}  # fmt: skip


def heard() -> dict[str, Tensor]:
    return {"input_values": normal(EXAMPLES, 400), "labels": whole(EXAMPLES, 6, below=18) + 1}


for kind in ("Wav2Vec2", "Hubert", "WavLM", "Data2VecAudio", "UniSpeech", "SEW"):
    add(f"{kind}ForCTC", kind, heard, **HEARD)


def spectrum() -> dict[str, Tensor]:
    return {"input_features": normal(EXAMPLES, 20, 64), "labels": whole(EXAMPLES, 6, below=WORDS)}


add(
    "WhisperForConditionalGeneration",
    "Whisper",
    spectrum,
    **{**BOTH, "num_mel_bins": 20, "max_source_positions": 32, "max_target_positions": 16},
)
add(
    "Speech2TextForConditionalGeneration",
    "Speech2Text",
    spectrum,
    **{
        **BOTH,
        "input_feat_per_channel": 64,
        "max_source_positions": 32,
        "max_target_positions": 16,
        "conv_channels": 32,
    },
)
add(
    "ASTForAudioClassification",
    "ASTransformer".replace("ASTransformer", "AST"),
    lambda: {"input_values": normal(EXAMPLES, 32, 32), "labels": whole(EXAMPLES, below=10)},
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_length=32,
    num_mel_bins=32,
    num_labels=10,
)

# ------------------------------------------------------------------------------------- time series


def series() -> dict[str, Tensor]:
    return {"past_values": normal(EXAMPLES, 32, 3), "future_values": normal(EXAMPLES, 8, 3, seed=1)}


def sampled() -> dict[str, Tensor]:
    return {
        "past_values": normal(EXAMPLES, 20), "past_time_features": normal(EXAMPLES, 20, 2),
        "past_observed_mask": torch.ones(EXAMPLES, 20), "future_values": normal(EXAMPLES, 4, seed=1),
        "future_time_features": normal(EXAMPLES, 4, 2, seed=2),
    }  # fmt: skip


add(
    "PatchTSTForPrediction",
    "PatchTST",
    series,
    num_input_channels=3,
    context_length=32,
    patch_length=8,
    patch_stride=8,
    prediction_length=8,
    d_model=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    ffn_dim=64,
    loss="mse",
)
add(
    "PatchTSMixerForPrediction",
    "PatchTSMixer",
    series,
    num_input_channels=3,
    context_length=32,
    patch_length=8,
    patch_stride=8,
    prediction_length=8,
    d_model=16,
    num_layers=2,
)
FORECAST = {
    "prediction_length": 4,
    "context_length": 16,
    "lags_sequence": [1, 2, 3, 4],
    "num_time_features": 2,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
add("TimeSeriesTransformerForPrediction", "TimeSeriesTransformer", sampled, **FORECAST)
add("InformerForPrediction", "Informer", sampled, **FORECAST)
add(
    "AutoformerForPrediction",
    "Autoformer",
    sampled,
    **{**FORECAST, "label_length": 2, "moving_average": 3},
)
