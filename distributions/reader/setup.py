"""The distribution genbank-assets-reader: the flat-file reader and ``parse`` of genbank-assets, and nothing else.

The sources are those of the repository. Modules that the reader needs are found by following imports, and copied under
the import package ``genbank_assets_reader``, so that it can be installed beside genbank-assets. A source distribution
carries the copies.
"""

import ast
import re
import shutil
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
NAME = "genbank_assets_reader"
BEGIN = ["genbank_assets.cli.parse", "genbank_assets.flatfile.reader"]
NATIVE = ["flatfile/scanner", "tables/twobit"]
OWN = {"package_init.py": "__init__.py", "command.py": "__main__.py"}


def needed(begin: list[str]) -> set[Path]:
    """Files of the modules and of all of the package that they import, also where they import late."""
    found: set[Path] = set()
    todo = list(begin)
    while todo:
        parts = todo.pop().split(".")
        folder = REPOSITORY.joinpath(*parts)
        for path in (folder.with_suffix(".py"), folder.with_suffix(".pyx"), folder / "__init__.py"):
            if path.is_file() and path not in found:
                found.add(path)
                todo += imported(path)
        if len(parts) > 2:
            todo.append(".".join(parts[:-1]))
    return found


def imported(path: Path) -> list[str]:
    """What a module imports of the package; a name may be a module's or one in it."""
    if path.name == "__init__.py" and path.parent.name in {"genbank_assets", "cli", "flatfile"}:
        return []  # tables of contents: what is wanted of them is imported by name
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":
        return re.findall(r"^(?:from|import) (genbank_assets[\w.]*)", text, re.MULTILINE)
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genbank_assets"):
            names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def copy_sources() -> None:
    """Write the import package again from the repository."""
    target = HERE / NAME
    shutil.rmtree(target, ignore_errors=True)
    sources = needed(BEGIN)
    for native in NATIVE:
        folder = (REPOSITORY / "genbank_assets" / native).parent
        sources |= {path for kind in ("*.pyx", "*.pxi", "*.pyi", "*.h") for path in folder.glob(kind)}
    for path in sources:
        place = target / path.relative_to(REPOSITORY / "genbank_assets")
        place.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if path.name == "__init__.py":  # a docstring, and none of what the others have beside
            text = f'"""{(ast.get_docstring(ast.parse(text)) or "").splitlines()[0]}"""\n'
        text = re.sub(r"\bgenbank_assets\b", NAME, text)
        place.write_text(text.replace('"genbank-assets"', '"genbank-assets-reader"'), encoding="utf-8")
    for name, place in OWN.items():
        text = (HERE / name).read_text(encoding="utf-8")
        (target / place).write_text(text.replace("@VERSION@", version()), encoding="utf-8")
    (target / "py.typed").touch()
    shutil.copy(REPOSITORY / "LICENSE", HERE / "LICENSE")


def version() -> str:
    """The version of genbank-assets, which is written in one place."""
    text = (REPOSITORY / "genbank_assets" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


if (REPOSITORY / "genbank_assets" / "cli").is_dir():
    copy_sources()
elif not (HERE / NAME).is_dir():
    raise SystemExit("genbank-assets-reader is built in the repository of genbank-assets, or from an sdist")

packages = sorted({".".join(p.parent.relative_to(HERE).parts) for p in (HERE / NAME).rglob("*.py")})
setup(
    name="genbank-assets-reader",
    version=re.search(r'__version__ = "(.+)"', (HERE / NAME / "__init__.py").read_text(encoding="utf-8"))[1],
    description="A streaming reader of GenBank flat files into Arrow and Parquet, the one that genbank-assets uses",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=packages,
    include_package_data=False,
    package_data={NAME: ["py.typed", "**/*.pyi"]},
    ext_modules=cythonize(
        [
            Extension(
                f"{NAME}.{native.replace('/', '.')}",
                [f"{NAME}/{native}.pyx"],
                include_dirs=[f"{NAME}/{native.split('/')[0]}"],
                extra_compile_args=["-O3", "-fno-strict-aliasing"],
            )
            for native in NATIVE
        ],
        language_level=3,
        build_dir="build/cython",
    ),
    install_requires=["numpy>=1.26", "pyarrow>=20", "isal>=1.7", "zstandard>=0.23"],
    entry_points={"console_scripts": [f"genbank-assets-reader = {NAME}.__main__:main"]},
    classifiers=[
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Cython",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
        "Typing :: Typed",
    ],
)
