"""A finished study in MLflow: a run for the study, and inside it one for each scheme."""

import importlib
import time
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.integrations.tracked import tracked
from fanin.integrations.writers import library

if TYPE_CHECKING:
    from fanin.studies.study import Study

BATCH = 1000
"""Figures that MLflow takes in one request."""


def log_study(study: "Study", tracking_uri: str | None = None, experiment: str = "fanin") -> str:
    """Write a study to MLflow.

    Args:
        study: The study.
        tracking_uri: Where MLflow keeps its runs, such as ``"sqlite:///mlflow.db"`` or the address
            of a server; the one that MLflow is set to when left out.
        experiment: Name of the experiment, made where there is none.

    Returns:
        The id of the study's run: its parameters are the design, its description the verdict, its
        file ``study.json`` every curve. The runs of the schemes are nested in it.

    Raises:
        FaninError: MLflow is not installed or cannot write there, or nothing is finished.
    """
    told, mlflow = tracked(study), library("mlflow")
    entities = importlib.import_module("mlflow.entities")
    now = int(time.time() * 1000)
    try:
        client: Any = mlflow.MlflowClient(tracking_uri=tracking_uri)
        found = client.get_experiment_by_name(experiment)
        place = client.create_experiment(experiment) if found is None else found.experiment_id
        note = {"mlflow.note.content": told.verdict}
        parent: str = client.create_run(place, run_name=told.title, tags=note).info.run_id
        design = [entities.Param(name, str(value)) for name, value in told.design.items()]
        client.log_batch(parent, params=design)
        for scheme in told.schemes:
            tags = {"mlflow.parentRunId": parent}
            run: str = client.create_run(place, run_name=scheme.scheme, tags=tags).info.run_id
            figures = [
                entities.Metric(name, value, now, step)
                for step, values in scheme.points()
                for name, value in values.items()
            ]
            last = scheme.steps[-1]
            figures += [entities.Metric(*item, now, last) for item in scheme.figures.items()]
            params = [entities.Param("scheme", scheme.scheme), *design]
            client.log_batch(run, params=params)
            for first in range(0, len(figures), BATCH):
                client.log_batch(run, metrics=figures[first : first + BATCH])
            client.set_terminated(run)
        client.log_text(parent, told.document, "study.json")
        client.set_terminated(parent)
    except (OSError, mlflow.MlflowException) as problem:
        raise FaninError(f"MLflow cannot write the study to {tracking_uri}: {problem}") from problem
    return parent
