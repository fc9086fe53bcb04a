"""Documents of the command against their published schemas, with a validator that is not ours."""

import json
import pathlib
import subprocess

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CIRCUITS = [
    path
    for folder in ("circuits/ok", "circuits/demo", "circuits/bench", "circuits/diff")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
]
# Wrong in their shape, which is all that a schema of the file can see.
MISSHAPEN = (
    "e0011_", "e0012_topic", "e0013_", "e0014_unknown_discipline", "e0016_", "e0018_", "e0020_"
)
# An entry of a mock may be a kernel's row, which has any keys: what is mocked is not in its shape.
SHAPED = {"e0011_mock_with_a_misspelt_key.yaml"}


def printed(arqon, *arguments):
    """What the command prints on stdout; it may find errors."""
    ended = subprocess.run(
        [arqon.program, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


class Loader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does: dates are texts, and so are `yes` and `no`."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":bool"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", __import__("re").compile("^(?:true|false)$"), list("tf")
)


def read(path):
    """A circuit file as an editor sees it."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506


@pytest.fixture(scope="session")
def circuit_schema(arqon):
    """The validator of circuit files."""
    schema = json.loads(printed(arqon, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="session")
def sarif_schema():
    """The validator of SARIF 2.1.0."""
    path = ROOT / "tests/oracle/fixtures/sarif-2.1.0-rtm.5.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema)


def faults(validator, document):
    """Where a document departs from its schema."""
    return [
        f"{'/'.join(map(str, fault.absolute_path))}: {fault.message[:200]}"
        for fault in validator.iter_errors(document)
    ]


@pytest.mark.parametrize("path", CIRCUITS, ids=lambda path: str(path.relative_to(ROOT)))
def test_right_circuits_have_the_shape_of_circuits(circuit_schema, path):
    assert faults(circuit_schema, read(path)) == []


def test_misshapen_circuits_do_not(circuit_schema):
    paths = [
        path
        for path in sorted((ROOT / "circuits/err").glob("*.yaml"))
        if path.name.startswith(MISSHAPEN) and path.name not in SHAPED
    ]
    assert len(paths) >= 8
    passed = [path.name for path in paths if not faults(circuit_schema, read(path))]
    assert passed == []


def test_the_schema_of_a_compile_is_the_same(arqon):
    emitted = printed(arqon, "compile", "circuits/ok/shop_revenue.yaml", "--emit", "schema")
    assert emitted == printed(arqon, "schema")


@pytest.mark.parametrize("folder", ["circuits/err", "circuits/ok", "circuits/err/imports"])
def test_findings_are_sarif(arqon, sarif_schema, folder):
    document = json.loads(printed(arqon, "check", "--format", "sarif", folder))
    assert faults(sarif_schema, document) == []
    results = document["runs"][0]["results"]
    assert len(results) >= (100 if folder == "circuits/err" else 1)
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)


def test_fixes_and_places_in_other_files_are_sarif_too(arqon, sarif_schema):
    document = json.loads(printed(arqon, "check", "--format", "sarif", "circuits/err"))
    results = document["runs"][0]["results"]
    assert any("fixes" in result for result in results)
    files = [
        {
            place["physicalLocation"]["artifactLocation"]["uri"]
            for place in result["locations"] + result.get("relatedLocations", [])
        }
        for result in results
    ]
    assert any(len(named) == 2 for named in files)


def test_what_is_not_sarif_is_refused(sarif_schema):
    assert faults(sarif_schema, {"version": "2.1.0"}) != []
    run = {"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "E0001"}]}
    assert faults(sarif_schema, {"version": "2.1.0", "runs": [run]}) != []
