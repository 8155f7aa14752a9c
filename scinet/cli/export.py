"""``scinet export``: a model as ONNX."""

from pathlib import Path

import click

from scinet.cli.options import PATH
from scinet.models.checkpoint import load_trained
from scinet.models.onnx_export import export_onnx

HELP = """Write a model as an ONNX file, which runs without PyTorch.

Its input "image" is RGB in [0, 1], float32 (N, 3, H, W), of any size; its output "logits" is float32 (N, 1, H, W): the
sigmoid is the probability. The JSON file next to it lets segment, score and sweep use the file: --model OUT.onnx. The
packages onnx and onnxruntime have to be installed.
"""


@click.command(help=HELP)
@click.argument("out", metavar="OUT.onnx", type=PATH)
@click.option("--model", required=True, metavar="NAME", help="A model: scinet models lists them.")
def export(out: Path, model: str) -> None:
    """Write a model as an ONNX file."""
    difference = export_onnx(*load_trained(model), out)
    megabytes = out.stat().st_size / 1e6
    click.echo(f"{out}: {megabytes:.0f} MB; probabilities differ by at most {difference:.1e} from the model's")
