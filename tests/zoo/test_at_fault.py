"""The evidence against the models that are said to be at fault, taken without fanin."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from zoo.at_fault import AT_FAULT
from zoo.case import Case
from zoo.hugging import HUGGING


def case_of(name: str) -> Case:
    return next(case for case in HUGGING if case.name == f"transformers/{name}")


def built(case: Case) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return case.build()


def loss_after(case: Case, steps: int, mend: Callable[[nn.Module], object] = id) -> float:
    """Train a little on the model's own batch."""
    model = built(case)
    with torch.no_grad():
        mend(model)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(steps):
            optimizer.zero_grad()
            model(**case.batch()[0]).loss.backward()
            optimizer.step()
        return model(**case.batch()[0]).loss.item()


def test_no_kernel_of_funnel_has_a_negative_weight() -> None:
    kernels = [
        weight.detach().flatten(1)
        for name, weight in built(case_of("FunnelForMaskedLM")).named_parameters()
        if name.endswith("r_kernel")
    ]
    assert len(kernels) == 3
    for kernel in kernels:
        assert kernel.min() >= 0
        strengths = torch.linalg.svdvals(kernel).square()
        # 3/4 goes into the common direction; without it the largest would have about 4/32.
        assert 0.7 < strengths[0] / strengths.sum() < 0.85


@pytest.mark.parametrize("name", ["FunnelForMaskedLM", "MT5ForConditionalGeneration"])
def test_a_table_of_std_one_as_a_head_costs_several_times_ln_words(name: str) -> None:
    case = case_of(name)
    table = next(part for part in built(case).modules() if isinstance(part, nn.Embedding))
    words, width = table.weight.shape
    assert table.weight.std().item() == pytest.approx(1, rel=0.1)
    assert loss_after(case, 0) > 2.5 * math.log(words)

    def smaller(model: nn.Module) -> None:
        tables = (part for part in model.modules() if isinstance(part, nn.Embedding))
        next(tables).weight.normal_(0, width**-0.5)

    assert loss_after(case, 0, smaller) < 1.3 * math.log(words)


def test_mobilevit_hardly_learns_while_its_norms_shrink_everything() -> None:
    case = case_of("MobileViTForImageClassification")

    def ones(model: nn.Module) -> None:
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.fill_(1)

    assert loss_after(case, 20) > 2.2  # ln 10 is 2.30
    assert loss_after(case, 20, ones) < 1.9


def test_a_norm_of_nemotron_doubles_what_it_normalises() -> None:
    norms = [
        part
        for part in built(case_of("NemotronForCausalLM")).modules()
        if type(part).__name__ == "NemotronLayerNorm1P"
    ]
    assert len(norms) == 5
    for norm in norms:
        assert norm(torch.randn(64, 32)).std().item() == pytest.approx(2, rel=0.02)


LOST = [
    name.removeprefix("transformers/")
    for name, faults in AT_FAULT.items()
    if faults[0].code == "FI104"
]


@pytest.mark.parametrize("name", LOST)
def test_the_positional_convolution_never_gets_what_is_asked_for(name: str) -> None:
    model = built(case_of(name))
    path = next(path for path, _ in model.named_modules() if path.endswith("pos_conv_embed.conv"))
    conv = model.get_submodule(path)
    assert isinstance(conv, nn.Conv1d)
    size = conv.kernel_size[0]
    asked = 2 / math.sqrt(size * conv.in_channels)
    default = 1 / math.sqrt(3 * size * conv.in_channels / conv.groups)
    # 4096 uniform weights: the standard error of their std is below 1%.
    assert conv.weight.std().item() == pytest.approx(default, rel=0.05)
    assert asked / default > 1.5
