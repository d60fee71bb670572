from __future__ import annotations

import pytest

from sdk_scripts.guidelines import instructions_html, same_html


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](data:text/html,1)", "<p>[x](data:text/html,1)</p>"),
        ("![x](file:///etc/passwd)", "<p>![x](file:///etc/passwd)</p>"),
        ("[x](https://e.test/?a=1&b=2)", '<p><a href="https://e.test/?a=1&amp;b=2">x</a></p>'),
        ("3. three", "<ol>\n<li>three</li>\n</ol>"),
        ("a ~~b~~ **c**", "<p>a <s>b</s> <strong>c</strong></p>"),
    ],
)
def test_markdown_becomes_html_that_runs_nothing(markdown: str, html: str) -> None:
    assert instructions_html(markdown) == html


def test_a_table_keeps_its_alignment_in_an_attribute_that_label_studio_keeps() -> None:
    assert '<th align="right">n</th>' in instructions_html("| n |\n|--:|\n| 1 |")


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("<p>a &quot;b&quot;</p>", '<p>a "b"</p>\n', True),
        ("<p>a<br />b</p>", "<p>a<br>b</p>", True),
        ('<a href="x" onclick="y">a</a>', "<a href='x'>a</a>", True),
        ("<p>a</p>", "<p>b</p>", False),
        ("<p>a</p>", "<h1>a</h1>", False),
        ('<a href="x">a</a>', '<a href="y">a</a>', False),
    ],
)
def test_html_is_compared_by_what_it_says(left: str, right: str, same: bool) -> None:
    assert same_html(left, right) is same
