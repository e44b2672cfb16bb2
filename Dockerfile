# One image for every part of Strades; docker-compose.yml says which part a container is.
# The first stage has the build tools; the second takes only the environment that they made.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
WORKDIR /opt/strades
COPY requirements.lock pyproject.toml README.md ./
# uv by its hash out of the lock, then what the project needs at run time, in the locked versions.
RUN python -m venv /opt/venv \
    && awk '/^uv==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock > /tmp/uv.lock \
    && python -m pip install --no-deps --require-hashes -r /tmp/uv.lock \
    && VIRTUAL_ENV=/opt/venv uv pip install --constraint requirements.lock --requirement pyproject.toml "setuptools>=77"
COPY strades_pipelines strades_pipelines
COPY scrapers scrapers
COPY sandbox sandbox
COPY dashboard dashboard
COPY dependencies dependencies
RUN VIRTUAL_ENV=/opt/venv uv pip install --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m dependencies remove-unused \
    && /opt/venv/bin/python -m dependencies sbom > sbom.cdx.json

FROM ${PYTHON_IMAGE} AS run

RUN groupadd --gid 10001 strades \
    && useradd --uid 10001 --gid strades --no-create-home --home-dir /var/lib/strades --shell /usr/sbin/nologin strades \
    && install --directory --mode=0700 --owner=strades --group=strades /var/lib/strades /var/lib/strades/docs \
        /var/lib/strades-backups /var/lib/strades-login /var/lib/strades-dashboard /var/lib/strades-dashboard-login \
        /var/lib/strades-nginx /var/lib/strades-cold /run/strades
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/strades /opt/strades
WORKDIR /opt/strades
COPY Sources.json Wallets.json dagster.yaml workspace.yaml NOTICE.md ./
COPY dbt_project dbt_project
COPY deploy/workspace.yaml deploy/workspace.yaml
COPY deploy/nginx deploy/nginx
COPY deploy/tor deploy/tor
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STRADES_HOME=/var/lib/strades
USER 10001
VOLUME /var/lib/strades /var/lib/strades-backups
ENTRYPOINT ["python", "-m", "strades_pipelines.installation.container"]
CMD ["strades", "doctor"]
