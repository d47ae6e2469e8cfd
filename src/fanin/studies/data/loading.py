"""The one function that gets data from wherever it is.

Whatever the source is, it becomes a table, and every table goes the same way: its values are
checked, the task is read off the target, the rows are split and the features scaled. Everything a
person can get wrong is met on that way, before anything trains.
"""

from collections.abc import Sequence

from fanin.errors import FaninError, need
from fanin.studies.data.value import Data


def load(
    source: object,
    *,
    target: str | Sequence[str] | None = None,
    scale: bool = False,
    holdout: float = 0.3,
    split_seed: int = 42,
    task: str | None = None,
) -> Data:
    """Get data from a file, a name, a frame or arrays, and make it ready to train on.

    The split is ``sklearn.model_selection.train_test_split`` of the rows with ``test_size=holdout``
    and ``random_state=split_seed``, not stratified. Classes are numbered in sorted order.

    Args:
        source: One of

            - a path to a ``.csv`` or ``.parquet`` file, or a pandas DataFrame, with `target`;
            - the name of a set that scikit-learn ships or generates, such as ``"iris"`` or
              ``"circles(n=300, noise=0.05)"`` (`fanin.studies.data.sets.names` lists them);
            - ``"openml:"`` and a name or number on OpenML, fetched and kept by scikit-learn;
            - arrays ``(X, y)``, or ``(X_train, y_train, X_held_out, y_held_out)``, of anything that
              NumPy can read, torch tensors included;
            - a `Data`, which is given back as it is.
        target: Name of the target column, or of several for regression.
        scale: Standardise each feature by its mean and standard deviation in the training part.
        holdout: Fraction of the rows that is held out, at least 0 and below 1.
        split_seed: Seed of the split.
        task: ``"classification"`` or ``"regression"``. Left out, it is read off the target: text,
            truth values and integers are classes, and so are floats when they are all whole and
            few; anything else is regression.

    Returns:
        The data, features in float32.

    Raises:
        FaninError: The source cannot be found or read, or its values cannot be trained on.
        MissingExtra: pandas or scikit-learn is not installed.

    Example:
        >>> data = load("iris", holdout=0.2)
        >>> print(data)
        iris, target species, 120 training and 30 held-out rows (split seed 42), not scaled
        >>> data.classes
        ('setosa', 'versicolor', 'virginica')
    """
    if isinstance(source, Data):
        if target is not None or scale or task is not None:
            raise FaninError(
                f"{source.name} is loaded already: give target, scale and task where it is loaded"
            )
        return source
    for library in ("pandas", "sklearn"):
        need(library, extra="study", purpose="Loading data")
    from fanin.studies.data.prepare import prepare
    from fanin.studies.data.sources import read

    table = read(source, target)
    return prepare(table, scale=scale, holdout=holdout, split_seed=split_seed, task=task)
