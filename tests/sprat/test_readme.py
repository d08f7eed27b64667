"""The code in the README runs as it is printed."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import sprat as sp

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_code_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Pictures of their own size, but few and cheap.
    torch.manual_seed(0)
    count, classes = 150, 3  # so that a tenth of them, drawn at random, has every class
    pixels = torch.randint(0, 90, (count, 1, 28, 28), dtype=torch.uint8)
    for kind in range(classes):  # the finder of rates needs something that can be learnt
        pixels[kind::classes, :, 9 * kind : 9 * kind + 9] += 160
    few = sp.Data(
        pixels, torch.arange(count) % classes, classes=[f"class {c}" for c in range(classes)]
    )
    monkeypatch.setattr(sp.datasets, "fetch", lambda name: few if name == "fashion_mnist" else None)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    shown = capsys.readouterr().out
    assert "predicted: class" in shown
    assert "train_kl" in names["learn"].history.rows[-1]
    assert re.search(r"\bin\b.*\bout\b", shown), "the VAE shows what goes in beside what comes out"
