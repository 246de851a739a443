"""Where the settings of a TOML document stand: found in every way TOML may be written."""

import tomllib

import pytest

from gateway.protocol.policy.toml_places import TomlPlaces
from gateway.protocol.setting_names import Path

TEXT = '''\
# [not.a.table] = "x"
top = "a # no comment ] = ["      # a comment = here
"quoted key" = \'\'\'
[[rules]]
id = 1
\'\'\'
a.b . c = [
  # [[rules]]
  "x",
  { id = "y", other = [1, 2] },
]
  indented = """""quoted""\\""""" # ends here

[one."two.three"]
value = 1
[[rules]]
id = "first"
[[rules.parts]]
name = 1
[[rules.parts]]
name = 2
[[rules]]
id = "second"
[rules.inner]
deep = 1
[[rules.parts]]
name = 3
[last]'''


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("top",), 2, 1),
        (("quoted key",), 3, 1),
        (("a", "b", "c"), 7, 1),
        (("a", "b", "c", 1, "id"), 7, 1),
        (("indented",), 12, 3),
        (("one", "two.three"), 14, 1),
        (("one", "two.three", "value"), 15, 1),
        (("rules", 0), 16, 1),
        (("rules", 0, "id"), 17, 1),
        (("rules", 0, "missing"), 16, 1),
        (("rules", 0, "parts", 1, "name"), 21, 1),
        (("rules", 1, "id"), 23, 1),
        (("rules", 1, "inner", "deep"), 25, 1),
        (("rules", 1, "parts", 0, "name"), 27, 1),
        (("last", "nothing"), 28, 1),
        (("absent",), 1, 1),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_setting_is_found_at_its_line(path: Path, line: int, column: int, line_end: str) -> None:
    text = TEXT.replace("\n", line_end)
    tomllib.loads(text)
    place = TomlPlaces(text).of(path)
    assert (place.line, place.column) == (line, column)
    assert place.source_line == TEXT.split("\n")[line - 1].rstrip()
