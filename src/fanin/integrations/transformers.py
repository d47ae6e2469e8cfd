"""The callback for the Trainer of transformers.

The first batch is taken from the Trainer's own data loader; the generators that the loader draws
from are put back, so that the training sees the data it would have seen.
"""

from typing import Any

from transformers import TrainerCallback

from fanin.integrations.once import check_once
from fanin.torch.randomness import seeded_everywhere


class FaninCallback(TrainerCallback):
    """Checks the model once, before the first step, and leaves no trace.

    Args:
        fail_on: The mildest severity that ends the training: ``"error"``, ``"warning"`` or
            ``"info"``; None only tells.

    Example:
        ``Trainer(model, args, train_dataset=data, callbacks=[FaninCallback()])``
    """

    def __init__(self, fail_on: str | None = "error") -> None:
        self._fail_on = fail_on

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check the model on the first batch of the loader.

        Args:
            args: Settings of the training.
            state: Where the training stands; one that goes on from a checkpoint is not checked.
            control: What the Trainer does next; left alone.
            **given: The model and the loader among them.

        Raises:
            FaninError: Something as severe as `fail_on` was found.
        """
        del control
        loader = given.get("train_dataloader")
        if state.global_step or loader is None or not state.is_world_process_zero:
            return
        with seeded_everywhere(int(args.seed)):
            batch = next(iter(loader), None)
        if batch is not None:
            check_once(given["model"], batch, None, self._fail_on)
