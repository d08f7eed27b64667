"""Byte-pair encoding's two loops: learning which neighbours to join, and joining them.

After algorithm 1 of Sennrich, Haddow and Birch (2016), https://arxiv.org/abs/1508.07909, except
that counts are kept up to date instead of counting again: a merge changes only the words that
hold the pair.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

Pair = tuple[int, int]

#: How a person reads each of the 256 bytes: as its character where it is a visible one of ASCII.
BYTES = tuple(chr(b) if 33 <= b < 127 else f"<{b:02x}>" for b in range(256))


def learn_merges(words: Mapping[tuple[int, ...], int], first: int, size: int) -> list[Pair]:
    """The pairs to join, in order, until there are `size` pieces or no pair stands twice.

    Args:
        words: how often each word stands in the text, as the indices of its pieces.
        first: the index of the first new piece.
        size: how many pieces there are to be.

    Returns:
        The two pieces that each new one joins. Of equally common pairs the smallest comes first,
        so the result depends on nothing but the counts.
    """
    spelled = [list(word) for word in words]
    times = list(words.values())
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(spelled):
        for pair in pairwise(word):
            counts[pair] += times[number]
            where[pair].add(number)
    # The commonest pair is on top. A count that has changed since is noticed when it comes up.
    heap = [(-count, pair) for pair, count in counts.items()]
    heapify(heap)
    merges: list[Pair] = []
    while first + len(merges) < size and heap:
        negative, best = heappop(heap)
        if counts[best] != -negative:
            continue
        if counts[best] < 2:
            break
        new = first + len(merges)
        merges.append(best)
        touched: set[Pair] = set()
        for number in where.pop(best):
            old, word = spelled[number], joined(spelled[number], best, new)
            spelled[number] = word
            for pair in pairwise(old):
                counts[pair] -= times[number]
            for pair in pairwise(word):
                counts[pair] += times[number]
                where[pair].add(number)
            touched.update(pairwise(old), pairwise(word))
        for pair in touched:
            if counts[pair]:
                heappush(heap, (-counts[pair], pair))
    return merges


def apply_merges(word: Sequence[int], ranks: Mapping[Pair, int]) -> list[int]:
    """Join what can be joined, what was learnt first always first.

    Args:
        word: indices of pieces.
        ranks: the piece that each pair becomes; earlier ones have smaller indices.
    """
    pieces = list(word)
    while len(pieces) > 1:
        candidates = [pair for pair in pairwise(pieces) if pair in ranks]
        if not candidates:
            break
        first = min(candidates, key=ranks.__getitem__)
        pieces = joined(pieces, first, ranks[first])
    return pieces


def joined(word: Sequence[int], pair: Pair, new: int) -> list[int]:
    """A word with every occurrence of a pair, from left to right, replaced by one piece."""
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out
