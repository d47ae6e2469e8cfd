"""No error and no warning about models that people train and that learn."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest
import torch

from fanin import check
from fanin.checks import Report, Severity
from zoo import CASES, Case
from zoo.at_fault import AT_FAULT
from zoo.hugging import DAILY, HUGGING

# Two warnings of torch that the code of others causes on the way, and none of fanin's.
pytestmark = pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")


def daily(cases: Iterable[Case]) -> list[Any]:
    """One of each kind for every day, all of them for the slow tests."""
    return [
        pytest.param(case, marks=() if case.name in DAILY else pytest.mark.slow, id=case.name)
        for case in cases
    ]


ARCHITECTURES = [case for case in HUGGING if case.name not in AT_FAULT]


def alarms(report: Report, but: Collection[str] = ()) -> list[str]:
    return [
        f"{one.severity}[{one.code}] {', '.join(one.where)}: {one.observed}"
        for one in report.findings
        if one.severity is not Severity.INFO and one.code not in but
    ]


def of_the_build(case: Case) -> Report:
    return check(case.build, *case.batch(), loss=case.loss)


def of_the_model(case: Case) -> Report:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = case.build()
    return check(model, *case.batch(), loss=case.loss)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_healthy_build_raises_no_alarm(case: Case) -> None:
    assert alarms(of_the_build(case)) == []


@pytest.mark.parametrize("case", daily(ARCHITECTURES))
def test_an_architecture_of_transformers_raises_no_alarm(case: Case) -> None:
    assert alarms(of_the_build(case)) == []


# A build is checked for all that a model is, and for its birth besides: these see what remains.
@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in (*CASES, *ARCHITECTURES) if case.telling], ids=str
)
def test_a_model_that_is_there_raises_no_alarm(case: Case) -> None:
    assert alarms(of_the_model(case)) == []


def test_the_zoo_is_large_and_its_names_are_its_own() -> None:
    names = [case.name for case in (*CASES, *HUGGING)]
    assert len(set(names)) == len(names)
    assert len(CASES) >= 70
    assert len(list(HUGGING)) >= 45
    assert set(AT_FAULT) | DAILY <= set(names)
    assert len(DAILY) >= 45


@pytest.mark.parametrize("case", daily(case for case in HUGGING if case.name in AT_FAULT))
def test_what_is_at_fault_is_told_of_the_tensor(case: Case) -> None:
    report = of_the_build(case)
    for fault in AT_FAULT[case.name]:
        told = [one for one in report.findings if one.code == fault.code]
        assert told, fault.sentence
        # What a library does to its own layer is no fault of the person's, and a remark.
        assert all(one.severity is not Severity.ERROR for one in told)
        assert all(name.endswith(fault.tensors) for one in told for name in one.where)
    codes = {fault.code for fault in AT_FAULT[case.name]}
    assert alarms(report, but=codes) == []
