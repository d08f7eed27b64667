"""The cell that installs the book's library where a notebook finds itself without it.

A notebook of a public site takes the wheel from there. While a site has no public address, the
notebook carries the wheel within itself, so that it runs after an upload with nothing done by hand.
"""

from __future__ import annotations

import base64
import textwrap
from dataclasses import dataclass

_FROM_ADDRESS = '''\
wheel = os.environ.get("{variable}", "{address}")
if importlib.util.find_spec("{module}") is None:
    if not wheel:
        raise RuntimeError(
            "{distribution} is not installed, and this notebook has no address to get it from. "
            "Fix: download the wheel from the site that this notebook came from, set {variable} "
            "to its path, and run this cell again."
        )
    %pip install -q --no-deps "{{wheel}}"'''

_CARRIED = '''\
wheel = os.environ.get("{variable}", "")
if importlib.util.find_spec("{module}") is None:
    if not wheel:
        # The wheel itself, as text: this notebook comes from a site without a public address.
        packed = """
{packed}
"""
        wheel = os.path.join(tempfile.mkdtemp(), "{name}")
        with open(wheel, "wb") as file:
            file.write(base64.b64decode(packed))
    %pip install -q --no-deps "{{wheel}}"'''


@dataclass(frozen=True)
class WheelSource:
    """Where a notebook gets the library's wheel.

    Args:
        distribution: what the library is called; ``<NAME>_WHEEL`` in the environment comes first.
        name: the wheel's file name.
        address: where it can be had, or nothing.
        content: the wheel itself, to be carried where there is no address.
    """

    distribution: str
    name: str = ""
    address: str = ""
    content: bytes | None = None

    @property
    def imports(self) -> str:
        """The import lines that `code` needs."""
        names = ["importlib.util", "os"]
        if self._carries:
            names = ["base64", *names, "tempfile"]
        return "\n".join(f"import {name}" for name in names)

    def code(self, module: str) -> str:
        """Lines that install the wheel where `module` cannot be imported, without dependencies.

        A reader's own copy is left alone.
        """
        known = {
            "variable": f"{self.distribution.upper()}_WHEEL",
            "distribution": self.distribution,
            "module": module,
        }
        if not self._carries:
            return _FROM_ADDRESS.format(address=self.address, **known)
        assert self.content is not None
        packed = "\n".join(textwrap.wrap(base64.b64encode(self.content).decode(), 120))
        return _CARRIED.format(name=self.name, packed=packed, **known)

    @property
    def _carries(self) -> bool:
        return self.content is not None and not self.address
