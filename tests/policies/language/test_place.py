from policies.language.place import lines_of

TEXT = """{
  "version": "1",
  "tools": {
    "a/b~c": {
      "deny_if": [
        { "conditions": [] },
        {
          "conditions": []
        }
      ]
    }
  }
}"""


def test_a_pointer_names_the_lines_of_its_member_with_the_key() -> None:
    assert lines_of(TEXT, "/version") == (2, 2)
    assert lines_of(TEXT, "/tools/a~1b~0c") == (4, 11)
    assert lines_of(TEXT, "/tools/a~1b~0c/deny_if/1") == (7, 9)
    assert lines_of(TEXT, "") == (1, 13)


def test_what_is_not_there_has_no_lines() -> None:
    assert lines_of(TEXT, "/tools/other/action") is None
    assert lines_of(TEXT, "/tools/a~1b~0c/deny_if/2") is None
    assert lines_of("{", "/tools") is None
