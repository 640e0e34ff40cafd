"""MkDocs hook: files of the project that pages link to, code above all, become part of the site, as text."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_OUTSIDE = re.compile(r"\]\(((?:\.\./)+)([^)#\s]+)((?:#[^)\s]*)?)\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds each file outside docs/ that a page links to. A link to one that is not there stays, and fails the build."""
    root = Path(config.docs_dir).parent
    for page in list(files.documentation_pages()):
        for _, name, _ in _OUTSIDE.findall(Path(page.abs_src_path).read_text(encoding="utf-8")):
            if (root / name).is_file() and f"sources/{name}.txt" not in files.src_uris:
                files.append(File.generated(config, f"sources/{name}.txt", abs_src_path=str(root / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Points the links to these."""

    def pointed(found: re.Match[str]) -> str:
        up, name, anchor = found.groups()
        within = f"sources/{name}.txt"
        return f"]({'../' * (up.count('../') - 1)}{within}{anchor})" if within in files.src_uris else found[0]

    return _OUTSIDE.sub(pointed, markdown)
