"""Gathering what the rules look at from a PyTorch model, and leaving the model as it was."""

from fanin.torch.evidence.gathering import gather as gather
