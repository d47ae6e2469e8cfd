"""The callback for Lightning, under either of the names it is installed by."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from fanin.errors import FaninError
from fanin.integrations.once import check_once


def _callback() -> Any:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        if importlib.util.find_spec(name.split(".", maxsplit=1)[0]) is not None:
            return importlib.import_module(name).Callback
    raise FaninError("the callback needs Lightning, which is not installed: pip install lightning")


class FaninCallback(_callback()):
    """Checks the model once, on the first batch and before the first step, and leaves no trace.

    Args:
        loss: Makes the loss of what `forward` returns and the rest of the batch; None to find one.
        fail_on: The mildest severity that ends the training: ``"error"``, ``"warning"`` or
            ``"info"``; None only tells.

    Example:
        ``Trainer(callbacks=[FaninCallback(loss=torch.nn.functional.cross_entropy)])``
    """

    def __init__(
        self, loss: Callable[..., Any] | None = None, fail_on: str | None = "error"
    ) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # whichever Lightning is there
        self._loss = loss
        self._fail_on = fail_on

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the model where nothing was trained yet.

        Args:
            trainer: The trainer.
            pl_module: The model.
            batch: The batch.
            batch_idx: Its place in the epoch.

        Raises:
            FaninError: Something as severe as `fail_on` was found.
        """
        if trainer.global_step == 0 and batch_idx == 0 and trainer.is_global_zero:
            check_once(pl_module, batch, self._loss, self._fail_on)
