"""What pyproject.toml cannot say: a wheel has data/, notebooks/ and the pages of docs/ inside the package.

In the repository they are folders of their own. An editable installation and a checkout use them there.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ADDED = ("data", "notebooks", "docs")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.damaged", "*.jpg", "*.png", "*.py")


class BuildWithData(build_py):
    """Copies the folders of the repository into the package that is built."""

    def run(self):
        """Copy the modules, and then the folders."""
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib, "scenelens")
        shutil.rmtree(package, ignore_errors=True)  # an earlier build may have left modules that are gone
        super().run()
        for name in ADDED:
            shutil.copytree(name, package / name, ignore=LEFT_OUT)


setup(cmdclass={"build_py": BuildWithData})
