"""A report made by hand, with everything in it that can go wrong in a text."""

from fanin.births import Birth, Births, Frame, Snapshot, Write
from fanin.checks import Cost, Evidence, Finding, Fix, Probe, Report, Severity, Values

LINE = Frame("src/net.py", 41, "Net.__init__", "nn.init.normal_(self.fc.weight, std=0.01)")

SCALE = Finding(
    "FI102",
    Severity.ERROR,
    tuple(f"layers.{i}.weight" for i in range(12)),
    "std 0.01 is 12x below he_normal for fan_in 128",
    "std 0.125",
    "the signal shrinks 12x in every layer; 100% of it is gone",
    "nn.init.kaiming_normal_(weight)",
    title="too small, for <relu> & co",
    location=LINE,
    fixes=(Fix("layers.0.weight", "he_normal"),),
    consequences=("the gradient of the first layer is 1e-12",),
    facts={"ratio": 12.0, "matches": "normal(0, 0.01)", "worst": float("inf")},
)

REMARK = Finding(
    "FI102",
    Severity.INFO,
    ("head.weight",),
    "all zero",
    "",
    "its gradient is not",
    "",
    title="zero",
)

VALUES = {
    name: Values(name, (128, 128), "float32", 128 * 128, std=0.01, maximum=float("nan"))
    for name in (*SCALE.where, "head.weight")
}

EVIDENCE = Evidence(costs=(Cost(Probe.VALUES, 0.02), Cost(Probe.SIGNAL, 0.5)), values=VALUES)

REPORT = Report((SCALE, REMARK), EVIDENCE)


def births(text: str) -> Births:
    """The births of the first two layers, written by one line each."""
    held = Snapshot(0.0, 0.01, -0.1, 0.1, 0.0, "a")

    def born(name: str, line: str) -> Birth:
        frame = Frame("net.py", 3, "build", line)
        write = Write(0, "normal_", "", (frame,), "init", ("build",), 4, 4, None, held)
        return Birth(name, (2, 2), "float32", buffer=False, writes=(write,))

    return Births((born("layers.0.weight", text), born("layers.1.weight", "normal_(w)")))
