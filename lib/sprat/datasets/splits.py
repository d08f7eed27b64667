"""Which samples are held out: chosen once, the same for everybody and for ever."""

import hashlib
from collections.abc import Sequence

import numpy as np

_HASH_RANGE = 1 << 32


def at_random(count: int, split: str, *, test_share: float) -> np.ndarray:
    """The places of a split's samples, in random order.

    Args:
        count: how many samples there are.
        split: ``"train"`` or ``"test"``.
        test_share: the share that is in test.
    """
    # RandomState is the one generator whose numbers numpy promises never to change.
    order = np.random.RandomState(count).permutation(count)
    held = round(test_share * count)
    return order[:held] if split == "test" else order[held:]


def the_last(count: int, split: str, *, test_share: float) -> np.ndarray:
    """The places of a split's samples, in order; test is what comes last.

    Args:
        count: how many samples there are, in the order of time.
        split: ``"train"`` or ``"test"``.
        test_share: the share that is in test.
    """
    cut = count - round(test_share * count)
    return np.arange(cut, count) if split == "test" else np.arange(cut)


def by_hash(keys: Sequence[str], split: str, *, test_share: float) -> list[int]:
    """The places of a split's samples, in order; samples of one key are in one split.

    Args:
        keys: what decides, one a sample.
        split: ``"train"`` or ``"test"``.
        test_share: about the share of keys that are in test.
    """
    limit, wanted = int(test_share * _HASH_RANGE), split == "test"

    def held(key: str) -> bool:
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:4], "big") < limit

    return [place for place, key in enumerate(keys) if held(key) == wanted]
