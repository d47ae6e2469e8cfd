"""Reaching a Ray cluster, quietly, and leaving it as it was found.

Ray waits minutes for an address where nobody answers and talks to whoever reads the terminal. Here
the address is tried first, in seconds; Ray keeps silent; and a Ray that was started for a study
ends with it, while one that the person had running goes on.
"""

import importlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from fanin.errors import FaninError, need

PATIENCE = 5.0
"""Seconds that an address may take to answer."""

QUIET = {
    # A program that is started for one study does not report home.
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What Ray reads from the environment while it starts, unless the person has set it."""

KINDS = '"local", "auto", "ray://HOST:10001" or "HOST:6379"'
"""The addresses there are."""


@contextmanager
def connected(address: str | None) -> Generator[Any]:
    """Have Ray connected.

    Args:
        address: ``"local"`` for a Ray of this machine alone, started here and ended afterwards;
            ``"auto"`` for the cluster that this machine belongs to; ``"ray://HOST:10001"`` for one
            reached from outside; ``"HOST:6379"`` for one by its head node. None for the one that
            this process is connected to, else the one that the variable RAY_ADDRESS names, else
            ``"local"``.

    Yields:
        The module ``ray``.

    Raises:
        FaninError: The address is none, or nobody answers there.
        MissingExtra: Ray is not installed.
    """
    need("ray", extra="ray", purpose="training on a Ray cluster")
    ray: Any = importlib.import_module("ray")
    if ray.is_initialized():
        _check_same(ray, address)
        yield ray
        return
    named = address if address is not None else os.environ.get("RAY_ADDRESS") or "local"
    check_address(named)
    with _sigterm(), _silent():
        try:
            ray.init(
                address=named,
                include_dashboard=False if named == "local" else None,
                configure_logging=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as problem:
            ray.shutdown()
            raise FaninError(f"{_where(named)}: {_first_line(problem)}") from problem
    try:
        yield ray
    finally:
        with _silent():
            ray.shutdown()


def check_address(address: str) -> None:
    """Refuse an address where nobody answers, before Ray waits for it.

    Args:
        address: As for `connected`.

    Raises:
        FaninError: It is no address, or nobody answers within seconds.

    Example:
        >>> check_address("local")
        >>> check_address("cluster")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        fanin.errors.FaninError: a Ray address is "local", "auto", ..., got "cluster"
    """
    if address == "local":
        return
    if address == "auto":
        _ask_status(address)
        return
    client = address.startswith("ray://")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if client and not host:
        host, port = port, "10001"
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise FaninError(f'a Ray address is {KINDS}, got "{address}"')
    if client:
        need("grpc", extra="ray", purpose="an address ray://")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except OSError as problem:
        told = str(problem.strerror or problem).lower()
        raise FaninError(_unanswered(address, told)) from None
    if not client:
        _ask_status(address)


def _ask_status(address: str) -> None:
    """Ray asks on for minutes where something else listens; a process that asks can be ended."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "status"]
    command += [] if address == "auto" else ["--address", address]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=3 * PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise FaninError(_unanswered(address, "what is there does not speak Ray")) from None
    if done.returncode:
        if address == "auto":
            raise FaninError(f"this machine belongs to no Ray cluster; a Ray address is {KINDS}")
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "no reason given")
        raise FaninError(_unanswered(address, last))


def _unanswered(address: str, reason: str) -> str:
    return (
        f"no Ray cluster answers at {address} ({reason}); on its head node `ray status` tells "
        f"whether it runs, and a Ray address is {KINDS}"
    )


def _check_same(ray: Any, address: str | None) -> None:
    """A process is connected to one Ray at a time."""
    here = ray.get_runtime_context().gcs_address
    if address not in {None, "auto", here}:
        raise FaninError(
            f"this process is connected to the Ray cluster {here} already, so the address "
            f"{address} cannot be reached: leave the address out, or call ray.shutdown() before"
        )


def _where(address: str) -> str:
    if address == "local":
        return "Ray does not start on this machine"
    return f"the Ray cluster at {address} cannot be used"


def _first_line(problem: BaseException) -> str:
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), "no reason")


@contextmanager
def _silent() -> Generator[None]:
    """Keep Ray's logger and its processes from telling what only its developers need."""
    logger = logging.getLogger("ray")
    level, before = logger.level, dict(os.environ)
    logger.setLevel(logging.ERROR)
    os.environ.update({name: value for name, value in QUIET.items() if name not in before})
    with warnings.catch_warnings():
        # JAX warns of every fork; these are followed by an exec, where none of its threads counts.
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        try:
            yield
        finally:
            _put_back(before, QUIET)
            logger.setLevel(level)


def _put_back(before: Mapping[str, str], names: Mapping[str, str]) -> None:
    for name in names:
        if name not in before:
            os.environ.pop(name, None)


@contextmanager
def _sigterm() -> Generator[None]:
    """Ray takes the handler of SIGTERM for itself when it starts; the program keeps its own."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)
