"""Equations as MathML, which browsers draw by themselves: pages load no script from elsewhere."""

from docutils import nodes
from latex2mathml.converter import convert


def inline(self, node):
    """A formula within a line."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(self, node):
    """Formulas of a paragraph of their own, one a line."""
    lines = [line for line in node.astext().split("\n") if line.strip()]
    drawn = "".join(f"<div>{convert(line, display='block')}</div>" for line in lines)
    self.body.append(f'<div class="equations">{drawn}</div>')
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
