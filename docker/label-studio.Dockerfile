# Label Studio in the very version that the tests and the demo run, from the same lock.
FROM python:3.11.15-slim-bookworm AS build
ARG UV=uv==0.13.9
RUN pip install --no-cache-dir $UV
ENV VIRTUAL_ENV=/opt/label-studio UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN uv venv --python /usr/local/bin/python $VIRTUAL_ENV
WORKDIR /src
COPY requirements-studio.lock ./
RUN uv pip install --no-cache --no-deps --require-hashes -r requirements-studio.lock

FROM python:3.11.15-slim-bookworm
LABEL org.opencontainers.image.title="Label Studio for Tiebreak" \
      org.opencontainers.image.version="1.23.2" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --create-home --uid 10001 studio \
 && install -d -o studio -g studio /label-studio/data
COPY --from=build /opt/label-studio /opt/label-studio
COPY --chmod=755 docker/label-studio-entrypoint.sh /usr/local/bin/label-studio-entrypoint
ENV PATH=/opt/label-studio/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    LABEL_STUDIO_BASE_DATA_DIR=/label-studio/data
USER studio
WORKDIR /home/studio
VOLUME /label-studio/data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=10s --retries=6 --start-period=180s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health', timeout=5)"]
ENTRYPOINT ["label-studio-entrypoint"]
CMD ["label-studio", "start", "--no-browser", "--internal-host", "0.0.0.0", "--port", "8080"]
