"""Encoders: masked words, classes of texts and of tokens, answers."""

from torch import Tensor

from zoo.data import whole
from zoo.hugging.making import EXAMPLES, LENGTH, WORDS, Architectures, masked, small, text

ENCODERS = Architectures("transformers")


def judged() -> dict[str, Tensor]:
    """One of two classes for each text."""
    return {**text(), "labels": whole(EXAMPLES, below=2, seed=1)}


def tagged() -> dict[str, Tensor]:
    return {**text(), "labels": whole(EXAMPLES, LENGTH, below=2, seed=1)}


def answered() -> dict[str, Tensor]:
    start = whole(EXAMPLES, below=6, seed=1)
    return {**text(), "start_positions": start, "end_positions": start + 4}


for kind in ("Bert", "Electra", "Ernie", "MegatronBert", "MPNet", "Nystromformer", "Roformer"):
    name = {"Roformer": "RoFormer"}.get(kind, kind)
    ENCODERS.model(f"{name}ForMaskedLM", name, masked, **small(embedding_size=32))
ENCODERS.model("BertForSequenceClassification", "Bert", judged, **small())
for kind in ("Roberta", "XLMRoberta", "Camembert", "XLMRobertaXL"):
    ENCODERS.model(f"{kind}ForMaskedLM", kind, masked, **small())
ENCODERS.model(
    "DistilBertForMaskedLM", "DistilBert", masked, **small(dim=32, hidden_dim=64, n_heads=4,
    n_layers=2, hidden_size=None, num_hidden_layers=None, num_attention_heads=None),
)  # fmt: skip
ENCODERS.model("AlbertForMaskedLM", "Albert", masked, **small(embedding_size=16))
ENCODERS.model(
    "DebertaForSequenceClassification", "Deberta", judged, **small(relative_attention=True,
    pos_att_type=["c2p", "p2c"]),
)  # fmt: skip
ENCODERS.model(
    "DebertaV2ForTokenClassification", "DebertaV2", tagged, **small(relative_attention=True,
    pos_att_type=["c2p", "p2c"]),
)  # fmt: skip
ENCODERS.model(
    "MobileBertForMaskedLM", "MobileBert", masked, **small(embedding_size=32,
    true_hidden_size=32, intra_bottleneck_size=32),
)  # fmt: skip
ENCODERS.model(
    "FunnelForMaskedLM", "Funnel", masked, vocab_size=WORDS, block_sizes=[1, 1],
    num_decoder_layers=1, d_model=32, n_head=4, d_head=8, d_inner=64, pad_token_id=0,
)  # fmt: skip
ENCODERS.model("SqueezeBertForMaskedLM", "SqueezeBert", masked, **small(embedding_size=32))
ENCODERS.model("ConvBertForMaskedLM", "ConvBert", masked, **small(embedding_size=32))
ENCODERS.model("FNetForMaskedLM", "FNet", masked, **small(num_attention_heads=None))
ENCODERS.model("IBertForMaskedLM", "IBert", masked, **small())
ENCODERS.model("LayoutLMForMaskedLM", "LayoutLM", masked, **small())
ENCODERS.model("SplinterForQuestionAnswering", "Splinter", answered, **small())
ENCODERS.model(
    "CanineForSequenceClassification", "Canine", judged, **small(max_position_embeddings=64,
    local_transformer_stride=64, num_hash_buckets=64, downsampling_rate=2,
    attend_from_chunk_width=8, attend_from_chunk_stride=8, attend_to_chunk_width=8,
    attend_to_chunk_stride=8),
)  # fmt: skip
ENCODERS.model("YosoForMaskedLM", "Yoso", masked, **small(use_expectation=True))
ENCODERS.model("LongformerForMaskedLM", "Longformer", masked, **small(attention_window=[4, 4]))
ENCODERS.model("BigBirdForMaskedLM", "BigBird", masked, **small(attention_type="original_full"))
ENCODERS.model(
    "XLNetLMHeadModel", "XLNet", masked, vocab_size=WORDS, d_model=32, n_layer=2, n_head=4,
    d_inner=64,
)  # fmt: skip
ENCODERS.model("ModernBertForMaskedLM", "ModernBert", masked, **small())
ENCODERS.model(
    "RemBertForMaskedLM", "RemBert", masked, **small(input_embedding_size=16,
    output_embedding_size=24),
)  # fmt: skip
ENCODERS.model(
    "FlaubertWithLMHeadModel", "Flaubert", masked, n_words=WORDS, vocab_size=WORDS, emb_dim=32,
    n_layers=2, n_heads=4, max_position_embeddings=32,
)  # fmt: skip
ENCODERS.model(
    "XLMWithLMHeadModel", "XLM", masked, vocab_size=WORDS, emb_dim=32, n_layers=2, n_heads=4,
    max_position_embeddings=32,
)  # fmt: skip
ENCODERS.model(
    "PerceiverForMaskedLM", "Perceiver", masked, num_latents=8, d_latents=32, d_model=32,
    num_blocks=1, num_self_attends_per_block=2, num_self_attention_heads=4,
    num_cross_attention_heads=4, vocab_size=WORDS, max_position_embeddings=LENGTH, qk_channels=32,
    v_channels=32,
)  # fmt: skip
