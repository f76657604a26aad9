# Image of webserver, daemon, code server and runs; compose.yaml starts them. Build it in a checkout:
#   docker build --tag genbank-assets .
#   docker build --tag genbank-assets --build-arg EXTRAS=dask,k8s .    # for a cluster: docs/kubernetes.md
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY setup.py pyproject.toml MANIFEST.in README.md LICENSE constraints.txt dagster.yaml workspace.yaml ./
COPY genbank_assets genbank_assets
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
ARG EXTRAS=
COPY constraints.txt /tmp/constraints.txt
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /wheels/*.whl)${EXTRAS:+[$EXTRAS]}" \
    && rm /tmp/constraints.txt
# Not root: files in the store belong to this account.
RUN useradd --uid 1000 --create-home genbank \
    && install --directory --owner genbank /store /opt/dagster/home /opt/dagster/home/storage
COPY --chown=genbank dagster.yaml /opt/dagster/home/dagster.yaml
COPY deploy/compose/workspace.yaml /opt/dagster/workspace.yaml
USER genbank
ENV DAGSTER_HOME=/opt/dagster/home \
    GENBANK_ASSETS_STORE=/store \
    PYTHONUNBUFFERED=1
WORKDIR /opt/dagster
VOLUME ["/store"]
ENTRYPOINT []
CMD ["genbank-assets", "--help"]
