"""RESIZE_BILINEAR of a picture or a signal to any size, in the positions of 1/1024 that TensorFlow Lite Micro uses."""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .rules import batch_one, computed, inputs, int8_activations, rank, same_quantization
from .spec import KernelCall, OperatorSpec, Rule
from .walk import constants

_ONE = 1 << 10
_LARGEST = 1 << 20


def _positions(model: Model, operator: Operator, axis: int) -> tuple[int, int]:
    """(scale, offset) of a dimension, in units of 1/1024."""
    given, wanted = model.required(operator, 0).shape[axis], model.output(operator).shape[axis]
    if operator.option("align_corners", False) and wanted > 1:
        given, wanted = given - 1, wanted - 1
    scale = (_ONE * given + wanted // 2) // wanted
    return scale, scale // 2 - _ONE // 2 if operator.option("half_pixel_centers", False) else 0


def _shapes_match(model: Model, operator: Operator) -> bool:
    shape, wanted, size = model.required(operator, 0).shape, model.output(operator).shape, constants(model, operator, 1)
    return size is not None and len(size) == 2 and min(size) >= 1 and wanted == (shape[0], *size, shape[3])


def _inside(model: Model, operator: Operator) -> bool:
    """No position lies beyond the last value, and none overflows."""

    def fits(axis: int) -> bool:
        given, wanted = model.required(operator, 0).shape[axis], model.output(operator).shape[axis]
        scale, offset = _positions(model, operator, axis)
        return max(given, wanted) <= _LARGEST and ((wanted - 1) * scale + offset) // _ONE < given

    return fits(1) and fits(2)


def _emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
    shape, wanted = model.required(operator, 0).shape, model.output(operator).shape
    (scale_y, offset_y), (scale_x, offset_x) = (_positions(model, operator, axis) for axis in (1, 2))
    params = {
        "input_height": shape[1], "input_width": shape[2], "channels": shape[3],
        "output_height": wanted[1], "output_width": wanted[2],
        "scale_y": scale_y, "offset_y": offset_y, "scale_x": scale_x, "offset_x": offset_x,
    }  # fmt: skip
    return (
        KernelCall(
            function="lw_resize_bilinear_s8",
            source="resize_bilinear_s8.c",
            params_type="lw_resize_params",
            params=tuple((name, str(value)) for name, value in params.items()),
            arguments=("in0", "out0"),
        ),
    )


SPEC = OperatorSpec(
    kind="RESIZE_BILINEAR",
    rules=(
        inputs(2),
        int8_activations(0),
        computed(0),
        same_quantization(lambda op: range(1)),
        rank(0, 4, 4),
        batch_one(0),
        Rule(
            text="height and width are constant and give the output's shape",
            holds=_shapes_match,
            remedy="resize to a fixed size",
        ),
        Rule(
            text="half_pixel_centers and align_corners are not both set",
            holds=lambda model, op: not (op.option("half_pixel_centers", False) and op.option("align_corners", False)),
            remedy="export the model again",
        ),
        Rule(
            text="no rounded position lies beyond the input",
            holds=_inside,
            remedy="resize by a factor that 1/1024 divides better, such as a power of two",
        ),
    ),
    emit=_emit,
)
