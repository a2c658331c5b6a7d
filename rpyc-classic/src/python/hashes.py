"""Keys of peers' containers that are chosen to be slow."""

# For each item: those of nobody's choice rarely need one at all (-1 and -2 share a hash, 0 and '' do).
_MAX_COMPARISONS = 32


def check_keys(keys):
    """A ValueError for keys that take too many comparisons to tell from each other.

    They have the same hash then. Python's hashes of numbers are no secret, so a peer can choose such;
    and where such sets are keys of sets in turn, each comparison of two is as slow as the building of one.
    """
    comparisons, size = 0, len(keys)
    for group in _same_hash(keys):
        if len(group) > 1:
            costs = [_cost(key) for key in group]
            each = max(cost for cost, _ in costs)
            comparisons += each * (len(group) * (len(group) - 1) // 2)
            size += sum(parts for _, parts in costs) - len(group)
    if comparisons > size * _MAX_COMPARISONS:
        raise ValueError(
            f"so many of {len(keys)} keys have the same hash that telling them apart would take for ever"
        )


def _same_hash(keys):
    groups = {}
    for key in keys:
        groups.setdefault(hash(key), []).append(key)
    return groups.values()


def _cost(key):
    """What it takes to compare a value with one of the same hash, and the items in it, at least 1.

    An object is compared in one step, by its owner's code.
    """
    comparisons = size = 1
    groups = ()
    if type(key) is tuple:
        groups = [[item] for item in key]
    elif type(key) is frozenset:
        # Each item is looked up among those of the same hash.
        groups = _same_hash(key)
    for group in groups:
        for item in group:
            each, parts = _cost(item)
            comparisons += each * len(group)
            size += parts
    return comparisons, size
