"""The loops of the corpus against networkx, after every one of a thousand changes."""

import json
import random

import networkx
import pytest

SEED = 1735
N_CHANGES = 1_000
N_NODES = 40
# Few enough that graphs fall apart and grow together all the time.
N_EDGES_WANTED = 55
ROOTS = (0, 1, 2)


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


def answers(arqon, circuit, seed, changes, topic, folder, *more):
    """What the topic holds after each change; an epoch holds one line of the inputs."""
    path = folder / "deltas.ndjson"
    inputs = [
        (name, write(folder / f"{name}.ndjson", lines)) for name, lines in (seed, changes)
    ]
    options = ("--epoch-rows", "1", *more)
    arqon.run(circuit, inputs, [(topic, path)], *options, form="deltas")
    by_epoch = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        delta = json.loads(line)
        by_epoch.setdefault(delta["$epoch"], []).append((delta["$row"], delta["$diff"]))
    held, n_seed = {}, len(seed[1])
    for epoch in range(1, n_seed + len(changes[1]) + 1):
        for row, diff in by_epoch.pop(epoch, ()):
            key = tuple(sorted(row.items()))
            held[key] = held.get(key, 0) + diff
            if held[key] == 0:
                del held[key]
        if epoch > n_seed:
            assert all(count == 1 for count in held.values()), f"epoch {epoch}: {held}"
            yield [dict(key) for key in held]
    assert not by_epoch, f"epochs that nobody fed: {sorted(by_epoch)}"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_reachability(arqon, tmp_path, workers):
    lines, states = signed_edges(random.Random(SEED))
    seed = ("graph.roots", [{"id": root} for root in ROOTS])
    changes = ("graph.ways", lines)
    found = answers(
        arqon,
        "circuits/ok/reachability.yaml",
        seed,
        changes,
        "graph.reached",
        tmp_path,
        "--workers",
        workers,
    )
    n_checked = 0
    for edges, rows in zip(states, found, strict=True):
        graph = networkx.DiGraph(edges)
        graph.add_nodes_from(ROOTS)
        wanted = set(ROOTS).union(*(networkx.descendants(graph, root) for root in ROOTS))
        assert {row["id"] for row in rows} == wanted
        n_checked += 1
    assert n_checked == N_CHANGES


def test_components(arqon, tmp_path):
    lines, states = signed_edges(random.Random(SEED + 1))
    seed = ("graph.nodes", [{"id": node} for node in range(N_NODES)])
    changes = ("graph.ties", lines)
    found = answers(
        arqon, "circuits/ok/components.yaml", seed, changes, "graph.members", tmp_path
    )
    for edges, rows in zip(states, found, strict=True):
        graph = networkx.Graph(edges)
        graph.add_nodes_from(range(N_NODES))
        wanted = {
            node: min(component)
            for component in networkx.connected_components(graph)
            for node in component
        }
        assert {row["id"]: row["component"] for row in rows} == wanted


def test_shortest_paths(arqon, tmp_path):
    generator = random.Random(SEED + 2)
    lines, states = lengths(generator)
    offices = [f"n{root}" for root in ROOTS]
    seed = ("map.offices", [{"id": office} for office in offices])
    changes = ("map.roads", lines)
    found = answers(
        arqon, "circuits/ok/shortest_paths.yaml", seed, changes, "map.distances", tmp_path
    )
    for roads, rows in zip(states, found, strict=True):
        graph = networkx.DiGraph()
        graph.add_nodes_from(offices)
        graph.add_weighted_edges_from((src, dst, length) for (src, dst), length in roads)
        wanted = networkx.multi_source_dijkstra_path_length(graph, set(offices))
        assert {row["id"]: row["length"] for row in rows} == wanted


def lengths(generator):
    """Roads that open, change their length and close."""
    roads, lines, states = {}, [], []
    for _ in range(N_CHANGES):
        if roads and generator.random() < len(roads) / (2 * N_EDGES_WANTED):
            src, dst = generator.choice(sorted(roads))
            del roads[src, dst]
            lines.append({"$delete": {"src": src, "dst": dst}})
        else:
            is_change = roads and generator.random() < 0.3
            nodes = (f"n{generator.randrange(N_NODES)}" for _ in range(2))
            src, dst = generator.choice(sorted(roads)) if is_change else tuple(nodes)
            roads[src, dst] = generator.randrange(10)
            lines.append({"src": src, "dst": dst, "length": roads[src, dst]})
        states.append(sorted(roads.items()))
    return lines, states
