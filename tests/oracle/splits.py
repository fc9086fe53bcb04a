"""The same messages in other epochs: files that say what one file says, cut and mixed at random.

`arqon run` reads its inputs in the order of the flags and closes an epoch where a file ends, so a
list of small files is a split into epochs.
"""

import json

PIECES_MAX = 6


def mixed(sequences, chance):
    """One order of the items of all sequences that keeps the order within each."""
    left = [list(reversed(sequence)) for sequence in sequences if sequence]
    order = []
    while left:
        # Longer sequences give more often, so that none is left over in one block.
        sequence = chance.choices(left, weights=map(len, left))[0]
        order.append(sequence.pop())
        left = [sequence for sequence in left if sequence]
    return order


def cut(items, chance):
    """A list cut into a random number of pieces of random sizes; none is empty."""
    n_cuts = min(chance.randint(0, PIECES_MAX - 1), max(len(items) - 1, 0))
    ends = sorted(chance.sample(range(1, len(items)), n_cuts)) if n_cuts else []
    return [items[start:end] for start, end in zip([0, *ends], [*ends, len(items)], strict=True)]


def went_and_came(rows, share, chance):
    """Steps that end with `rows`: (step, rows) with pieces that are inserted, and a share of them
    that is deleted in between and inserted again later."""
    rows = list(rows)
    chance.shuffle(rows)
    steps = [("insert", piece) for piece in cut(rows, chance)]
    at = chance.randint(1, len(steps))
    there = [row for _, piece in steps[:at] for row in piece]
    gone = chance.sample(there, int(len(there) * share))
    if gone:
        steps.insert(at, ("delete", gone))
        steps.insert(chance.randint(at + 1, len(steps)), ("insert", gone))
    return steps


def write(path, lines):
    """A file of JSON objects, one a line."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
