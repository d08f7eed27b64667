"""Write the public address of a GitHub repository into _config.yml, where that names none.

``python scripts/address.py OWNER/NAME`` fills in `repository: url` and `html: baseurl`, so that
pages link their source and open their notebooks in Colab. What stands there already is kept. The
workflow that publishes the site runs it, so a fork's site names the fork.
"""

import re
import sys
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "_config.yml"


def filled(text: str, repository: str) -> str:
    """The settings with both addresses.

    Args:
        text: of `_config.yml`.
        repository: ``OWNER/NAME`` on GitHub.

    Raises:
        ValueError: that is no repository, or the settings have no line for an address.
    """
    if not re.fullmatch(r"[\w-]+/[\w.-]+", repository):
        raise ValueError(f"{repository!r} was given; OWNER/NAME was expected.")
    owner, name = repository.split("/")
    host = f"{owner.lower()}.github.io"
    # A repository that is called like the host has the host's root for itself.
    site = f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"
    text = _set(text, "url", f"https://github.com/{repository}")
    return _set(text, "baseurl", site)


def _set(text: str, key: str, address: str) -> str:
    line = re.search(rf"(?m)^  {key}:[ \t]*(?P<value>[^#\n]*?)[ \t]*$", text)
    if line is None:
        raise ValueError(f"_config.yml has no line `  {key}:`.")
    if line["value"] not in ("", '""', "''"):
        return text
    return text[: line.start()] + f'  {key}: "{address}"' + text[line.end() :]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/address.py OWNER/NAME")
    try:
        CONFIG.write_text(filled(CONFIG.read_text(encoding="utf-8"), sys.argv[1]), encoding="utf-8")
    except ValueError as error:
        sys.exit(
            f"{error}\n  fix: python scripts/address.py OWNER/NAME, with both lines in _config.yml"
        )
