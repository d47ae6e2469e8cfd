"""Sound, and other series in time."""

import torch
from torch import Tensor

from zoo.data import normal, whole
from zoo.hugging.making import EXAMPLES, WORDS, Architectures
from zoo.hugging.pairs import BOTH

SERIES = Architectures("transformers")

HEARD = {
    "vocab_size": 20, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "conv_dim": (16, 16), "conv_kernel": (10, 3), "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "pad_token_id": 0,
    "num_feat_extract_layers": 2,
}  # fmt: skip


def heard() -> dict[str, Tensor]:
    return {"input_values": normal(EXAMPLES, 400), "labels": whole(EXAMPLES, 6, below=18) + 1}


for kind in ("Wav2Vec2", "Hubert", "WavLM", "Data2VecAudio", "UniSpeech", "SEW"):
    SERIES.model(f"{kind}ForCTC", kind, heard, **HEARD)


def spectrum() -> dict[str, Tensor]:
    return {"input_features": normal(EXAMPLES, 20, 64), "labels": whole(EXAMPLES, 6, below=WORDS)}


SERIES.model(
    "WhisperForConditionalGeneration", "Whisper", spectrum, **{**BOTH, "num_mel_bins": 20,
    "max_source_positions": 32, "max_target_positions": 16},
)  # fmt: skip
SERIES.model(
    "Speech2TextForConditionalGeneration", "Speech2Text", spectrum, **{**BOTH,
    "input_feat_per_channel": 64, "max_source_positions": 32, "max_target_positions": 16,
    "conv_channels": 32},
)  # fmt: skip
SERIES.model(
    "ASTForAudioClassification", "AST", lambda: {"input_values": normal(EXAMPLES, 32, 32),
    "labels": whole(EXAMPLES, below=10)}, hidden_size=32, num_hidden_layers=2,
    num_attention_heads=4, intermediate_size=64, max_length=32, num_mel_bins=32, num_labels=10,
)  # fmt: skip


def series() -> dict[str, Tensor]:
    return {"past_values": normal(EXAMPLES, 32, 3), "future_values": normal(EXAMPLES, 8, 3, seed=1)}


def sampled() -> dict[str, Tensor]:
    return {
        "past_values": normal(EXAMPLES, 20), "past_time_features": normal(EXAMPLES, 20, 2),
        "past_observed_mask": torch.ones(EXAMPLES, 20),
        "future_values": normal(EXAMPLES, 4, seed=1),
        "future_time_features": normal(EXAMPLES, 4, 2, seed=2),
    }  # fmt: skip


SERIES.model(
    "PatchTSTForPrediction", "PatchTST", series, num_input_channels=3, context_length=32,
    patch_length=8, patch_stride=8, prediction_length=8, d_model=32, num_hidden_layers=2,
    num_attention_heads=4, ffn_dim=64, loss="mse",
)  # fmt: skip
SERIES.model(
    "PatchTSMixerForPrediction", "PatchTSMixer", series, num_input_channels=3, context_length=32,
    patch_length=8, patch_stride=8, prediction_length=8, d_model=16, num_layers=2,
)  # fmt: skip
FORECAST = {
    "prediction_length": 4, "context_length": 16, "lags_sequence": [1, 2, 3, 4],
    "num_time_features": 2, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}  # fmt: skip
SERIES.model("TimeSeriesTransformerForPrediction", "TimeSeriesTransformer", sampled, **FORECAST)
SERIES.model("InformerForPrediction", "Informer", sampled, **FORECAST)
SERIES.model(
    "AutoformerForPrediction", "Autoformer", sampled, **{**FORECAST, "label_length": 2,
    "moving_average": 3},
)  # fmt: skip
