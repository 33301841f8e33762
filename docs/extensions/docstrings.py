"""The docstrings of the house as reStructuredText: equations keep their lines, and bars are no substitutions."""

import re

SECTION = re.compile(
    r"^(Args|Arguments|Attributes|Raises|Returns|Yields|Class attributes|Deviations?|Example|Examples|Note|Notes):?$"
)
CODE = re.compile(r"(``.*?``|:\w+:`.*?`|`.*?`_{0,2})")


def paragraphs(lines):
    """Lines by paragraph, blank ones between."""
    found = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def is_display(lines):
    """Whether lines of a paragraph stay as they are: one that assigns, or a table by indentation."""
    first = lines[0].strip()
    if first.startswith((">>>", "..", "- ", "* ", "|", "+--", "===")) or SECTION.match(first):
        return False
    hangs = any(len(line) - len(line.lstrip()) > len(lines[0]) - len(lines[0].lstrip()) for line in lines)
    return hangs or ("←" in first and not first.endswith("."))


def escaped(line):
    """Bars and stars outside code, which are absolute values and products."""
    parts = CODE.split(line)
    return "".join(part if at % 2 else re.sub(r"([|*])", r"\\\1", part) for at, part in enumerate(parts))


def readable(lines):
    """One docstring."""
    made, in_literal = [], False
    for paragraph in paragraphs(lines):
        if made:
            made.append("")
        indent = len(paragraph[0]) - len(paragraph[0].lstrip())
        first = paragraph[0].strip()
        if in_literal and indent:
            made += paragraph
            continue
        in_literal = paragraph[-1].rstrip().endswith("::")
        if first.startswith((">>>", ".. ")) or in_literal:
            made += paragraph
        elif not made_of_fields(made) and (is_display(paragraph) or (indent and not SECTION.match(first))):
            made += [".. code-block:: none", ""]
            made += ["    " + line for line in paragraph]
        else:
            made += [escaped(line) for line in paragraph]
    return made


def made_of_fields(lines):
    """Whether the docstring has come to its arguments, where indentation is a list."""
    return any(SECTION.match(line.strip()) for line in lines)


def process(app, what, name, obj, options, lines):
    """Before napoleon reads it."""
    lines[:] = [*readable(lines), ""]


def skip(app, what, name, obj, skipped, options):
    """Whether a member is left out: what others define is described by them."""
    module = getattr(obj, "__module__", None) or "gradwright"
    return None if module.startswith("gradwright") else True


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
