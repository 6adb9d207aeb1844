from policies.language.place import lines_of, nearest_place

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


def test_the_nearest_place_is_that_of_the_rule_around_what_is_not_spelt_out() -> None:
    assert nearest_place(TEXT, "/tools/a~1b~0c/deny_if/1") == (7, 9)
    assert nearest_place(TEXT, "/tools/a~1b~0c/limits/0") == (4, 5)
    assert nearest_place("{", "/tools") == (1, 1)
