# Label Studio in the very version that the tests and the demo run, from the same lock.
FROM python:3.11-slim
RUN pip install --no-cache-dir uv
COPY requirements-studio.lock ./
RUN uv venv --python /usr/local/bin/python /opt/label-studio \
 && VIRTUAL_ENV=/opt/label-studio uv pip install --no-cache --no-deps --require-hashes -r requirements-studio.lock
RUN useradd --create-home --uid 10001 studio \
 && install -d -o studio -g studio /label-studio/data
ENV PATH=/opt/label-studio/bin:$PATH LABEL_STUDIO_BASE_DATA_DIR=/label-studio/data PYTHONUNBUFFERED=1
USER studio
WORKDIR /home/studio
VOLUME /label-studio/data
EXPOSE 8080
CMD ["label-studio", "start", "--no-browser", "--internal-host", "0.0.0.0", "--port", "8080"]
