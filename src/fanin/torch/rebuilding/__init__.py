"""Building a model again: with the same seed, with another, and in several processes at once."""

from fanin.torch.rebuilding.again import rebuild as rebuild
from fanin.torch.rebuilding.ranks import across_ranks as across_ranks
