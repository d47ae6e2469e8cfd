"""How a study lies on the disk: an xarray dataset on Zarr, and what is known of it beside.

`xarray.open_zarr` reads the folder as what `Study.dataset` is. The Zarr chunks of the curves are
the chunks of runs the study trains, so a chunk is a file of its own in every variable and no
finished byte is ever written again. Beside the variables lie three groups for fanin's own use:

- ``study``: where the study comes from; written once;
- ``finished``: one group for each finished chunk, with the SHA-256 of its files;
- ``remarks``: notes, target, reference and failure; written whenever a training ends.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from fanin.studies.chunks import cut
from fanin.studies.design import Design
from fanin.studies.store.files import settle, write_whole
from fanin.studies.trainer import SPLITS, Curves

if TYPE_CHECKING:
    import xarray

GROUP = "zarr.json"
"""The file that makes a folder a group, or an array, of Zarr."""

STUDY, FINISHED, REMARKS = "study", "finished", "remarks"
"""The groups that are not curves."""


def chunk_shape(design: Design, size: int) -> tuple[int, ...]:
    """Say how the curves of one chunk of runs are laid out.

    Args:
        design: The study.
        size: Runs of a chunk; in a crossed design whole repeats, or a part that divides one.

    Returns:
        Schemes, repeats, in a crossed design orders, and points.
    """
    schemes, points = len(design.schemes), len(design.points)
    if design.orders == 1:
        return schemes, size, points
    return schemes, max(1, size // design.orders), min(size, design.orders), points


def files_of(design: Design, size: int, chunk: range, variables: Sequence[str]) -> dict[str, str]:
    """Name the file that holds a chunk in each variable.

    Args:
        design: The study.
        size: Runs of a chunk.
        chunk: Indices into ``design.runs``.
        variables: The variables that the study has.

    Returns:
        Variable to path inside the store.
    """
    repeat, order = divmod(chunk.start, design.orders)
    _, repeats, *orders, _ = chunk_shape(design, size)
    places = [0, repeat // repeats, *(order // of for of in orders), 0]
    return {name: "/".join((name, "c", *map(str, places))) for name in variables}


def variables_of(metrics: Sequence[str], held_out: bool) -> tuple[str, ...]:
    """Name the variables of a study, as `Study.from_curves` does.

    Args:
        metrics: Names of the curves.
        held_out: Whether a part is held out.

    Returns:
        The names, in the order of the dataset.
    """
    ends = ("", "held_out_") if held_out else ("",)
    return tuple(end + metric for metric in metrics for end in ends)


def lay_out(
    path: Path, dataset: "xarray.Dataset", variables: Sequence[str], shape: tuple[int, ...]
) -> None:
    """Write a dataset without its curves, which stay NaN.

    Args:
        path: A folder that is there and empty.
        dataset: The dataset of a study; its coordinates, its attributes and the dims of its loss.
        variables: The variables that the study has.
        shape: The Zarr chunk of each of them.
    """
    import xarray
    import zarr

    # The two libraries leave some of their own types open.
    known: Any = dataset
    library: Any = zarr
    blank = np.broadcast_to(np.float32(np.nan), dataset["loss"].shape)
    # Texts of one length have no settled form in Zarr 3, texts of any length have.
    coordinates = known.coords.assign(scheme=known["scheme"].astype(object))
    unfilled: Any = xarray.Dataset(
        dict.fromkeys(variables, (dataset["loss"].dims, blank)), coordinates, dataset.attrs
    )
    unfilled.to_zarr(
        path,
        mode="w",
        zarr_format=3,
        consolidated=False,
        encoding={name: {"chunks": shape, "fill_value": np.nan} for name in variables},
    )
    with warnings.catch_warnings():
        # xarray warns of a store without it, zarr of one with it.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        library.consolidate_metadata(str(path), zarr_format=3)


def write_chunk(
    path: Path, design: Design, size: int, chunk: range, curves: Curves, variables: Sequence[str]
) -> list[Path]:
    """Write the curves of a chunk, and wait until they are on the disk.

    Args:
        path: The store.
        design: The study.
        size: Runs of a chunk.
        chunk: Indices into ``design.runs``.
        curves: The curves of the whole study, of shape (split, scheme, run, point).
        variables: The variables that the study has.

    Returns:
        The files written.

    Raises:
        OSError: They cannot be written.
    """
    import zarr

    library: Any = zarr  # which leaves some of its own types open
    first, last = chunk.start // design.orders, (chunk.stop - 1) // design.orders + 1
    selection: tuple[slice, ...] = (slice(None), slice(first, last))
    sizes = [len(design.schemes), last - first, len(design.points)]
    if design.orders > 1:
        order, orders = chunk.start % design.orders, min(size, design.orders)
        selection += (slice(order, order + orders),)
        sizes.insert(2, orders)
    with library.config.set({"array.write_empty_chunks": True}):
        group = library.open_group(str(path), mode="r+", zarr_format=3)
        for name in variables:
            part = _of(curves, name)[:, chunk.start : chunk.stop]
            group[name][selection] = part.reshape(sizes)
    written = [path / file for file in files_of(design, size, chunk, variables).values()]
    folders = {folder for file in written for folder in file.parents if path in folder.parents}
    # zarr moves a file into place without waiting for the disk.
    settle([*written, *sorted(folders)])
    return written


def read_curves(path: Path, design: Design, variables: Sequence[str]) -> Curves:
    """Read the curves that are there, NaN where there are none.

    Args:
        path: The store.
        design: The study.
        variables: The variables that the study has.

    Returns:
        The curves, of shape (split, scheme, run, point).
    """
    import zarr

    shape = (len(SPLITS), len(design.schemes), len(design.runs), len(design.points))
    metrics = [name for name in variables if not name.startswith("held_out_")]
    curves = {metric: np.full(shape, np.nan, np.float32) for metric in metrics}
    library: Any = zarr  # which leaves some of its own types open
    group = library.open_group(str(path), mode="r", zarr_format=3)
    for name in variables:
        _of(curves, name)[:] = np.asarray(group[name][...]).reshape(shape[1:])
    return curves


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Write a group of Zarr that is nothing but its attributes, whole or not at all.

    Args:
        path: Its folder; made if need be.
        attributes: What can be written as JSON.

    Raises:
        OSError: It cannot be written.
    """
    new = not path.is_dir()
    path.mkdir(exist_ok=True)
    content = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    write_whole(path / GROUP, json.dumps(content, indent=2).encode())
    if new:
        settle([path.parent])


def read_group(path: Path) -> dict[str, Any]:
    """Read the attributes of a group.

    Args:
        path: Its folder.

    Returns:
        The attributes.

    Raises:
        OSError: It is not there.
        ValueError: It is damaged.
    """
    content = json.loads((path / GROUP).read_text(encoding="utf-8"))
    match content:
        case {"attributes": dict()}:
            return cast(dict[str, Any], content["attributes"])
        case _:
            raise ValueError(f"{GROUP} has no attributes")


def cuts(design: Design, size: int) -> Sequence[range]:
    """Cut a stored study into its chunks.

    Args:
        design: The study.
        size: Runs of a chunk.

    Returns:
        Ranges of indices into ``design.runs``.
    """
    return cut(len(design.runs), size)


def _of(curves: Curves, variable: str) -> NDArray[np.float32]:
    metric = variable.removeprefix("held_out_")
    return curves[metric][int(metric != variable)]
