"""What SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND share: where the values of blocks of rows and columns lie.

TensorFlow writes a dilated convolution so where it does not fold it back into one CONV_2D, as for a tensor that two
dilated convolutions read. Followed is TensorFlow Lite, which pads with the zero point; TensorFlow Lite Micro pads with
a byte that it never sets. Both give the same where nothing is padded, or what is padded is cut off again.
"""

from __future__ import annotations

from leadwire.model.graph import Model, Operator

from .arithmetic import zero_point_of
from .rules import computed, inputs, int8_activations, rank, same_quantization
from .spec import KernelCall, OperatorSpec, Rule
from .walk import constants


def _extended(values: tuple[int, ...], position: int, filled: int) -> tuple[int, ...]:
    """With a second dimension of rows and columns where there is one."""
    return (*values[:position], filled, *values[position:])


def _params(model: Model, operator: Operator, *, to_batch: bool) -> dict[str, int] | None:
    """The fields of C's lw_blocks_params; None for what the rule says."""
    space, batch = model.required(operator, 0).shape, model.output(operator).shape
    if not to_batch:
        space, batch = batch, space
    blocks, edges = constants(model, operator, 1), constants(model, operator, 2)
    if blocks is None or edges is None or len(batch) != len(space) or len(blocks) != len(space) - 2:
        return None
    if len(edges) != 2 * len(blocks) or min(blocks) < 1 or min(edges) < 0 or min(space + batch) < 1:
        return None
    if len(space) == 3:
        space, batch = _extended(space, 2, 1), _extended(batch, 2, 1)
        blocks, edges = (*blocks, 1), (*edges, 0, 0)
    whole = tuple(space[axis] + edges[2 * axis - 2] + edges[2 * axis - 1] for axis in (1, 2))
    if whole != tuple(batch[axis] * blocks[axis - 1] for axis in (1, 2)):
        return None
    if space[0] != 1 or batch[0] != blocks[0] * blocks[1] or space[3] != batch[3]:
        return None
    return {
        "height": space[1], "width": space[2], "channels": space[3],
        "block_height": blocks[0], "block_width": blocks[1],
        "batch_height": batch[1], "batch_width": batch[2],
        "top": edges[0], "left": edges[2],
        "value": zero_point_of(model.output(operator)),
    }  # fmt: skip


def in_blocks(kind: str, *, to_batch: bool, edges: str) -> OperatorSpec:
    """`edges` names what input 2 says of the sides."""
    name = f"{kind.lower()}_s8"

    def emit(model: Model, operator: Operator) -> tuple[KernelCall, ...]:
        params = _params(model, operator, to_batch=to_batch)
        assert params is not None
        return (
            KernelCall(
                function=f"lw_{name}",
                source=f"{name}.c",
                params_type="lw_blocks_params",
                params=tuple((field, str(value)) for field, value in params.items()),
                arguments=("in0", "out0"),
            ),
        )

    return OperatorSpec(
        kind=kind,
        rules=(
            inputs(3),
            int8_activations(0),
            computed(0),
            rank(0, 3, 4),
            same_quantization(lambda op: range(1)),
            Rule(
                text=f"block sizes and {edges} are constant and give the output's shape; the signal's batch size is 1",
                holds=lambda model, op: _params(model, op, to_batch=to_batch) is not None,
                remedy="use fixed block sizes, and fix the batch size to 1 before converting",
            ),
        ),
        emit=emit,
    )
