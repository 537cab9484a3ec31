"""Exports models to ONNX or `torch.export` programs, for devices without transformers.

A watch or a phone runs the sensor tower; the text embeddings of the labels can be computed in advance. The programs
take the processor's output: encoders return unit-norm embeddings, and a captioner consists of a program that encodes
days and reads the first tokens of the captions, and one that reads a further token with the cache of the earlier ones.
"""

from .command import export_command
from .files import FORMATS, export_encoders, export_model, quantise_program
from .programs import CaptionStart, CaptionStep, SensorEncoder, TextEncoder, example_inputs
from .runtime import largest_difference, run_encoder, run_program

__all__ = [
    "FORMATS",
    "CaptionStart",
    "CaptionStep",
    "SensorEncoder",
    "TextEncoder",
    "example_inputs",
    "export_command",
    "export_encoders",
    "export_model",
    "largest_difference",
    "quantise_program",
    "run_encoder",
    "run_program",
]
