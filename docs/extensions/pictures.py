"""What an example writes beside its words: its pictures, and the short form in which the gallery runs it."""

import shutil
from pathlib import Path

from sphinx_gallery.scrapers import figure_rst


def quick(gallery_conf, script_vars):
    """The arguments of every example."""
    return ["--quick"]


def scraped(block, block_vars, gallery_conf):
    """Pictures that a run left in its folder, moved to the gallery."""
    names = []
    for picture in sorted(Path(block_vars["src_file"]).parent.glob("*.png")):
        target = next(block_vars["image_path_iterator"])
        shutil.move(picture, target)
        names.append(target)
    return figure_rst(names, gallery_conf["src_dir"])
