"""How Sphinx makes the site of docs/ (`make site`): every warning is an error, and the pages need no network.

The shelves and the order of their pages stand in docs/index.md.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

project = "hetpmu"
extensions = ["myst_parser", "sphinx.ext.autodoc", "hetpmu_site.extension"]
source_suffix = {".md": "markdown", ".ipynb": "markdown"}
exclude_patterns = ["site"]
default_role = "code"
smartquotes = False

myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "hetpmu"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
highlight_language = "text"
