"""``python -m scinet export``: a checkpoint as ONNX."""

import argparse
from pathlib import Path

from scinet.models.checkpoint import load_trained
from scinet.models.onnx_export import export_onnx

DESCRIPTION = """Write a checkpoint as an ONNX file, which runs without PyTorch. Its input "image" is RGB in [0, 1],
float32 (N, 3, H, W), of any size; its output "logits" float32 (N, 1, H, W): the sigmoid gives the probability. The
JSON beside it lets segment, score and sweep take the file: --model OUT.onnx. The packages onnx and onnxruntime are
needed."""


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("export", help="write a checkpoint as ONNX", description=DESCRIPTION)
    command.add_argument("out", metavar="OUT.onnx", type=Path)
    command.add_argument("--model", required=True, metavar="NAME", help="a checkpoint: models lists them")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    difference = export_onnx(*load_trained(options.model), options.out)
    megabytes = options.out.stat().st_size / 1e6
    print(f"{options.out}: {megabytes:.0f} MB; probabilities differ by at most {difference:.1e} from the checkpoint's")
