"""Write clean .ipynb files for Colab: python notebooks.py FOLDER OWNER/NAME COMMIT.

A first cell installs the package at that commit; MyST roles, which Colab shows as raw text, become plain words.
"""

import re
import sys
from pathlib import Path

import jupytext
from nbformat.v4 import new_code_cell

out, repository, commit = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
out.mkdir(parents=True, exist_ok=True)
install = f"!git clone --quiet https://github.com/{repository} book && cd book && git checkout --quiet {commit} && pip install --quiet -e .\n%cd book"
for path in sorted(Path("notebooks").glob("*.py")):
    notebook = jupytext.read(path)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\{(?:ref|numref|eq|cite:[pt]|claim|seconds|prf:ref)\}`([^`<]*?)(?: <[^>]*>)?`", r"*\1*", cell.source)
            cell.source = re.sub(r"^\([\w-]+\)=\n", "", cell.source, flags=re.M)
    notebook.cells.insert(0, new_code_cell(install))
    jupytext.write(notebook, out / f"{path.stem}.ipynb")
