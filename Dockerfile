# The command line, REST with the web page, and both steps over gRPC: docker build -t gif-analyzer .
# compose.yaml runs them beside MLflow, Prometheus and Grafana. See docs/run.md.
FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_BUILD_CONSTRAINT=hashes.txt
WORKDIR /source

# Every archive is checked against hashes.txt, as in `make setup`. A change of the source leaves this layer as it is.
COPY pyproject.toml hashes.txt ./
RUN awk '/^[a-z]/ {uv = /^uv==/} uv' hashes.txt | pip install --no-cache-dir --require-hashes -r /dev/stdin \
    && python -m venv --without-pip /opt/gif-analyzer \
    && uv pip install -p /opt/gif-analyzer/bin/python --require-hashes -c hashes.txt -r pyproject.toml \
    --extra fast --extra grpc --extra rest

COPY . .
RUN uv pip install -p /opt/gif-analyzer/bin/python --no-deps .

FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
LABEL org.opencontainers.image.title="GIF Analyzer" \
      org.opencontainers.image.description="Tells which TV show an animated GIF came from" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/gif-analyzer /opt/gif-analyzer
ENV PATH="/opt/gif-analyzer/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/tmp/numba
# A number, so that Kubernetes can check that it is not root. This user owns no file of the image.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
# The gRPC services listen within the container only; compose.yaml shows how to run them alone.
CMD ["gif-analyzer", "serve", "--host", "0.0.0.0"]
