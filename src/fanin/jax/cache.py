"""Programs that were compiled once stay compiled, from one process to the next.

JAX can keep them on disk, and does not unless told where. While a study runs it is told: a folder
of the person's cache, apart for each kind of processor, because what was compiled for one may not
run on another. Whoever has chosen a folder for JAX keeps it.
"""

import hashlib
import os
import platform
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

_SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.05,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@contextmanager
def kept_programs() -> Generator[None]:
    """Keep what is compiled inside, unless JAX has a folder already or this one cannot be made."""
    folder = cache_folder()
    if _setting("jax_compilation_cache_dir") or not _writable(folder):
        yield
        return
    before = {name: _setting(name) for name in _SETTINGS}
    from jax.experimental.compilation_cache import compilation_cache

    try:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        for name, value in _SETTINGS.items():
            jax.config.update(name, value)
        # JAX looks at its settings once, at the first compilation of the process.
        compilation_cache.reset_cache()
        yield
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def cache_folder() -> Path:
    """Say where compiled programs are kept.

    Returns:
        ``fanin/jax`` in the person's cache folder, and in it one folder for each processor.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "fanin" / "jax" / _processor()


def _setting(name: str) -> Any:
    return getattr(jax.config, name)


def _processor() -> str:
    """A name for what machine code may be compiled for: the architecture and its extensions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = list[str]()
    told = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    text = f"{platform.machine()} {platform.processor()} {told}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
