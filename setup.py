"""What pyproject.toml cannot say: in a wheel all that lies beside the package `c2m` moves into it, as c2m/_project.

In the repository, and installed from it with --editable, everything stays where it is. Imports are the same in both.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

WITHIN = "c2m._project"
DATA = ("dbt_project", "mappings", "worlds", "deploy", "prefect.yaml")
NOT_OURS = shutil.ignore_patterns("target", "logs", ".user.yml", "__pycache__", "amazon_week")


class Build(build_py):
    """Places each package and the data beside them."""

    def get_module_outfile(self, build_dir, package, module):
        place = package if isinstance(package, str) else ".".join(package)
        within = place if place.split(".")[0] == "c2m" else f"{WITHIN}.{place}"
        return super().get_module_outfile(build_dir, within.split("."), module)

    def run(self):
        super().run()
        if self.editable_mode:
            return
        project = Path(self.build_lib, *WITHIN.split("."))
        for data in (path for path in Path(self.build_lib).iterdir() if path.name != "c2m"):  # of the other packages
            shutil.copytree(data, project / data.name, dirs_exist_ok=True)
            shutil.rmtree(data)
        for name in DATA:
            source = Path(__file__).with_name(name)
            if source.is_dir():
                shutil.copytree(source, project / name, ignore=NOT_OURS, dirs_exist_ok=True)
            else:
                project.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, project / name)


setup(cmdclass={"build_py": Build})
