"""The program run inside the test's own process, as a person would type it."""

import shlex
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification

from fanin.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Type a command line, without the program's name."""

    def typed(line: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fanin", *shlex.split(line)])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return typed


@pytest.fixture
def table():
    """200 rows of four features and a class."""
    features, target = make_classification(200, n_features=4, random_state=0)
    columns = {f"feature {i}": features[:, i] for i in range(4)}
    return pd.DataFrame({**columns, "class": target})


@pytest.fixture
def folder(tmp_path, monkeypatch, table):
    """A working folder with a CSV file and a script in it."""
    table.to_csv(tmp_path / "notes.csv", index=False)
    (tmp_path / "train.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))\n"
        "class Bare(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        import torch\n"
        "        self.shift = nn.Parameter(torch.zeros(4))\n"
        "        self.head = nn.Linear(4, 2)\n"
        "    def forward(self, x):\n"
        "        return self.head(x + self.shift)\n"
        "number = 3\n"
        "def broken():\n"
        "    raise RuntimeError('no GPU in this machine')\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spoil(table: pd.DataFrame, column: str, value: object, row: int = 3) -> pd.DataFrame:
    """A copy with one wrong cell."""
    spoiled = table.astype({column: object}) if isinstance(value, str) else table.copy()
    spoiled.loc[row, column] = value
    return spoiled


@pytest.fixture
def spoiled(folder, table):
    """Files a study cannot be made of."""
    spoil(table, "feature 1", "n/a?").to_csv("text.csv", index=False)
    spoil(table, "feature 1", np.nan).to_csv("hole.csv", index=False)
    table.assign(**{"class": 1}).to_csv("one_class.csv", index=False)
    (folder / "empty.csv").write_text("")
    return folder
