"""Loops and kernels of circuits against networkx, after every one of a thousand changes.

`ARQON_CASES` and `ARQON_SEED` choose how many random graphs and from which seed, `ARQON_BACKENDS`
on which back ends; `cargo xtask torture graphs` sets them for the long run.
"""

import json
import random

import networkx
import pytest

from conftest import BACKENDS, setting

SEED = setting("ARQON_SEED", 1735)
N_GRAPHS = setting("ARQON_CASES", 2)
N_CHANGES = 1_000
N_NODES = 40
# Few enough that graphs fall apart and grow together all the time.
N_EDGES_WANTED = 55
ROOTS = (0, 1, 2)


@pytest.fixture(params=range(SEED, SEED + N_GRAPHS), ids="seed {}".format)
def seed(request):
    """What a random graph comes from."""
    return request.param


@pytest.fixture(params=BACKENDS)
def options(request, seed):
    """A back end, and as many workers as the seed says."""
    return "--backend", request.param, "--workers", str((1, 2, 4)[seed % 3])


def signed_edges(generator):
    """Changes of an edge set around `N_EDGES_WANTED` edges: what is written, and what is there."""
    edges, lines, states = {}, [], []
    for _ in range(N_CHANGES):
        if edges and generator.random() < len(edges) / (2 * N_EDGES_WANTED):
            edge, diff = generator.choice(sorted(edges)), -1
        else:
            edge, diff = (generator.randrange(N_NODES), generator.randrange(N_NODES)), 1
        edges[edge] = edges.get(edge, 0) + diff
        if edges[edge] == 0:
            del edges[edge]
        row = {"src": edge[0], "dst": edge[1]}
        lines.append({"$diff": diff, "$row": row})
        states.append(sorted(edges))
    return lines, states


def write(path, lines):
    """Lines as NDJSON."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def answers(arqon, circuit, start, changes, topics, folder, *more):
    """What each topic holds after each change; an epoch holds one line of the inputs."""
    paths = [folder / f"{topic}.deltas.ndjson" for topic in topics]
    inputs = [
        (name, write(folder / f"{name}.ndjson", lines)) for name, lines in (start, changes)
    ]
    options = ("--epoch-rows", "1", *more)
    arqon.run(circuit, inputs, list(zip(topics, paths, strict=True)), *options, form="deltas")
    by_epoch = {}
    for topic, path in zip(topics, paths, strict=True):
        for line in path.read_text(encoding="utf-8").splitlines():
            delta = json.loads(line)
            by_epoch.setdefault(delta["$epoch"], []).append((topic, delta))
    held, n_seed = {topic: {} for topic in topics}, len(start[1])
    for epoch in range(1, n_seed + len(changes[1]) + 1):
        for topic, delta in by_epoch.pop(epoch, ()):
            key, rows = tuple(sorted(delta["$row"].items())), held[topic]
            rows[key] = rows.get(key, 0) + delta["$diff"]
            if rows[key] == 0:
                del rows[key]
        if epoch > n_seed:
            for rows in held.values():
                assert all(count == 1 for count in rows.values()), f"epoch {epoch}: {rows}"
            yield [[dict(key) for key in held[topic]] for topic in topics]
    assert not by_epoch, f"epochs that nobody fed: {sorted(by_epoch)}"


def reached(edges):
    """What ways lead to from the roots."""
    graph = networkx.DiGraph(edges)
    graph.add_nodes_from(ROOTS)
    return set(ROOTS).union(*(networkx.descendants(graph, root) for root in ROOTS))


def least_of_components(edges, nodes):
    """Of every node the least that it hangs together with."""
    graph = networkx.Graph(edges)
    graph.add_nodes_from(nodes)
    components = networkx.connected_components(graph)
    return {node: min(component) for component in components for node in component}


def distances(roads, roots):
    """How far each node is from the nearest root."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(roots)
    graph.add_weighted_edges_from((src, dst, length) for (src, dst), length in roads)
    return networkx.multi_source_dijkstra_path_length(graph, set(roots))


