"""Writes src/schema/table.txt: the signatures of ONNX's operators at opsets 7 and later, from onnx.defs.

Run with the onnx package installed: python scripts/schemas.py (onnx 1.23.2 wrote the committed table).

One line an operator version:

    Clip 13 (input:T, min?:T, max?:T) -> (output:T) {} T=$3
    Gelu 20 (X:T) -> (Y:T) {approximate:string="none"} T=$5

An input or output is `name?` where it may be absent, `name*2` where it stands for 2 or more values of one type and
`name~2` where their types may differ. An attribute is `name:type`, with `!` where it is required and `=` before its
default. `$3` is a set of element types from the head of the table; `other` stands for sequences, maps and optionals.
"""

import json
import pathlib

from onnx import defs

FIRST_OPSET = 7
TABLE = pathlib.Path(__file__).parent.parent / "src" / "schema" / "table.txt"


def element_types(types):
    """The sorted element types of a list such as ["tensor(float)", "seq(tensor(float))"]."""
    names = {t[7:-1] if t.startswith("tensor(") else "other" for t in types}
    # Six-bit floats came with opset 28; this crate does not have them.
    return "|".join(sorted(name for name in names if not name.startswith("float6")))


def formal(parameter, shorten):
    option = parameter.option
    kind = ""
    if option == defs.OpSchema.FormalParameterOption.Optional:
        kind = "?"
    elif option == defs.OpSchema.FormalParameterOption.Variadic:
        kind = f"{'*' if parameter.is_homogeneous else '~'}{parameter.min_arity}"
    ty = parameter.type_str
    if "(" in ty:
        ty = shorten(element_types([ty]))
    return f"{parameter.name}{kind}:{ty}"


def attribute(item):
    text = f"{item.name}:{item.type.name.lower()}"
    if item.required:
        return text + "!"
    default = item.default_value
    if not default.name:
        return text
    kind = default.type
    value = {
        default.FLOAT: lambda: default.f,
        default.INT: lambda: default.i,
        default.STRING: lambda: default.s.decode(),
        default.FLOATS: lambda: list(default.floats),
        default.INTS: lambda: list(default.ints),
        default.STRINGS: lambda: [s.decode() for s in default.strings],
    }[kind]()
    if kind == default.FLOAT:
        # The shortest text that gives the same float32 back.
        import numpy

        value = float(str(numpy.float32(value)))
    return f"{text}={json.dumps(value)}"


def main():
    versions = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            versions.setdefault(schema.name, {})[schema.since_version] = schema
    wanted = []
    for name in sorted(versions):
        numbers = sorted(versions[name])
        before = [n for n in numbers if n <= FIRST_OPSET]
        wanted += [versions[name][n] for n in before[-1:] + [n for n in numbers if n > FIRST_OPSET]]

    sets = {}

    def shorten(types):
        return f"${sets.setdefault(types, len(sets))}"

    lines = []
    for schema in wanted:
        inputs = ", ".join(formal(p, shorten) for p in schema.inputs)
        outputs = ", ".join(formal(p, shorten) for p in schema.outputs)
        attributes = ", ".join(attribute(schema.attributes[name]) for name in sorted(schema.attributes))
        types = " ".join(
            f"{c.type_param_str}={shorten(element_types(c.allowed_type_strs))}" for c in schema.type_constraints
        )
        deprecated = " deprecated" if schema.deprecated else ""
        lines.append(f"{schema.name} {schema.since_version}{deprecated} ({inputs}) -> ({outputs}) {{{attributes}}} {types}".rstrip())
    head = [f"${number} {types}" for types, number in sets.items()]
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join(head + [""] + lines) + "\n")


main()
