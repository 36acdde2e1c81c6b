"""A device that is not there: tensors that compute like those of the CPU, and refuse to meet them.

Within :class:`Elsewhere`, whatever is moved to ``torch.device("mps")`` or made there is kept on the CPU under that label.
An operation on a labelled and a plain tensor is an error, as it is between a GPU and the CPU; only numbers without axes may
meet both. So code can be tried for moves that are missing where there is no GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LABEL = torch.device("mps")


class Labelled(Tensor):
    """A tensor of the CPU under another label."""


class Elsewhere(TorchFunctionMode):
    """The device exists within this block; modules and optimisers may be moved there.

    Attributes
    ----------
    label
        Its name.
    operations
        How many were done there.
    """

    label = str(LABEL)

    def __enter__(self) -> Elsewhere:
        self._kept = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        self.operations = 0
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        torch.__future__.set_overwrite_module_params_on_conversion(self._kept)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = list(_tensors((args, kwargs)))
        labelled = any(isinstance(t, Labelled) for t in tensors)
        if func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return LABEL if labelled else func(*args)
        moved = _target(func, args, kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            if moved is not None:
                here = args[0].as_subclass(Tensor)
                dtypes = [a for a in (*args[1:], kwargs.get("dtype")) if isinstance(a, torch.dtype)]
                found = here.to(*dtypes) if dtypes else here
                return found.as_subclass(Labelled) if moved == LABEL else found
            made = kwargs.get("device") is not None and torch.device(kwargs["device"]) == LABEL
            if made:
                kwargs["device"] = "cpu"
            if labelled:
                self.operations += 1
                strangers = [t for t in tensors if not isinstance(t, Labelled) and t.ndim]
                if strangers and func not in ALLOWED:
                    shapes = [tuple(t.shape) for t in strangers]
                    raise RuntimeError(f"{func} met tensors of the CPU elsewhere, of shapes {shapes}")
            found = func(*args, **kwargs)
        return _label(found) if made or (labelled and func is not Tensor.numpy) else found


ALLOWED = {Tensor.copy_, torch._has_compatible_shallow_copy_type}
"""What may read from one device and write to another."""


def _target(func: Any, args: Any, kwargs: Any) -> torch.device | None:
    """Where a tensor is moved; None for every other operation."""
    if func is Tensor.cpu:
        return torch.device("cpu")
    if func is not Tensor.to:
        return None
    given = [kwargs.get("device"), *(a for a in args[1:] if isinstance(a, str | torch.device))]
    named = [torch.device(a) for a in given if a is not None]
    return named[0] if named else (LABEL if isinstance(args[0], Labelled) else torch.device("cpu"))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)


def _label(found: Any) -> Any:
    if isinstance(found, Tensor):
        return found if isinstance(found, Labelled) else found.as_subclass(Labelled)
    if isinstance(found, list | tuple) and any(isinstance(one, Tensor) for one in found):
        kind = type(found)
        values = [_label(one) for one in found]
        return values if kind is list else (tuple(values) if kind is tuple else kind(values))
    return found
