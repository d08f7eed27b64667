"""The whole site made light; see the package."""

from __future__ import annotations

import hashlib
import io
import re
from html import escape
from pathlib import Path

from chapterhouse.site import cards
from chapterhouse.site.releases import marks
from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.slim import fonts, pages, styles
from chapterhouse.site.slim.pages import Page

_FONT_FACE = (
    '@font-face{{font-family:"Book Math";src:url("{url}") format("woff2");font-display:swap}}'
)
_TAG = re.compile(r"<([a-zA-Z][\w-]*)")
_WORD = re.compile(r"[A-Za-z_-][\w-]*")
_CLASSES = re.compile(r"\b(?:class|id)=(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
# What scripts do once the page stands, each in its own turn: a reader's tap is answered in between.
_IN_TURNS = """\
const lateTasks = [];
const listen = document.addEventListener;
document.addEventListener = function (type, task, options) {
  if (type === "DOMContentLoaded") lateTasks.push(task);
  else listen.call(this, type, task, options);
};
%s
document.addEventListener = listen;
listen.call(document, "DOMContentLoaded", (event) => {
  const next = () => {
    const task = lateTasks.shift();
    if (!task) return;
    setTimeout(next);
    (task.handleEvent ?? task).call(task.handleEvent ? task : document, event);
  };
  setTimeout(next);
});
"""
# Below this a picture is not worth a second file.
_SMALL = 2048


def slim(folder: Path, settings: SiteSettings, kept: Path) -> None:
    """Rewrite the pages in `folder`, and remove what they no longer load.

    Args:
        folder: the assembled site.
        settings: its title and addresses.
        kept: a folder for pictures that were made smaller before.
    """
    found = [
        pages.read(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.relative_to(folder).parts and path != folder / "index.html"
    ]
    taken = {name for page in found for name in (*page.sheets, *page.scripts)}
    taken |= {
        name
        for sheet in list(taken)
        if sheet.endswith(".css")
        for name, _ in styles.read(sheet, folder)
    }
    script, rest = _bundle_scripts(folder, found)
    sheet = _bundle_styles(folder, found, (folder / script).read_text(encoding="utf-8"))
    pictures = _Pictures(folder, kept)
    for page in found:
        pages.without_inline_pictures(page, folder)
        pages.with_lazy_pictures(page, pictures.size, pictures.smaller)
        lines = [
            f'<link rel="stylesheet" href="{page.to(sheet)}">',
            f'<script defer src="{page.to(script)}"></script>',
            *(f'<script defer src="{page.to(name)}"></script>' for name in rest[page.path]),
            *_about(page, settings, folder),
        ]
        pages.with_head(page, lines)
        (folder / page.path).write_text(page.html, encoding="utf-8")
    for name in taken - {name for names in rest.values() for name in names}:
        if not name.startswith("="):
            (folder / name).unlink(missing_ok=True)


def _bundle_scripts(folder: Path, found: list[Page]) -> tuple[str, dict[str, list[str]]]:
    """One file of what every page runs, and for each page what it runs besides."""
    common = [s for s in found[0].scripts if all(s in page.scripts for page in found)]
    parts = []
    for script in dict.fromkeys(common):
        text = script[1:] if script.startswith("=") else (folder / script).read_text("utf-8")
        # A map of the source is not published.
        parts.append(re.sub(r"(?m)^//# sourceMappingURL=.*$", "", text).strip())
    rest = {}
    for page in found:
        other = [script for script in page.scripts if script not in common]
        rest[page.path] = [_as_file(folder, script) for script in dict.fromkeys(other)]
    return _write(folder, "book", "js", (_IN_TURNS % ";\n".join(parts)).encode()), rest


def _as_file(folder: Path, script: str) -> str:
    """The path of a script; an inline one becomes a file, so that it can wait like the others."""
    if not script.startswith("="):
        return script
    return _write(folder, "page", "js", script[1:].encode())


def _bundle_styles(folder: Path, found: list[Page], script: str) -> str:
    html = "\n".join(page.html for page in found)
    scripts = "\n".join(re.findall(r"<script\b[^>]*>(.*?)</script>", html, re.DOTALL))
    named = " ".join("".join(groups) for groups in _CLASSES.findall(html))
    vocabulary = styles.Vocabulary(
        tags=frozenset(
            {tag.lower() for tag in _TAG.findall(html)} | set(_WORD.findall(script)) | {"html"}
        ),
        words=frozenset(named.split()) | frozenset(_WORD.findall(script + scripts)),
    )
    names = dict.fromkeys(name for page in found for name in page.sheets)
    sheets = list(dict.fromkeys(part for name in names for part in styles.read(name, folder)))
    css = styles.merge(sheets, vocabulary, target="_static/book.css")
    characters = {c for page in found for c in pages.formulas(page.html)}
    if characters:
        font = _write(folder, "fonts/math", "woff2", fonts.mathematics(characters | set("()[]{}|")))
        css = _FONT_FACE.format(url=font.removeprefix("_static/")) + css
    css = styles.without_unused_variables(css, html + script)
    css = fonts.slim_icons(css, folder / "_static", html)
    return _write(folder, "book", "css", css.encode())


def _write(folder: Path, stem: str, suffix: str, content: bytes) -> str:
    """Store a file under a name that changes with it, so that browsers may keep it for ever."""
    name = f"_static/{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return name


def _about(page: Page, settings: SiteSettings, folder: Path) -> list[str]:
    """What search engines and those who share the page are told."""
    title = re.search(r"<title>(.*?)</title>", page.html, re.DOTALL)
    text = pages.description(page.html)
    lines = []
    if text:
        lines.append(f'<meta name="description" content="{escape(text)}">')
        lines.append(f'<meta property="og:description" content="{escape(text)}">')
    if title:
        lines.append(f'<meta property="og:title" content="{title[1].strip()}">')
    lines.append('<meta property="og:type" content="article">')
    lines.append(f'<meta property="og:site_name" content="{escape(settings.title)}">')
    plain = settings.base_url + page.path if settings.base_url else ""
    if settings.version:
        lines.append(marks.head(canonical=plain))
    if plain:
        address = escape(plain)
        if not settings.version:
            lines.append(f'<link rel="canonical" href="{address}">')
        lines.append(f'<meta property="og:url" content="{address}">')
        if card := cards.store(folder, page.html, settings.title):
            picture = escape(settings.base_url + card)
            width, height = cards.SIZE
            lines += [
                f'<meta property="og:image" content="{picture}">',
                f'<meta property="og:image:width" content="{width}">',
                f'<meta property="og:image:height" content="{height}">',
                '<meta name="twitter:card" content="summary_large_image">',
            ]
    return lines


class _Pictures:
    """The site's pictures: their sizes, and smaller forms of the same pixels."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder, self.kept = folder, kept

    def size(self, name: str) -> tuple[int, int] | None:
        """(width, height) in pixels; None for what is no picture of pixels."""
        path = self.folder / name
        if path.suffix not in (".png", ".jpg", ".jpeg", ".webp") or not path.is_file():
            return None
        from PIL import Image

        with Image.open(path) as picture:
            return picture.size

    def smaller(self, name: str) -> str:
        """The path of the picture as lossless WebP where that is smaller, else its own."""
        path = self.folder / name
        if path.suffix != ".png" or not path.is_file() or path.stat().st_size < _SMALL:
            return name
        content = path.read_bytes()
        copy = self.kept / f"{hashlib.sha256(content).hexdigest()}.webp"
        if not copy.exists():
            from PIL import Image

            target = io.BytesIO()
            with Image.open(io.BytesIO(content)) as picture:
                picture.save(target, "WEBP", lossless=True, quality=60, method=4)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(target.getvalue())
        if copy.stat().st_size >= len(content):
            return name
        made = path.with_suffix(".webp")
        made.write_bytes(copy.read_bytes())
        return made.relative_to(self.folder).as_posix()
