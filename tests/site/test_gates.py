"""What judges from outside say of the built pages: axe of access, html-validate of the HTML."""

import json
import subprocess

import pytest

# axe's rules are for pages as people meet them: both themes, a wide window and a phone.
VIEWS = [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)]
PAGES = [
    ("small_site", "book/index"),
    ("small_site", "chapters/01_line"),
    ("small_site", "chapters/04_under_the_hood"),
    ("small_site", "book/glossary"),
    ("small_site", "book/api/api_pebble"),
    ("small_site", "book/claims"),
    ("small_site", "book/timing"),
    ("small_site", "search"),
    ("small_site", "genindex"),
    ("book_site", "book/index"),
    ("book_site", "chapters/01_first_model"),
    ("book_site", "chapters/04_under_the_hood"),
    ("book_site", "chapters/21_making_things_up"),
    ("book_site", "book/api/api_interpret"),
]
RULES = {
    "root": True,
    "extends": ["html-validate:standard"],
    # A landmark by its role is as good as one by its element, and the theme writes the former.
    "rules": {"prefer-native-element": "off"},
}


@pytest.mark.slow
@pytest.mark.parametrize(("site", "page"), PAGES)
def test_axe_finds_nothing_that_keeps_people_out(request, browser, address, page_tools, site, page):
    base = address(request.getfixturevalue(site))
    found = []
    for scheme, width in VIEWS:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        tab = context.new_page()
        tab.goto(f"{base}{page}.html")
        tab.wait_for_load_state("networkidle")
        # A transition would be judged half-way.
        tab.add_style_tag(content="* { transition: none !important }")
        tab.add_script_tag(path=page_tools / "node_modules/axe-core/axe.min.js")
        result = tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        assert len(result["passes"]) > 5, "axe looked at nothing"
        found += [
            f"{scheme} {width}: {fault['impact']} {fault['id']}: {fault['nodes'][0]['html'][:160]}"
            for fault in result["violations"]
            if fault["impact"] in ("moderate", "serious", "critical")
        ]
        context.close()
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("site", ["small_site", "book_site"])
def test_every_page_is_valid_html(request, page_tools, tmp_path, site):
    course = request.getfixturevalue(site)
    html = course.build / "html"
    pages = [str(p) for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    assert len(pages) > 4
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    command = page_tools / "node_modules/html-validate/bin/html-validate.mjs"
    done = subprocess.run(
        [str(page_tools / "node"), str(command), "--config", str(rules), "-f", "json", *pages],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout or "null")
    assert report is not None, done.stderr
    faults = [
        f"{page['filePath'].rpartition('/')[2]}:{fault['line']} {fault['ruleId']}: "
        f"{fault['message']} ({fault['selector']})"
        for page in report
        for fault in page["messages"]
    ]
    assert faults == []
    assert done.returncode == 0, done.stderr
