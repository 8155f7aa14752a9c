#!/bin/sh
# Makes the folder of a repository for Streamlit Community Cloud, see docs/hosting.md:
#   sh deploy/streamlit/prepare.sh FOLDER
set -eu
folder=${1:?"Give the folder to make, which does not exist yet."}
project=$(cd "$(dirname "$0")/../.." && pwd)
mkdir "$folder"
for part in app.py scinet pages checkpoints LICENSE; do
    cp -r "$project/$part" "$folder/"
done
find "$folder" -name __pycache__ -type d -prune -exec rm -r {} +
cp "$project/deploy/streamlit/packages.txt" "$folder/"

# Community Cloud has no GPU: PyTorch without CUDA, whose packages take 4 GB
{
    echo "--extra-index-url https://download.pytorch.org/whl/cpu"
    grep -vE '^( |nvidia|cuda|triton)' "$project/requirements.lock" | sed -E 's/^(torch|torchvision)==([0-9.]+)/\1==\2+cpu/'
    grep -E '^(onnx|onnxruntime)==' "$project/requirements-dev.lock"
} > "$folder/requirements.txt"

# The service decides where the app listens
mkdir "$folder/.streamlit"
grep -v '^address = ' "$project/.streamlit/config.toml" > "$folder/.streamlit/config.toml"
