"""Encoders: masked words, classes of texts and of tokens, answers."""

from torch import Tensor

from zoo.data import whole
from zoo.hugging.making import EXAMPLES, LENGTH, WORDS, Architectures, small, text, written

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
    ENCODERS.model(f"{name}ForMaskedLM", name, written, **small(embedding_size=32))
ENCODERS.model("BertForSequenceClassification", "Bert", judged, **small())
for kind in ("Roberta", "XLMRoberta", "Camembert", "XLMRobertaXL"):
    ENCODERS.model(f"{kind}ForMaskedLM", kind, written, **small())
ENCODERS.model(
    "DistilBertForMaskedLM", "DistilBert", written, **small(dim=32, hidden_dim=64, n_heads=4,
    n_layers=2, hidden_size=None, num_hidden_layers=None, num_attention_heads=None),
)  # fmt: skip
ENCODERS.model("AlbertForMaskedLM", "Albert", written, **small(embedding_size=16))
ENCODERS.model(
    "DebertaForSequenceClassification", "Deberta", judged, **small(relative_attention=True,
    pos_att_type=["c2p", "p2c"]),
)  # fmt: skip
ENCODERS.model(
    "DebertaV2ForTokenClassification", "DebertaV2", tagged, **small(relative_attention=True,
    pos_att_type=["c2p", "p2c"]),
)  # fmt: skip
ENCODERS.model(
    "MobileBertForMaskedLM", "MobileBert", written, **small(embedding_size=32,
    true_hidden_size=32, intra_bottleneck_size=32),
)  # fmt: skip
ENCODERS.model(
    "FunnelForMaskedLM", "Funnel", written, vocab_size=WORDS, block_sizes=[1, 1],
    num_decoder_layers=1, d_model=32, n_head=4, d_head=8, d_inner=64, pad_token_id=0,
)  # fmt: skip
ENCODERS.model("SqueezeBertForMaskedLM", "SqueezeBert", written, **small(embedding_size=32))
ENCODERS.model("ConvBertForMaskedLM", "ConvBert", written, **small(embedding_size=32))
ENCODERS.model("FNetForMaskedLM", "FNet", written, **small(num_attention_heads=None))
ENCODERS.model("IBertForMaskedLM", "IBert", written, **small())
ENCODERS.model("LayoutLMForMaskedLM", "LayoutLM", written, **small())
ENCODERS.model("SplinterForQuestionAnswering", "Splinter", answered, **small())
ENCODERS.model(
    "CanineForSequenceClassification", "Canine", judged, **small(max_position_embeddings=64,
    local_transformer_stride=64, num_hash_buckets=64, downsampling_rate=2,
    attend_from_chunk_width=8, attend_from_chunk_stride=8, attend_to_chunk_width=8,
    attend_to_chunk_stride=8),
)  # fmt: skip
ENCODERS.model("YosoForMaskedLM", "Yoso", written, **small(use_expectation=True))
ENCODERS.model("LongformerForMaskedLM", "Longformer", written, **small(attention_window=[4, 4]))
ENCODERS.model("BigBirdForMaskedLM", "BigBird", written, **small(attention_type="original_full"))
ENCODERS.model(
    "XLNetLMHeadModel", "XLNet", written, vocab_size=WORDS, d_model=32, n_layer=2, n_head=4,
    d_inner=64,
)  # fmt: skip
ENCODERS.model("ModernBertForMaskedLM", "ModernBert", written, **small())
ENCODERS.model(
    "RemBertForMaskedLM", "RemBert", written, **small(input_embedding_size=16,
    output_embedding_size=24),
)  # fmt: skip
ENCODERS.model(
    "FlaubertWithLMHeadModel", "Flaubert", written, n_words=WORDS, vocab_size=WORDS, emb_dim=32,
    n_layers=2, n_heads=4, max_position_embeddings=32,
)  # fmt: skip
ENCODERS.model(
    "XLMWithLMHeadModel", "XLM", written, vocab_size=WORDS, emb_dim=32, n_layers=2, n_heads=4,
    max_position_embeddings=32,
)  # fmt: skip
ENCODERS.model(
    "PerceiverForMaskedLM", "Perceiver", written, num_latents=8, d_latents=32, d_model=32,
    num_blocks=1, num_self_attends_per_block=2, num_self_attention_heads=4,
    num_cross_attention_heads=4, vocab_size=WORDS, max_position_embeddings=LENGTH, qk_channels=32,
    v_channels=32,
)  # fmt: skip
