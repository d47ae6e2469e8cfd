"""Models of an installed `transformers`, by name, and inputs that they take.

The models are made from their configuration; nothing is downloaded.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fanin.errors import FaninError, nearest

POSITIONS = 16
"""Tokens in each example."""

EXAMPLES = 4

_HEADS = (
    "AutoModelForSeq2SeqLM",
    "AutoModelForMaskedLM",
    "AutoModelForCausalLM",
    "AutoModelForImageClassification",
    "AutoModelForAudioClassification",
    "AutoModel",
)
"""What a model is built as, the first that there is: an encoder can be a decoder too, and is not
meant to be one."""


def hugging_face(name: str, settings: Mapping[str, Any]) -> Callable[[], nn.Module]:
    """Find a model of `transformers`.

    Args:
        name: Its kind, such as ``"gpt2"``, or the path of a ``config.json``.
        settings: What its configuration shall have other than by default.

    Returns:
        A function that builds the model, with the head it is mostly trained with.

    Raises:
        FaninError: `transformers` is not installed, has no such model, or the configuration has no
            such setting.
    """
    transformers = _transformers()
    config = _config(transformers, name, settings)
    for head in _HEADS:
        auto = getattr(transformers, head)
        if type(config) in auto._model_mapping:  # noqa: SLF001  # the list of what it can build

            def build(auto: Any = auto) -> nn.Module:
                return auto.from_config(config)

            return build
    raise FaninError(f"transformers has a configuration for {name}, but no model that is built so")


def hugging_face_batch(model: nn.Module, seed: int) -> tuple[dict[str, Any], ...]:
    """Make inputs that a model of `transformers` takes, with labels where it takes them.

    Args:
        model: The model.
        seed: Seed of what is drawn.

    Returns:
        One mapping by name.

    Raises:
        FaninError: It takes neither tokens nor images.
    """
    config: Any = model.config
    source = torch.Generator().manual_seed(seed)
    main: Any = getattr(model, "main_input_name", "input_ids")
    if main == "pixel_values":
        size = getattr(config, "image_size", 224)
        side = size if isinstance(size, int) else size[0]
        channels = getattr(config, "num_channels", 3)
        images = torch.randn(EXAMPLES, channels, side, side, generator=source)
        return (_labelled(model, {main: images}, getattr(config, "num_labels", 2), source),)
    if main != "input_ids":
        raise FaninError(
            f"{type(model).__name__} takes {main}, which cannot be made up: pass --batch"
        )
    vocabulary = int(config.get_text_config().vocab_size)
    tokens = torch.randint(vocabulary, (EXAMPLES, POSITIONS), generator=source)
    batch: dict[str, Any] = {"input_ids": tokens}
    if _takes(model, "labels"):
        batch["labels"] = tokens.clone()
    if _takes(model, "decoder_input_ids"):
        batch["decoder_input_ids"] = tokens.clone()
    return (batch,)


def _labelled(
    model: nn.Module, batch: dict[str, Any], classes: int, source: torch.Generator
) -> dict[str, Any]:
    if _takes(model, "labels"):
        batch["labels"] = torch.randint(classes, (EXAMPLES,), generator=source)
    return batch


def _takes(model: nn.Module, argument: str) -> bool:
    import inspect

    return argument in inspect.signature(model.forward).parameters


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as problem:
        raise FaninError(
            "models by name need transformers, which is not installed: pip install transformers"
        ) from problem
    return sys.modules.get("transformers", transformers)


def _config(transformers: Any, name: str, settings: Mapping[str, Any]) -> Any:
    known: Any = transformers.CONFIG_MAPPING
    auto = transformers.AutoConfig
    if name.endswith(".json"):
        if not Path(name).is_file():
            raise FaninError(f"there is no file {name}")
        try:
            return auto.from_pretrained(name, local_files_only=True)
        except Exception as problem:
            raise FaninError(f"the configuration {name} cannot be read: {problem}") from problem
    if name not in known:
        raise FaninError(f'transformers has no model "{name}"{nearest(name, list(known))}')
    usual = auto.for_model(name)
    for key in settings:
        if not hasattr(usual, key):
            own = list(usual.to_dict())
            raise FaninError(f'the configuration of {name} has no "{key}"{nearest(key, own)}')
    try:
        # Made anew, because some settings follow from others, as the layers of a decoder do.
        return auto.for_model(name, **settings)
    except Exception as problem:
        said = " ".join(str(problem).split())
        raise FaninError(f"{name} cannot be configured so: {said}") from problem
