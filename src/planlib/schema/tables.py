"""Which tables there are: their columns in order, their keys, and what is never empty."""

from collections.abc import Mapping
from dataclasses import dataclass

from planlib.errors import DataError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Table:
    """One processed table: columns in order, its primary key, and the columns that are never empty.

    ``as_of`` says how a row is dated: the name of a date column, ``"<column>-MM-DD"`` to complete a year, or
    ``""`` for a table that is not cut by date.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: tuple[str, ...]
    as_of: str = ""
    is_collected: bool = False


def _table(name: str, columns: str, key: str, required: str, as_of: str = "", collected: bool = False) -> Table:
    """Declare a table; `collected` ones are CSV files a district brings, so that rows know file and line."""
    names = tuple(columns.split()) + (("file", "line") if collected else ())
    needed = tuple(dict.fromkeys([*key.split(), *required.split(), *(("file", "line") if collected else ())]))
    return Table(name, names, tuple(key.split()), needed, as_of, collected)


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _table(
            "schools",
            "school_id stage year school_name school_type ownership area education_group campuses opened_year is_inclusive "
            "kindergarten_grade is_standardised modern_school_year brand_count classes students entrants staff "
            "teachers teachers_above_required_degree postgraduate_teachers backbone_teachers sports_arts_teachers "
            "senior_title_teachers master_teachers psychology_teachers teaching_area_m2 gym_area_m2 "
            "sports_ground_m2 equipment_value_yuan multimedia_rooms books computers capacity_students has_clinic "
            "has_school_doctor is_psychology_met activity_room_area_m2 building_area_m2 outdoor_play_area_m2 "
            "certified_teachers students_vision_tested students_myopic students_fitness_tested "
            "students_fitness_passed graduates_expected students_of_age students_male students_female classes_to_45 "
            "classes_46_to_55 classes_56_to_65 classes_above_65 as_of",
            "school_id stage year",
            "school_name school_type as_of",
            "as_of",
        ),
        _table(
            "lineage",
            "table school_id stage year column file sheet cell raw step",
            "table school_id stage year column",
            "file sheet cell",
            "year-09-01",
        ),
        _table(
            "form_cells",
            "school_id year form row_label column_label raw value unit file sheet cell",
            "file sheet cell",
            "school_id year form raw",
            "year-09-01",
        ),
        _table(
            "observations",
            "series_id value relation as_of status source_office boundary note",
            "series_id as_of status boundary",
            "value relation",
            "as_of",
            True,
        ),
        _table(
            "enrolment",
            "school_id school_name area stage grade year students",
            "school_id stage grade year",
            "students",
            "year-09-01",
            True,
        ),
        _table("births", "area year births", "area year", "births", "year-12-31", True),
        _table(
            "milestones",
            "commitment_id date achieved evidence note",
            "commitment_id date",
            "achieved",
            "date",
            True,
        ),
        _table(
            "projects",
            "project_id name kind area approved started completed handed_over opened classes seats "
            "investment_yuan floor_area_m2 site_area_m2",
            "project_id",
            "name kind",
            "",
            True,
        ),
        _table(
            "finance",
            "item year value unit as_of status source_office",
            "item year as_of status",
            "value unit",
            "as_of",
            True,
        ),
        _table("issues", "level issue_kind file sheet cell school year found expected done", "", "level file"),
    )
}


def declaration(table: str) -> Table:
    """Return what is declared of a table; an unknown one is a `DataError`."""
    if table not in TABLES:
        raise DataError(f"Unknown table {table!r}. Known tables: {', '.join(TABLES)}.")
    return TABLES[table]
