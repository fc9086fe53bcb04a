"""What the oracle tests share: the program, the tables, and the way to run a circuit over files."""

import datetime
import os
import pathlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 600
BACKENDS = os.environ.get("ARQON_BACKENDS", "auto").split(",")


@dataclass(frozen=True)
class Arqon:
    """The `arqon` command."""

    program: str

    def run(self, circuit, inputs, outputs, *more, params=None, form="snapshot"):
        """Runs a circuit over files until nothing is left to do; its outputs are of that form.

        `inputs` is a list of (topic, path), read in this order; `outputs` of (topic, path);
        `params` replaces parameters of the circuit.
        """
        arguments = [self.program, "run", str(ROOT / circuit)]
        for topic, path in inputs:
            arguments += ["--input", f"{topic}={path}"]
        for topic, path in outputs:
            arguments += ["--output", f"{topic}={path}"]
        for name, value in (params or {}).items():
            arguments += ["--set", f"{name}={literal(value)}"]
        arguments += ["--as", form, "--until-idle", *more]
        ended = subprocess.run(
            arguments, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False
        )
        assert ended.returncode == 0, f"{' '.join(arguments)}\n{ended.stdout}\n{ended.stderr}"


def literal(value):
    """A parameter's value as `--set` takes it."""
    return f"{value.days}d" if isinstance(value, datetime.timedelta) else str(value)


def setting(name, default):
    """A number from the environment."""
    return int(os.environ.get(name, default))


def on_backends(work):
    """What `work` makes of each back end that is asked for, all at the same time."""
    with ThreadPoolExecutor(len(BACKENDS)) as pool:
        return list(pool.map(work, BACKENDS))


def columns_of(text):
    """`id: int, name: str` as a map from names to types."""
    return dict(column.split(": ") for column in " ".join(text.split()).split(", "))


@pytest.fixture(scope="session")
def arqon():
    """The command named by ARQON_BIN; `cargo xtask test` sets it."""
    program = os.environ.get("ARQON_BIN")
    if not program:
        pytest.skip("ARQON_BIN names no program to run")
    return Arqon(program)


@pytest.fixture(scope="session")
def tpch_tables():
    """The folder with the TPC-H tables; `cargo xtask test` writes them and sets ARQON_TPCH."""
    folder = os.environ.get("ARQON_TPCH")
    if not folder:
        pytest.skip("ARQON_TPCH names no folder with tables")
    return pathlib.Path(folder)


@pytest.fixture(scope="session")
def nexmark_events():
    """The folder with the Nexmark events; `cargo xtask test` writes them and sets ARQON_NEXMARK."""
    folder = os.environ.get("ARQON_NEXMARK")
    if not folder:
        pytest.skip("ARQON_NEXMARK names no folder with events")
    return pathlib.Path(folder)
