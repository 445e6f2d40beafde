"""The site's pages from outside docs/, the README as its front, and examples set as code."""

import pathlib
import re

import griffe
from mkdocs.structure import files

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLE = re.compile(r'^>>> .*(?:\n.+)*', re.MULTILINE)
FRONT = {'README.md': 'index.md'}
# Links within the repository as the site has them; every page lies at its top.
LINKS = ((re.compile(r'\]\(\.\./'), ']('), (re.compile(r'\]\(docs/'), ']('),
         (re.compile(r'\]\(README\.md'), '](index.md'),
         (re.compile(r'\[([^\]]+)\]\(results(?:/\w+)?\)'), r'\1'))  # Folders, which have no page.


def on_files(found, config):
  """Adds the documents and figures of the repository's top."""
  for path in [*ROOT.glob('*.md'), *ROOT.glob('LICENSE'), *ROOT.glob('CITATION.cff'),
               *ROOT.glob('notebooks/*.ipynb'), *ROOT.glob('results/figures/*.png'),
               *ROOT.glob('results/*.html')]:
    name = str(path.relative_to(ROOT))
    found.append(files.File.generated(config, FRONT.get(name, name), abs_src_path=str(path)))
  return found


def on_page_markdown(markdown, page, config, files):
  """Links that lead to the same places in the site."""
  del page, config, files
  for link, here in LINKS:
    markdown = link.sub(here, markdown)
  return markdown


class Examples(griffe.Extension):
  """Examples that stand in the text of a docstring, up to the next empty line."""

  def on_instance(self, *, obj, **kwargs):
    """Fences them: Markdown would take `>>>` for a quotation."""
    del kwargs
    if obj.docstring:
      obj.docstring.value = EXAMPLE.sub(r'```pycon\n\g<0>\n```', obj.docstring.value)
