"""Links that lead somewhere in the repository lead to the same page of the site."""

PAGES = {
    "../benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}


def lead(app, name, source):
    """Before a page is read."""
    for file, page in PAGES.items():
        source[0] = source[0].replace(f"]({file}", f"]({page}")


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", lead)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
