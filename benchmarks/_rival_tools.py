"""Each tool behind one call: a network and a batch in, what it says is wrong out.

Tools are used as their pages tell, with their default settings; what they print is swallowed. A
tool that is not installed is left out of the table.
"""

import contextlib
import copy
import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from _faults import Case, digits

Batch = tuple[Tensor, Tensor]


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Cross entropy over the last axis."""
    return functional.cross_entropy(output.flatten(0, -2), target.flatten())


def batch_of(case: Case, seed: int) -> Batch:
    """The batch of a case."""
    return (case.batch or digits)(seed)


def fanin_findings(case: Case, seed: int) -> list[tuple[str, tuple[str, ...], bool]]:
    """What fanin finds: code, names, and whether it is more than a remark."""
    import fanin
    from fanin.checks import Severity

    report = fanin.check(
        lambda: case.build(seed), *batch_of(case, seed), loss=loss, plan=case.plan, seed=seed
    )
    return [(one.code, one.where, one.severity is not Severity.INFO) for one in report.findings]


def torchtest2(model: nn.Module, inputs: Tensor, target: Tensor) -> Iterator[str]:
    tool: Any = importlib.import_module("torchtest2")

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    report = tool.check_model(model, inputs, target, loss_fn=loss, optimizer=optimizer)
    for result in (*report.failures, *report.warnings):
        yield f"{result.name}: {result.message}"


def torch_audit(model: nn.Module, inputs: Tensor, target: Tensor) -> Iterator[str]:
    tool: Any = importlib.import_module("torch_audit")

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    auditor = tool.Auditor(model, optimizer=optimizer, every_n_steps=1)
    with auditor:
        auditor.audit_static()
        auditor.audit_init()
        output = auditor.forward(inputs)
        auditor.backward(loss(output, target))
        auditor.optimizer_step()
    for finding in auditor.finish().findings:
        # Every network with 10 classes is told that 10 is no multiple of 8.
        alignment = "tensor core" in finding.message.lower() or "align" in finding.message.lower()
        if finding.severity is not tool.Severity.INFO and not alignment:
            yield f"{finding.rule_id} {finding.module_path} {finding.entity}: {finding.message}"


def torchdiag(model: nn.Module, inputs: Tensor, target: Tensor) -> Iterator[str]:
    tool: Any = importlib.import_module("torchdiag")

    loss(model(inputs), target).backward()
    for name, figures in tool.check_gradients(model).items():
        if figures["status"] != "OK":
            yield f"{name}: {figures['status']}"
    for name, figures in tool.check_dead_neurons(model, inputs).items():
        if figures["dead_pct"] > 20:
            yield f"{name}: {figures['dead_pct']:.0f}% dead"


def preflight(model: nn.Module, inputs: Tensor, target: Tensor) -> Iterator[str]:
    tool: Any = importlib.import_module("preflight")

    data = torch.utils.data.TensorDataset(inputs, target)
    loader = torch.utils.data.DataLoader(data, batch_size=len(inputs))
    for result in tool.run_checks(loader, model, loss):
        if not result.passed and result.severity is not tool.Severity.INFO:
            yield f"{result.name}: {result.message}"


def checklist(model: nn.Module, inputs: Tensor, target: Tensor) -> Iterator[str]:
    tool: Any = importlib.import_module("neural_net_checklist.torch_diagnostics")

    data = torch.utils.data.TensorDataset(inputs, target)
    loader = torch.utils.data.DataLoader(data, batch_size=len(inputs))
    classes = model(inputs).shape[-1]
    steps: list[Callable[[], None]] = [
        lambda: tool.assert_balanced_classification_cross_entropy_loss_at_init(
            model, loader, num_classes=classes, device="cpu", loss_fn=loss
        ),
        lambda: tool.assert_balanced_classification_cross_entropy_init_calibrated(
            model, loader, num_classes=classes, device="cpu"
        ),
        lambda: tool.assert_non_zero_gradients(model, loader, device="cpu"),
    ]
    for step in steps:
        try:
            step()
        except AssertionError as said:
            yield str(said)


def model_clinic(model: nn.Module, inputs: Tensor, target: Tensor) -> Iterator[str]:
    del inputs, target
    tool: Any = importlib.import_module("model_clinic")

    for finding in tool.diagnose(model.state_dict(), plugins=False):
        if finding.severity in ("ERROR", "WARN"):
            yield str(finding)


TOOLS: dict[str, tuple[str, Callable[[nn.Module, Tensor, Tensor], Iterator[str]]]] = {
    "torchtest2": ("torchtest2", torchtest2),
    "torch-audit": ("torch_audit", torch_audit),
    "torchdiag": ("torchdiag", torchdiag),
    "preflight-ml": ("preflight", preflight),
    "neural-net-checklist": ("neural_net_checklist", checklist),
    "model-clinic": ("model_clinic", model_clinic),
}


def installed() -> list[str]:
    """The tools that are there."""
    return [name for name, (module, _) in TOOLS.items() if importlib.util.find_spec(module)]


def said_by(name: str, case: Case, seed: int) -> list[str]:
    """What a tool says is wrong; its own failure counts as having seen something."""
    inputs, target = batch_of(case, seed)
    model = copy.deepcopy(case.build(seed))
    given: Any = TOOLS[name][1]
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            return list(given(model, inputs, target))
        except Exception as problem:  # noqa: BLE001  # a rival may fail in any way
            return [f"failed: {type(problem).__name__}: {problem}"]
