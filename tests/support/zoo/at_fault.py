"""Models of the zoo that are truly at fault: what is wrong with them, and how that is known.

They are known to train all the same, so that a warning is what they deserve, and an error is not.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What is wrong with a model that people use.

    Attributes:
        code: Code of the rule that has to see it.
        tensors: How the names end of the tensors it has to point at.
        sentence: What is wrong, and where that can be looked up.
    """

    code: str
    tensors: tuple[str, ...]
    sentence: str


_LOST = Fault(
    "FI104",
    ("pos_conv_embed.conv.weight", "pos_conv_embed.conv.parametrizations.weight.original0",
     "pos_conv_embed.conv.parametrizations.weight.original1"),
    "_init_weights fills conv.weight of the positional convolution with "
    "normal(std=2 / sqrt(kernel * channels)), but weight_norm makes that tensor anew at every use: "
    "the layer keeps the default start of nn.Conv1d, 1.7 times smaller than what is asked for",
)  # fmt: skip

AT_FAULT: dict[str, tuple[Fault, ...]] = {
    "transformers/FunnelForMaskedLM": (
        Fault(
            "FI304",
            ("r_kernel", "seg_embed"),
            "_init_weights calls uniform_(kernel, b=initializer_range) and leaves the lower bound "
            "at its default 0: no weight is negative, and one direction holds three quarters of "
            "each kernel (E[w]**2 / E[w**2] of a uniform law on [0, b])",
        ),
        Fault(
            "FI702",
            ("word_embeddings.weight", "lm_head.weight"),
            "the table is drawn with std 1 and is the output projection too: hidden words cost "
            "five times ln(vocabulary) at the start, and more the wider the model is",
        ),
    ),
    "transformers/MT5ForConditionalGeneration": (
        Fault(
            "FI702",
            ("shared.weight", "embed_tokens.weight", "lm_head.weight"),
            "this version ties the head to the table of std 1, which mT5 does not, and leaves out "
            "the factor d_model ** -0.5 of T5: the first loss is three times ln(vocabulary)",
        ),
    ),
    "transformers/MobileViTForImageClassification": (
        Fault(
            "FI704",
            ("normalization.weight",),
            "_init_weights draws the gain of every batch norm from normal(0, 0.02), where a gain "
            "is 1: the signal shrinks fifty times at each of 32 norms, and 150 steps of Adam bring "
            "a loss of 2.30 to 1.7 that gains of 1 bring to 0.2",
        ),
    ),
    "transformers/NemotronForCausalLM": (
        Fault(
            "FI704",
            ("layernorm.weight", "norm.weight"),
            "_init_weights sets the weight of LayerNorm1P to 1, and the layer computes with "
            "1 + weight: every norm doubles what it normalises (it trains all the same)",
        ),
    ),
    **{
        f"transformers/{kind}ForCTC": (_LOST,)
        for kind in ("Wav2Vec2", "Hubert", "WavLM", "UniSpeech", "SEW")
    },
}
"""Name of the case to what is wrong with it."""
