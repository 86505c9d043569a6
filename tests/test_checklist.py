"""The three blocks of recorded evidence."""

import pandas as pd
import pytest
import yaml

from planlib.errors import DataError, UsageError
from planlib.paths import DEFINITIONS
from planlib.standard import block_verdicts, check_blocks, standard_from

RULES = yaml.safe_load((DEFINITIONS / "standards.yml").read_text(encoding="utf-8"))
STANDARD = standard_from(RULES, "compulsory_2017", "2023-09-01")
LISTED = STANDARD.rules["checklist"]


def schools(students=800, classes=20):
    rows = {
        "school_id": ["a", "b"],
        "stage": ["primary", "junior"],
        "year": 2023,
        "school_type": ["primary", "junior"],
    }
    return pd.DataFrame({**rows, "students": students, "classes": classes})


def everything(**other):
    """Evidence that just meets every part; ``other`` changes single values by part."""
    rows = []
    for block in LISTED.values():
        for item, told in block["items"].items():
            for part, rule in told["parts"].items():
                just = rule["values"] - (0.01 if rule["direction"] == "below" else 0)
                rows.append((2023, item, part, other.get(part, just), f"file of {item}"))
    return pd.DataFrame(rows, columns=["year", "item", "part", "value", "evidence"])


def test_fifteen_nine_and_one_with_words_and_source():
    assert {block: len(about["items"]) for block, about in LISTED.items()} == {
        "guarantee": 15,
        "quality": 9,
        "recognition": 1,
    }
    for about in LISTED.values():
        assert sorted(told["number"] for told in about["items"].values()) == list(
            range(1, len(about["items"]) + 1)
        )
        for told in about["items"].values():
            assert set(told["label"]) == {"zh", "en"}
            assert all(set(rule["label"]) == {"zh", "en"} for rule in told["parts"].values())
            assert {rule["direction"] for rule in told["parts"].values()} <= {
                "at_least",
                "at_most",
                "below",
                "is_true",
            }
    dated = [path for path in STANDARD.references if path.startswith("checklist")]
    assert len(dated) == sum(len(told["parts"]) for about in LISTED.values() for told in about["items"].values())


def test_sizes_are_those_of_the_rule_on_sizes():
    parts = LISTED["guarantee"]["items"]["class_size"]["parts"]
    assert {stage: rule["values"] for stage, rule in parts.items()} == STANDARD.rules["class_size"]


def test_all_met_with_evidence():
    checked = check_blocks(schools(), STANDARD, 2023, everything())
    assert checked["is_met"].all()
    assert block_verdicts(checked)[["block", "items", "met", "is_met"]].to_numpy().tolist() == [
        ["guarantee", 15, 15, True],
        ["quality", 9, 9, True],
        ["recognition", 1, 1, True],
    ]
    basis = checked.set_index(["item", "part"])["basis"]
    assert basis["school_size", "within_pct"] == "computed"
    assert basis["class_size", "primary"] == "recorded"


@pytest.mark.parametrize(
    ("part", "value", "block"),
    [
        ("rotated_pct", 9.9, "guarantee"),
        ("between_schools", 0.15, "quality"),
        ("recognised_pct", 84, "recognition"),
    ],
)
def test_one_part_short_fails_its_block_alone(part, value, block):
    found = block_verdicts(check_blocks(schools(), STANDARD, 2023, everything(**{part: value})))
    verdicts = found.set_index("block")["is_met"]
    assert not verdicts[block]
    assert verdicts.drop(block).all()


def test_without_evidence_nothing_is_met_and_sizes_still_can_fail():
    fair = check_blocks(schools(), STANDARD, 2023).set_index(["item", "part"])
    assert fair["basis"].value_counts().to_dict() == {"no_data": len(fair) - 3, "partial": 2, "computed": 1}
    assert fair.loc[("school_size", "within_pct"), "is_met"]
    assert pd.isna(fair.loc[("class_size", "primary"), "is_met"])
    assert block_verdicts(fair.reset_index())["is_met"].isna().all()
    large = check_blocks(schools(students=2100, classes=42), STANDARD, 2023, everything()).set_index(
        ["item", "part"]
    )
    assert large.loc[("school_size", "within_pct"), "value"] == 0
    assert not large.loc[("class_size", "primary"), "is_met"]  # a mean of 50: no record can outweigh it
    assert large.loc[("class_size", "primary"), "basis"] == "computed"
    assert large.loc[("class_size", "junior"), "is_met"]  # a mean of 50 is allowed here, and the record says so
    assert not block_verdicts(large.reset_index()).set_index("block")["is_met"]["guarantee"]


def test_wrong_evidence_is_named():
    with pytest.raises(DataError, match="recognition: smiles"):
        check_blocks(schools(), STANDARD, 2023, everything().head(1).assign(item="recognition", part="smiles"))
    with pytest.raises(DataError, match="stands twice"):
        check_blocks(schools(), STANDARD, 2023, pd.concat([everything(), everything().head(1)]))
    with pytest.raises(DataError, match="evidence"):
        check_blocks(schools(), STANDARD, 2023, everything().drop(columns="evidence"))
    with pytest.raises(UsageError, match="no checklist"):
        check_blocks(schools(), standard_from(RULES, "compulsory_2012", "2023-09-01"), 2023)
