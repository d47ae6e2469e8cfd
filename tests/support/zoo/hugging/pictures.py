"""Pictures, and pictures with words."""

from typing import Any

from zoo.data import normal, whole
from zoo.hugging.making import EXAMPLES, PATCHES, Architectures, pictures, small, text

PICTURES = Architectures("transformers")

for kind in ("ViT", "DeiT", "Beit", "ViTMSN", "Dinov2", "Data2VecVision"):
    PICTURES.model(f"{kind}ForImageClassification", kind, pictures(), **PATCHES)
PICTURES.model(
    "SwinForImageClassification", "Swin", pictures(), image_size=32, patch_size=4, embed_dim=16,
    depths=[1, 1], num_heads=[2, 4], window_size=4, num_labels=10,
)  # fmt: skip
PICTURES.model(
    "Swinv2ForImageClassification", "Swinv2", pictures(), image_size=32, patch_size=4,
    embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4, num_labels=10,
)  # fmt: skip
PICTURES.model(
    "ConvNextForImageClassification", "ConvNext", pictures(), hidden_sizes=[16, 16, 32, 32],
    depths=[1, 1, 1, 1], num_labels=10,
)  # fmt: skip
PICTURES.model(
    "ConvNextV2ForImageClassification", "ConvNextV2", pictures(), hidden_sizes=[16, 16, 32, 32],
    depths=[1, 1, 1, 1], num_labels=10,
)  # fmt: skip
PICTURES.model(
    "ResNetForImageClassification", "ResNet", pictures(), embedding_size=16, hidden_sizes=[16, 16,
    32, 32], depths=[1, 1, 1, 1], num_labels=10,
)  # fmt: skip
PICTURES.model(
    "RegNetForImageClassification", "RegNet", pictures(), embedding_size=16, hidden_sizes=[16, 16,
    32, 32], depths=[1, 1, 1, 1], groups_width=8, num_labels=10,
)  # fmt: skip
PICTURES.model(
    "MobileNetV2ForImageClassification", "MobileNetV2", pictures(64), depth_multiplier=0.25,
    image_size=64, num_labels=10,
)  # fmt: skip
PICTURES.model(
    "SegformerForImageClassification", "Segformer", pictures(), hidden_sizes=[8, 16, 16, 32],
    depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 2, 4], num_labels=10,
)  # fmt: skip
PICTURES.model(
    "MobileViTForImageClassification", "MobileViT", pictures(64), image_size=64, hidden_sizes=[16,
    24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32], num_attention_heads=2, num_labels=10,
)  # fmt: skip
PICTURES.model(
    "PoolFormerForImageClassification", "PoolFormer", pictures(), hidden_sizes=[8, 16, 16, 32],
    depths=[1, 1, 1, 1], num_labels=10,
)  # fmt: skip
PICTURES.model(
    "LevitForImageClassification", "Levit", pictures(64), image_size=64, hidden_sizes=[16, 24,
    32], num_attention_heads=[1, 2, 2], depths=[1, 1, 1], key_dim=[8, 8, 8], num_labels=10,
)  # fmt: skip
PICTURES.model(
    "FocalNetForImageClassification", "FocalNet", pictures(), image_size=32, embed_dim=16,
    depths=[1, 1], hidden_sizes=[16, 32], focal_levels=[2, 2], focal_windows=[3, 3],
    num_labels=10,
)  # fmt: skip
PICTURES.model(
    "ViTMAEForPreTraining", "ViTMAE", lambda: {"pixel_values": normal(EXAMPLES, 3, 32, 32)},
    **{**PATCHES, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 4, "decoder_intermediate_size": 64},
)  # fmt: skip
PICTURES.model(
    "VideoMAEForVideoClassification", "VideoMAE", lambda: {"pixel_values": normal(EXAMPLES, 4, 3,
    32, 32), "labels": whole(EXAMPLES, below=10, seed=1)}, **{**PATCHES, "num_frames": 4},
)  # fmt: skip

TOWERS = {
    "text_config": small(), "vision_config": {k: v for k, v in PATCHES.items() if k !=
    "num_labels"}, "projection_dim": 16,
}  # fmt: skip


def captioned() -> dict[str, Any]:
    return {**text(), "pixel_values": normal(EXAMPLES, 3, 32, 32), "return_loss": True}


PICTURES.model("CLIPModel", "CLIP", captioned, **TOWERS)
PICTURES.model(
    "SiglipModel", "Siglip", captioned, **{k: v for k, v in TOWERS.items() if k !=
    "projection_dim"},
)  # fmt: skip
