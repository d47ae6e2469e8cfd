"""Building again: the same seed, another seed, several processes."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from fanin import FaninError
from fanin.torch.randomness import seeded_everywhere
from fanin.torch.rebuilding import across_ranks, rebuild


def first(build, seed=3):
    with seeded_everywhere(seed):
        return build()


def test_an_ordinary_build_is_a_function_of_its_seed():
    def build():
        return nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4))

    again = rebuild(build, first(build), 3)
    assert again.same_seed == ()
    assert again.other_seed == ()
    assert set(again.random) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_a_generator_without_a_seed_shows():
    def build():
        model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
        drawn = np.random.default_rng().normal(size=(4, 8))
        model[1].weight.data = torch.from_numpy(drawn).float()
        return model

    again = rebuild(build, first(build), 3)
    assert [(one.name, one.what) for one in again.same_seed] == [("1.weight", "values")]


def test_every_global_generator_is_seeded():
    def build():
        import random

        model = nn.Linear(4, 4)
        with torch.no_grad():
            model.weight[0] = random.random()
            model.weight[1] = float(np.random.rand())  # noqa: NPY002
        return model

    assert rebuild(build, first(build), 3).same_seed == ()


def test_a_layer_that_seeds_itself_shows():
    class Seeding(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.inner = nn.Linear(8, 8)

    def build():
        return nn.Sequential(nn.Linear(8, 8), Seeding(), nn.Linear(8, 8))

    again = rebuild(build, first(build), 3)
    assert again.other_seed == ("1.inner.weight", "2.weight")  # 8 biases are too few to tell
    assert "0.weight" in again.random


def test_what_differs_in_kind_is_told_as_such():
    sizes = iter((4, 5, 6))

    def build():
        return nn.Linear(3, next(sizes))

    again = rebuild(build, build(), 0)
    assert {one.what for one in again.same_seed} == {"shape"}


def test_unwritten_memory_is_left_to_others():
    def build():
        model = nn.Linear(4, 4)
        model.bias.data.fill_(float("nan"))
        return model

    assert rebuild(build, first(build), 3).same_seed == ()


def test_a_build_that_works_only_once_says_so():
    layers = [nn.Linear(2, 2)]

    def build():
        return nn.Sequential(layers.pop())

    with pytest.raises(
        FaninError, match=r"IndexError: pop from empty list\. It went through before"
    ):
        rebuild(build, build(), 0)


def test_the_generators_are_put_back():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    state = torch.get_rng_state()
    build = nn.Linear
    rebuild(lambda: build(2, 2), first(lambda: build(2, 2)), 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(before, state)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def rank():
    return torch.distributed.get_rank()


@needs_fork
def test_equal_replicas_are_silent():
    assert across_ranks(lambda: nn.Linear(8, 8), 2, 0) == ((), 2)


@needs_fork
def test_a_seed_for_each_rank_makes_unequal_replicas():
    def build():
        torch.manual_seed(rank())
        return nn.Linear(8, 8)

    unlike, _ = across_ranks(build, 2, 0)
    assert [(one.name, one.what) for one in unlike] == [("weight", "values"), ("bias", "values")]


@needs_fork
def test_wrapped_for_data_parallelism_they_are_equal():
    def build():
        torch.manual_seed(rank())
        return nn.parallel.DistributedDataParallel(nn.Linear(8, 8))

    assert across_ranks(build, 2, 0)[0] == ()


class Sharded(nn.Module):
    """A part of a layer of 16 units."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        world = torch.distributed.get_world_size()
        self.weight = nn.Parameter(torch.randn(16 // world, 8))
        self.bias = nn.Parameter(torch.zeros(16 // world))


@needs_fork
def test_shards_of_one_seed_are_copies():
    unlike, _ = across_ranks(lambda: Sharded(0), 2, 0)
    assert [(one.name, one.what) for one in unlike] == [("weight", "copies")]


@needs_fork
def test_shards_of_their_own_seeds_are_fine():
    assert across_ranks(lambda: Sharded(rank()), 2, 0)[0] == ()


@needs_fork
def test_stages_of_a_pipeline_must_not_be_copies():
    def build():
        model = nn.Module()
        if torch.distributed.get_world_size() == 1:
            return nn.Linear(8, 8)
        model.add_module(f"stage{rank()}", nn.Linear(8, 8))
        return model

    unlike, _ = across_ranks(build, 2, 0)
    assert ("stage0.weight", "copies") in [(one.name, one.what) for one in unlike]


@needs_fork
def test_a_build_that_opens_the_group_itself_finds_it_open():
    def build():
        torch.distributed.init_process_group("gloo")
        return nn.Linear(4, 4)

    assert across_ranks(build, 2, 0)[0] == ()


@needs_fork
def test_a_failing_process_is_told():
    def build():
        if rank() == 1:
            raise RuntimeError("no data here")
        return nn.Linear(4, 4)

    with pytest.raises(FaninError, match="fails in process 1 of 2: RuntimeError: no data here"):
        across_ranks(build, 2, 0)


def test_one_process_is_no_group():
    with pytest.raises(FaninError, match="ranks must be at least 2, got 1"):
        across_ranks(lambda: nn.Linear(2, 2), 1, 0)
