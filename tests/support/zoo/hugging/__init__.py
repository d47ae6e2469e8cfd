"""Architectures of Hugging Face transformers from small configs, started as their authors do."""

from zoo.case import Case
from zoo.hugging.decoders import DECODERS
from zoo.hugging.encoders import ENCODERS
from zoo.hugging.pairs import PAIRS
from zoo.hugging.pictures import PICTURES
from zoo.hugging.series import SERIES

HUGGING: tuple[Case, ...] = (*ENCODERS, *DECODERS, *PAIRS, *PICTURES, *SERIES)
"""All of them."""

DAILY = frozenset(
    f"transformers/{name}"
    for name in (
        "AlbertForMaskedLM", "BertForMaskedLM",
        "DebertaV2ForTokenClassification", "DistilBertForMaskedLM", "ElectraForMaskedLM",
        "FunnelForMaskedLM", "XLNetLMHeadModel",
        "RobertaForMaskedLM", "SplinterForQuestionAnswering",
        "BloomForCausalLM", "CTRLLMHeadModel", "CohereForCausalLM", "FalconForCausalLM",
        "GPT2LMHeadModel", "GPTJForCausalLM", "GPTNeoForCausalLM", "GPTNeoXForCausalLM",
        "GemmaForCausalLM", "GraniteForCausalLM", "LlamaForCausalLM",
        "MambaForCausalLM", "MistralForCausalLM", "MixtralForCausalLM", "OPTForCausalLM",
        "Olmo2ForCausalLM", "Phi3ForCausalLM", "PhiForCausalLM", "Qwen2ForCausalLM",
        "Qwen2MoeForCausalLM", "Qwen3ForCausalLM", "StableLmForCausalLM",
        "Starcoder2ForCausalLM", "BartForConditionalGeneration", "MarianMTModel",
        "T5ForConditionalGeneration", "BeitForImageClassification",
        "ConvNextForImageClassification", "Dinov2ForImageClassification",
        "ResNetForImageClassification", "SegformerForImageClassification",
        "SwinForImageClassification", "ViTForImageClassification", "ViTMAEForPreTraining",
        "Wav2Vec2ForCTC", "WhisperForConditionalGeneration",
        "PatchTSTForPrediction",
    )
)  # fmt: skip
"""One of each kind, cheap; the others are cousins of these, for the slow tests."""
