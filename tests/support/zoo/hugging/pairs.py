"""An encoder and a decoder: one text into another."""

from zoo.hugging.making import WORDS, Architectures, translated

PAIRS = Architectures("transformers")

BOTH = {
    "vocab_size": WORDS, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64, "max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2,
}  # fmt: skip
SPOKEN = {
    "vocab_size": WORDS, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4,
    "decoder_start_token_id": 0,
}  # fmt: skip
PAIRS.model("T5ForConditionalGeneration", "T5", translated, **SPOKEN)
PAIRS.model("MT5ForConditionalGeneration", "MT5", translated, **SPOKEN)
PAIRS.model("UMT5ForConditionalGeneration", "UMT5", translated, **SPOKEN)
for kind in ("Bart", "MBart", "Pegasus", "Blenderbot", "BlenderbotSmall", "M2M100"):
    PAIRS.model(f"{kind}ForConditionalGeneration", kind, translated, **BOTH)
PAIRS.model("MarianMTModel", "Marian", translated, **BOTH)
PAIRS.model("PLBartForConditionalGeneration", "PLBart", translated, **BOTH)
PAIRS.model(
    "LEDForConditionalGeneration", "LED", translated, **{**BOTH, "attention_window": [4, 4],
    "max_encoder_position_embeddings": 32, "max_decoder_position_embeddings": 32},
)  # fmt: skip
PAIRS.model(
    "ProphetNetForConditionalGeneration", "ProphetNet", translated, vocab_size=WORDS,
    hidden_size=32, encoder_ffn_dim=64, decoder_ffn_dim=64, num_encoder_layers=2,
    num_decoder_layers=2, num_encoder_attention_heads=4, num_decoder_attention_heads=4,
    max_position_embeddings=32, ngram=2, decoder_start_token_id=0,
)  # fmt: skip