def test_reachability(arqon, tmp_path, seed, options):
    lines, states = signed_edges(random.Random(seed))
    start = ("graph.roots", [{"id": root} for root in ROOTS])
    changes = ("graph.ways", lines)
    circuit = "circuits/ok/reachability.yaml"
    found = answers(arqon, circuit, start, changes, ("graph.reached",), tmp_path, *options)
    for edges, (rows,) in zip(states, found, strict=True):
        assert {row["id"] for row in rows} == reached(edges)


def test_components(arqon, tmp_path, seed, options):
    lines, states = signed_edges(random.Random(seed))
    start = ("graph.nodes", [{"id": node} for node in range(N_NODES)])
    changes = ("graph.ties", lines)
    circuit = "circuits/ok/components.yaml"
    found = answers(arqon, circuit, start, changes, ("graph.members",), tmp_path, *options)
    for edges, (rows,) in zip(states, found, strict=True):
        wanted = least_of_components(edges, range(N_NODES))
        assert {row["id"]: row["component"] for row in rows} == wanted


def test_shortest_paths(arqon, tmp_path, seed, options):
    lines, states = lengths(random.Random(seed))
    offices = [f"n{root}" for root in ROOTS]
    start = ("map.offices", [{"id": office} for office in offices])
    changes = ("map.roads", lines)
    circuit = "circuits/ok/shortest_paths.yaml"
    found = answers(arqon, circuit, start, changes, ("map.distances",), tmp_path, *options)
    for roads, (rows,) in zip(states, found, strict=True):
        assert {row["id"]: row["length"] for row in rows} == distances(roads, offices)


def test_kernels_and_loops_of_a_network(arqon, tmp_path, seed, options):
    lines, states = signed_edges(random.Random(seed))
    start = ("grid.plants", [{"id": root} for root in ROOTS])
    topics = ("grid.members", "grid.powered", "grid.stray", "grid.dark")
    circuit, changes = "circuits/demo/network.yaml", ("grid.lines", lines)
    found = answers(arqon, circuit, start, changes, topics, tmp_path, *options)
    for edges, (members, powered, stray, dark) in zip(states, found, strict=True):
        assert {row["id"]: row["component"] for row in members} == least_of_components(edges, ROOTS)
        assert {row["id"] for row in powered} == reached(edges)
        assert stray == dark == []


def test_kernel_and_loop_of_shortest_paths(arqon, tmp_path, seed, options):
    lines, states = lengths(random.Random(seed), number, "weight")
    start = ("map.depots", [{"id": root} for root in ROOTS])
    topics, changes = ("map.reached", "map.differ"), ("map.roads", lines)
    circuit = "circuits/demo/paths.yaml"
    found = answers(arqon, circuit, start, changes, topics, tmp_path, *options)
    for roads, (rows, differ) in zip(states, found, strict=True):
        assert {row["id"]: row["distance"] for row in rows} == distances(roads, ROOTS)
        assert differ == []


def town(node):
    """A node by a name."""
    return f"n{node}"


def number(node):
    """A node by its number."""
    return node


def lengths(generator, place=town, field="length"):
    """Roads that open, change their length and close."""
    roads, lines, states = {}, [], []
    for _ in range(N_CHANGES):
        if roads and generator.random() < len(roads) / (2 * N_EDGES_WANTED):
            src, dst = generator.choice(sorted(roads))
            del roads[src, dst]
            lines.append({"$delete": {"src": src, "dst": dst}})
        else:
            is_change = roads and generator.random() < 0.3
            nodes = (place(generator.randrange(N_NODES)) for _ in range(2))
            src, dst = generator.choice(sorted(roads)) if is_change else tuple(nodes)
            roads[src, dst] = generator.randrange(10)
            lines.append({"src": src, "dst": dst, field: roads[src, dst]})
        states.append(sorted(roads.items()))
    return lines, states
