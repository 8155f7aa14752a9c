# The app for others, see docs/hosting.md:
#   docker build -t sci-net .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --memory 8g -p 8501:8501 sci-net
# TORCH=cpu, or a CUDA version that the machine's driver knows, such as cu128.
FROM python:3.12-slim-bookworm
ARG TORCH=cpu

# GDAL's wheels need expat
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1=2.5.* \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin explorer

WORKDIR /app
COPY requirements.lock requirements-dev.lock ./
# PyTorch's own index names the CUDA packages that its build needs, so those of the lock are left out
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN pip install --no-cache-dir uv==0.13.* \
    && grep -vE '^(nvidia|cuda|triton)' requirements.lock | grep -v '^ ' > requirements.txt \
    && uv pip install --system --no-cache --torch-backend="$TORCH" -r requirements.txt \
    && uv pip install --system --no-cache -c requirements-dev.lock --torch-backend="$TORCH" onnx onnxruntime \
    && { python -m compileall -q /usr/local/lib/python3.12/site-packages > /dev/null || true; }

COPY app.py ./
COPY .streamlit .streamlit
COPY scinet scinet
COPY pages pages
COPY checkpoints checkpoints

ENV SCINET_HOSTED=1 \
    SCINET_CACHE=/tmp/scinet \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "streamlit", "run", "pages/app/hosted.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
