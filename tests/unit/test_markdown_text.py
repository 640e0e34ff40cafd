"""What others wrote is text on every page: rendered as CommonMark with tables and links, nothing of it is obeyed."""

import re

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from c2m.markdown import plain, table

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden -->",
    "![seen](https://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "[click](data:text/html,x)",
    "[a]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "<https://evil.example>",
    "https://evil.example/bare",
    "HTTP://EVIL.example",
    "www.evil.example",
    "someone@evil.example",
    "mailto:someone@evil.example",
    "&lt;script&gt; &#60;b&#62;",
    "`code`",
    "**bold** _it_ ~~gone~~",
    "# head",
    "a | b | c",
    "a \\| b",
    "line\nbreak\r\n| --- |",
    "\\<b>",
    "[x][y]\n\n[y]: http://evil.example",
    "- item",
    "> quote",
]


def rendered(markdown: str) -> str:
    """By a renderer that takes HTML and tables, as the pages' does."""
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


def has_address(html: str) -> bool:
    """Whether a renderer that links bare addresses would find one."""
    return bool(re.search(r"(?i)\b(?:https?|ftp|mailto|javascript):[\w/]|\bwww\.\w|\w@\w", html))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_cell_is_the_text_that_was_written(payload: str) -> None:
    html = rendered(table(pd.DataFrame({"reason": [payload], "pieces": [1]})))
    assert set(re.findall(r"<(/?\w+)", html)) <= {
        f"{end}{name}" for name in ("table", "thead", "tbody", "tr", "th", "td") for end in ("", "/")
    }
    assert html.count("<td") == 2
    assert not has_address(html)
    shown = re.sub(r"<[^>]*>", "", html.split("<tbody>")[1])
    told = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert told.replace("\u200b", "").split() == [*payload.split(), "1"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_words_in_a_line_are_text(payload: str) -> None:
    html = rendered(f"Rejected: {plain(payload)}")
    assert set(re.findall(r"<(/?\w+)", html)) <= {"p", "/p"}
    assert not has_address(html)


def test_links_of_ours_stay_links() -> None:
    html = rendered(table(pd.DataFrame({"video": ["[line 1 | b](http://127.0.0.1/x)"]}), markdown=["video"]))
    assert '<a href="http://127.0.0.1/x">line 1 | b</a>' in html
