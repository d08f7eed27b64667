"""The book's own prose holds no result that was typed by hand; and one put there is refused."""

import json
import shutil

import pytest

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import executed, settings, typed
from chapterhouse.site.stage import stage


def runs(course: Course) -> list[executed.Executed]:
    """Every executed notebook of a course."""
    paths = [course.root / f"{page}.ipynb" for page in settings.load(course).pages]
    return [executed.load(course, path, profile="fast") for path in paths if path.is_file()]


@pytest.mark.slow
def test_no_page_of_the_book_has_a_typed_result(book_site):
    found = runs(book_site)
    assert len(found) > 10
    assert [finding for run in found for finding in typed.findings(run)] == []


@pytest.mark.slow
def test_a_result_typed_into_a_chapter_of_the_book_is_found(book_site):
    by_slug = {run.slug: run for run in runs(book_site)}
    run = by_slug["01_first_model"]
    share = f"{run.values.get('accuracy_net') or _claimed(run, 'accuracy_net'):.2%}"
    run.source.cells[-1].source += f"\n\nThe network names {share} of them."
    (found,) = typed.findings(run)
    assert share in found


def _claimed(run: executed.Executed, name: str) -> float:
    return next(claim["value"] for claim in run.claims if claim.get("name") == name)


@pytest.mark.slow
def test_a_site_with_a_typed_result_is_not_built(small_site, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(small_site.root, folder, ignore=shutil.ignore_patterns("site", "html"))
    course = Course.find(folder)
    record = json.loads((course.build / "executed/fast/01_line.json").read_text())
    loss = f"{record['claims'][0]['value']:.5f}"
    for path in (folder / "chapters/01_line.ipynb", course.build / "executed/fast/01_line.ipynb"):
        notebook = json.loads(path.read_text())
        notebook["cells"][-1]["source"] = f"The mistake is {loss}."
        path.write_text(json.dumps(notebook))
    with pytest.raises(SiteError, match=rf"cell 7: {loss} is typed by hand") as caught:
        stage(course, settings.load(course))
    assert "{run}" in caught.value.fix
